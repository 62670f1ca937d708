"""What a result depends on, as one hash."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from fivefold.core.fingerprint import of_json

LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "dp-accounting",
)  # numbers in evidence are theirs too


def key_of(*, plugins: Sequence[str] = (), **parts: Any) -> str:
    """Return the hash of `parts` together with the code, the versions and the threads that act on them.

    Args:
        plugins: Packages outside this one whose code acts as well.
        parts: Everything else, as JSON-ready data.
    """
    outside = {name: code_hash(name) for name in plugins}
    setting = _setting(torch.get_num_threads())
    return of_json({"parts": parts, "setting": setting, "plugins": outside})


def seed_of(seed: int, name: str) -> int:
    """Return the seed of one step or probe; independent of its neighbours in the recipe."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:7], "big")


@cache
def code_hash(package: str = "fivefold") -> str:
    """Return a hash of every source file of a package or of a module; of nothing if there is no such package."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    folders = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    told = {
        f"{i}/{file.relative_to(folder).as_posix()}": _hash(file)
        for i, folder in enumerate(folders)
        for file in sorted(folder.rglob("*.py"))
    }
    if spec and spec.origin and not folders and Path(spec.origin).is_file():
        told[Path(spec.origin).name] = _hash(Path(spec.origin))
    return of_json(told)


@cache
def _setting(threads: int) -> Mapping[str, Any]:
    return {
        "code": code_hash(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _version(name) for name in LIBRARIES},
        "machine": platform.machine(),
        "threads": threads,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
