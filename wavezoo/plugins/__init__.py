"""Where schemes come from: built-ins, installed packages, files and objects, all through the same hooks."""
