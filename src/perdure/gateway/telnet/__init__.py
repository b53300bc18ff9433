"""Telnet clients: the machine that speaks the protocol, and the wire that shows text through it."""
