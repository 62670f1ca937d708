"""Turning the update of one client back into the rows that made it."""
