"""The recipe file, the runner, the cache and the run folder."""

from fivefold.recipe.folder import read_run
from fivefold.recipe.recipe import Planned, Recipe, read_recipe, recipe_from
from fivefold.recipe.run import carry_out, run
from fivefold.recipe.stage import DataCard, Run, Stage

__all__ = [
    "DataCard",
    "Planned",
    "Recipe",
    "Run",
    "Stage",
    "carry_out",
    "read_recipe",
    "read_run",
    "recipe_from",
    "run",
]
