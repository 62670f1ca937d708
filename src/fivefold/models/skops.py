"""Estimators in skops files: nothing but listed types is made, and indices inside trees are checked."""

import importlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fivefold.core.errors import BadInput, Damaged, MissingExtra
from fivefold.models.tree import check_trees

MOST_BYTES = 4_000_000_000
KNOWN = (
    "sklearn.tree._tree.Tree",  # compiled, but `check_trees` looks inside
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "functools.partial",  # of functions that are trusted themselves
    "numpy.dtype",
)
NEVER = ("tests", "externals", "datasets", "conftest", "utils")


def load_skops(path: Path, trusted: Sequence[str] = ()) -> Any:
    """Return the estimator in a skops file.

    Made are the types that skops trusts by itself (of scikit-learn, NumPy and SciPy), classes that
    scikit-learn writes in Python, and what `trusted` names. Other functions and compiled classes are
    not: what is in them could crash, write files or run something.

    Raises:
        BadInput: The file holds a type that is not trusted.
        Damaged: It is not a skops file, or is too large when unpacked.
        MissingExtra: skops is not installed.
    """
    try:
        import skops.io as skops
    except ImportError as error:
        raise MissingExtra(
            "Reading this file needs {package}, which is not installed.",
            where=str(path),
            mend='Install it: pip install "fivefold[{extra}]".',
            package="skops",
            extra="sklearn-io",
        ) from error
    _check_archive(path)
    try:
        unknown = skops.get_untrusted_types(file=path)
        mine = [name for name in unknown if name in trusted or _is_safe(name)]
        if strange := sorted(set(unknown) - set(mine)):
            raise _untrusted(path, strange)
        found = skops.load(path, trusted=mine)
        check_trees(found)
    except BadInput:
        raise
    except Exception as error:  # a damaged file may raise anything inside the reader
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    return found


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            names = archive.namelist()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(path, str(error)) from error
    if size > MOST_BYTES:
        raise _damaged(path, f"it unpacks to {size} bytes")
    if "schema.json" not in names:
        raise _damaged(path, "there is no schema.json in it")


def _is_safe(name: str) -> bool:
    """Whether `name` is known, or a class of scikit-learn that is written in Python."""
    if name in KNOWN:
        return True
    module, _, attribute = name.rpartition(".")
    if not name.startswith("sklearn.") or any(part in NEVER for part in module.split(".")):
        return False
    try:
        found = importlib.import_module(module)
    except ImportError:
        return False
    cls = getattr(found, attribute, None)
    is_python = str(getattr(found, "__file__", "")).endswith(".py")
    return isinstance(cls, type) and cls.__module__ == module and is_python


def _untrusted(path: Path, names: list[str]) -> BadInput:
    return BadInput(
        "This file holds {types}, which may run code or crash: it is not trusted.",
        where=str(path),
        mend="If you know who wrote the file, name the types as trusted.",
        types=", ".join(names)[:400],
    )


def _damaged(path: Path, problem: str) -> Damaged:
    return Damaged(
        "This is not a sound skops file: {problem}.",
        where=str(path),
        mend="Write it again with skops.io.dump(model, file); nothing in it was run.",
        problem=problem.partition("\n")[0][:200],
    )
