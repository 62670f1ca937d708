"""One loop and its parts."""
