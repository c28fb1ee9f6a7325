"""Small layers over any number of grid axes."""
