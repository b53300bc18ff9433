"""A game that does everything a bad game can do, on command. For tests with real processes."""
