"""A folder of Hugging Face transformers: opened without anybody's code and without pickles."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fivefold.core.errors import Damaged, MissingExtra

MOST_JSON_BYTES = 100_000_000
MOST_WEIGHT_BYTES = 50_000_000_000
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"


def checked_folder(folder: Path) -> Mapping[str, Any]:
    """Return the configuration of a folder that needs no code and no pickle.

    Raises:
        Damaged: It does.
    """
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        path = folder / name
        found = _json(path) if path.is_file() else {}
        if "auto_map" in found:
            raise _refused(folder, f"{name} names code of its own (auto_map)")
    if (folder / "adapter_config.json").exists():
        raise _refused(folder, "it is an adapter, not a whole model; merge it first")
    if (size := sum(path.stat().st_size for path in weight_files(folder))) > MOST_WEIGHT_BYTES:
        raise _refused(folder, f"its weights take {size} bytes; the limit is {MOST_WEIGHT_BYTES}")
    if not (folder / "tokenizer.json").is_file():
        raise _refused(folder, "it has no tokenizer.json")
    return _json(folder / "config.json")


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights: one, or the shards that an index names.

    Raises:
        Damaged: There is none, or the index names a file elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / SHARDS).is_file():
        raise _refused(folder, f"it has no {WEIGHTS}; pickled weights are not opened")
    named = _json(folder / SHARDS).get("weight_map")
    names = set(named.values()) if isinstance(named, dict) else set()
    for name in names:
        is_plain = isinstance(name, str) and Path(name).name == name
        if not (is_plain and name.endswith(".safetensors") and (folder / name).is_file()):
            raise _refused(folder, f"its index names a file {ascii(name)[:80]}")
    return sorted(folder / name for name in names)


def _json(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MOST_JSON_BYTES:
        raise _refused(path, "it is too large")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _refused(path, str(error)) from error
    if not isinstance(found, dict):
        raise _refused(path, "it is not an object")
    return found


def loaded(folder: Path, kind: str) -> tuple[Any, Any]:
    """Return the network in a checked folder, as that class of transformers, and its tokenizer.

    Raises:
        Damaged: The library cannot read it, or weights are lacking.
        MissingExtra: transformers is not installed.
    """
    try:
        import transformers
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra(
            "Reading this file needs {package}, which is not installed.",
            where=str(folder),
            mend='Install it: pip install "fivefold[{extra}]".',
            package="transformers",
            extra="text",
        ) from error
    safe = {"local_files_only": True, "trust_remote_code": False}
    state = torch.random.get_rng_state()  # weights that are overwritten are drawn from it
    more: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32, **safe}
    try:
        with _silent():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True, **safe)
            network, told = getattr(transformers, kind).from_pretrained(
                str(folder), output_loading_info=True, **more
            )
    except Exception as error:  # the library has many errors of its own
        raise _refused(folder, f"{type(error).__name__}: {error}") from error
    finally:
        torch.random.set_rng_state(state)
    if lacking := sorted(told["missing_keys"]):
        raise _refused(folder, f"weights are lacking, and would be random: {', '.join(lacking)}")
    return network.eval(), tokenizer


@contextmanager
def _silent() -> Generator[None]:
    """Let the library show no bars of its own."""
    from transformers.utils import logging

    is_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if is_shown:
            logging.enable_progress_bar()


def _refused(place: Path, problem: str) -> Damaged:
    return Damaged(
        "This folder cannot be opened safely: {problem}.",
        where=str(place),
        mend="Save it again with save_pretrained, a fast tokenizer included, from a class that transformers itself has.",
        problem=problem.partition("\n")[0][:300],
    )
