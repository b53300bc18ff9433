"""The ports on files and SQLite. Import the module that you need; accounts load SQLAlchemy."""
