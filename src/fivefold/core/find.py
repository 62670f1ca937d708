"""Find steps and probes by looking in the folders; there is no registry."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from inspect import getmembers, isabstract, isclass
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def find(kind: type[T], package: ModuleType) -> Iterator[type[T]]:
    """Yield each concrete `kind` defined directly inside `package`, in the order of file names."""
    for info in iter_modules(package.__path__, package.__name__ + "."):
        for _, cls in getmembers(import_module(info.name), isclass):
            if issubclass(cls, kind) and cls.__module__ == info.name and not isabstract(cls):
                assert is_dataclass(cls), f"{cls.__qualname__} is not a dataclass"
                yield cls
