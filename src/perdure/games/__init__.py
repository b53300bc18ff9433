"""What games are written in: one package for each kind of program that a room can run."""
