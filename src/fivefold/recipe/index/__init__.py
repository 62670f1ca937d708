"""The index of a folder of runs: quick to read, never the truth, always made again from the folders."""

from fivefold.recipe.index.entry import Entry, entry_of, is_run
from fivefold.recipe.index.index import indexed, note, reindex
from fivefold.recipe.index.remove import check_run, leftovers, remove, sweep

__all__ = ["Entry", "check_run", "entry_of", "indexed", "is_run", "leftovers", "note", "reindex", "remove", "sweep"]  # fmt: skip
