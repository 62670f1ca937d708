"""Fivefold: take a model through its life, and measure what each promise costs the others."""

__version__ = "0.1.0"
