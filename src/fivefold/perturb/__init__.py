"""Changing inputs on purpose: masks, attacks, corruptions."""
