"""The room machine: a game in progress as a value, advanced one callback at a time."""
