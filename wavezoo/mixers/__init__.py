"""Mixers of positions: the wave operator, and what it is compared with."""
