"""What a training leaves behind: run folders, and the numbers in them."""
