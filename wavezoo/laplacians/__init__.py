"""Discrete Laplacians, one a file."""
