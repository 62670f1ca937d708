"""Exact Shapley values of tree ensembles."""

from fivefold.explanation.trees.read import has_trees
from fivefold.explanation.trees.tree_shap import TreeSHAP

__all__ = ["TreeSHAP", "has_trees"]
