"""Sets of sequences."""
