"""Bases in which Laplacians are diagonal."""
