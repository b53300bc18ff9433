"""Generations of Python code: sources captured as bytes, loaded aside under a name of their own."""
