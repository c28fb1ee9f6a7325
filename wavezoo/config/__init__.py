"""From names to objects: schemes, presets and recipes."""
