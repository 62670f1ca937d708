"""Changing inputs on purpose: masks, attacks, corruptions."""

from fivefold.perturb.ball import Ball, Norm, ball_around
from fivefold.perturb.behind import Behind, Given, Hidden
from fivefold.perturb.corruption import SEVERITIES, Corruption, corruptions
from fivefold.perturb.gradient_attack import fgsm, pgd
from fivefold.perturb.mask import Features, Groups, Score, mean_score
from fivefold.perturb.one_hot import OneHot, one_hot_columns
from fivefold.perturb.random_search import random_search
from fivefold.perturb.room import in_parts
from fivefold.perturb.search import Attacked, attack
from fivefold.perturb.superpixels import superpixel_groups
from fivefold.perturb.words import blank, word_groups

__all__ = [
    "SEVERITIES",
    "Attacked",
    "Ball",
    "Behind",
    "Corruption",
    "Features",
    "Given",
    "Groups",
    "Hidden",
    "Norm",
    "OneHot",
    "Score",
    "attack",
    "ball_around",
    "blank",
    "corruptions",
    "fgsm",
    "in_parts",
    "mean_score",
    "one_hot_columns",
    "pgd",
    "random_search",
    "superpixel_groups",
    "word_groups",
]
