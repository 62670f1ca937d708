"""What a named model is, as a hash: for the cache and for the report."""

import hashlib
import inspect
from pathlib import Path
from typing import NamedTuple

from fivefold.core.fingerprint import of_json
from fivefold.models.callable import import_function
from fivefold.models.form import Form, form_of
from fivefold.models.onnx_file import read_onnx


class Identity(NamedTuple):
    """The form of a model and the hash of its content.

    `is_fixed` is False where the hash cannot know all of it: what a server or a function answers may
    change behind the same name, so results about it must not be reused.
    """

    form: Form
    hash: str
    is_fixed: bool


def identity_of(named: str, factory: str = "") -> Identity:
    """Return what `named` is; files are read, nothing is asked. A function is imported.

    Raises:
        BadInput: There is no such model.
        Damaged: Its format may run code.
    """
    form = form_of(named)
    source = _source(factory) if factory else ""
    if form == "endpoint":
        return Identity(form, of_json([named]), is_fixed=False)
    if form == "function":
        return Identity(form, of_json([named, _source(named)]), is_fixed=False)
    told = {path.name: _of_file(path) for path in _files(Path(named), form)}
    return Identity(form, of_json([told, factory, source]), is_fixed=not factory)


def _files(path: Path, form: Form) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.is_file())
    return list(read_onnx(path).files) if form == "onnx" else [path]


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _source(name: str) -> str:
    """Return a hash of the file that defines a function, "" if there is none."""
    try:
        found = inspect.getsourcefile(import_function(name))
    except TypeError:
        return ""
    return _of_file(Path(found)) if found else ""
