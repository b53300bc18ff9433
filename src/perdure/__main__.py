"""`python -m perdure` is the command `perdure`, of the environment that this Python is in."""

from perdure.cli import main

if __name__ == "__main__":
    main()
