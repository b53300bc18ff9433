"""Rooms with everything in them that a move has to carry: rows, timers, questions, letters, people."""
