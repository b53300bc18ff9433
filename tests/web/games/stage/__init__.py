"""A game that shows on command whatever a page can show. For tests in a browser."""
