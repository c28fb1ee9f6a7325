"""Flows of the medium, one a file."""
