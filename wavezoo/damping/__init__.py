"""Damping schemes, one a file."""
