"""Games written in Python: the author's API, and the program that runs them in a room."""
