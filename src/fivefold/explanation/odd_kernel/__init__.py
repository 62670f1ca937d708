"""Shapley values from a Gaussian process over the odd part of a game."""

from fivefold.explanation.odd_kernel.estimator import OddKernelSHAP

__all__ = ["OddKernelSHAP"]
