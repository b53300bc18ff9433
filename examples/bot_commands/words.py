"""Words that commands share. A change here reaches them all."""

HELLO = "Hello"
