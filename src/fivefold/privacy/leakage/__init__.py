"""Telling training rows by the explanations that are released with answers."""
