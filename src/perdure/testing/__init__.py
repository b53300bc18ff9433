"""Public helpers for tests of games: a room, players, and time that jumps."""
