"""A village whose files are edited while people talk in it; every file has a mark that says which edit runs."""
