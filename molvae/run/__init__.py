"""A training run: from a table of molecules to a folder that holds all it came to."""
