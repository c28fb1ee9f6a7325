"""Time integrators, one a file."""
