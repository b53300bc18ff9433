"""A square for clients of every kind: it has prompts and packages, and tells what it knows of them."""
