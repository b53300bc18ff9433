"""Underbridge, a small town with an arena: the example of a game with several modules and two rooms."""
