"""Sets of texts."""
