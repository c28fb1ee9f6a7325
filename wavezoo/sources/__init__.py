"""Forces on the field, one a file."""
