"""Perdure beside Evennia, under one client: ``python -m bench --full peers`` (see docs/performance.md).

environment  Evennia in an environment of its own, in a cache folder; its version
evennia      a small game under it, started and stopped by its own command line
ours         the same game under Perdure
client       the players of either, in a process of its own; it goes on when lines are lost
movements    reload, copyover, kill -9: silence, lost and doubled lines, disconnects
lines        one line and its answer, and the most that a server takes
memory       idle, and with players
newcomer     from an empty environment to the first login; packages

Evennia is driven from outside only, by its documented commands and settings.
"""
