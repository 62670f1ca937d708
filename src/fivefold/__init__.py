"""Fivefold: take a model through its life, and measure what each promise costs the others.

    import fivefold as ff

    run = ff.run(ff.read_recipe(Path("recipes/medical.toml")))
    print(ff.matrix(run))

Names are loaded when they are first used, so that `import fivefold` is instant.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "Evidence": "core.evidence",
    "Recipe": "recipe",
    "Run": "recipe",
    "carry_out": "recipe",
    "read_recipe": "recipe",
    "read_run": "recipe",
    "recipe_from": "recipe",
    "run": "recipe",
    "audit": "recipe.audit",
    "from_frame": "data",
    "MLP": "models",
    "fresh": "models",
    "load_model": "models",
    "save_model": "models",
    "explain": "explanation",
    "Matrix": "report",
    "Policy": "report",
    "judge": "report",
    "matrix": "report",
    "model_card": "report",
    "page": "report",
    "policy_from": "report",
    "read_policy": "report",
    "load_bundle": "deploy",
    "verify_bundle": "deploy",
    "write_bundle": "deploy",
}
__all__ = ["__version__", *_PLACES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"fivefold has no {name}. It has: {', '.join(__all__)}.")
    return getattr(import_module(f"fivefold.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
