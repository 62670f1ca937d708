"""Noise that is correlated over a stream of batches: the mathematics, and the plan of one run."""
