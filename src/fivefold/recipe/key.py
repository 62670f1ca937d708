"""What a result depends on, as one hash."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from fivefold.core.fingerprint import of_json


def key_of(**parts: Any) -> str:
    """Return the hash of `parts` together with the code, the versions and the threads that act on them."""
    return of_json({"parts": parts, "setting": _setting(torch.get_num_threads())})


def seed_of(seed: int, name: str) -> int:
    """Return the seed of one step or probe; independent of its neighbours in the recipe."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:7], "big")


@cache
def code_hash(package: str = "fivefold") -> str:
    """Return a hash of every source file of a package."""
    path = Path(str(import_module(package).__file__))
    files = sorted(path.parent.rglob("*.py")) if path.stem == "__init__" else [path]
    told = {f.relative_to(path.parent).as_posix(): _hash(f.read_bytes()) for f in files}
    return of_json(told)


@cache
def _setting(threads: int) -> Mapping[str, Any]:
    return {
        "code": code_hash(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": threads,
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
