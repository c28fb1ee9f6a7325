"""Parameter fields, one a file."""
