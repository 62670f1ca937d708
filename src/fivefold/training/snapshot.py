"""One training run as two files: a JSON record, and the tensors that it names by hash.

The tensors are written under a new name first and the record is replaced after that, so whatever moment
the process dies at, there is a whole snapshot.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fivefold.core.atomic import write_atomic
from fivefold.core.errors import Damaged
from fivefold.core.fingerprint import of_json
from fivefold.training.average import Weights
from fivefold.training.settled import Source
from fivefold.training.state import State, copied, fill, weights_of

MOST_RECORD_BYTES = 64_000_000
TENSOR = "tensor"  # in the record, {"tensor": name} stands for a tensor of the other file


class Place(NamedTuple):
    """Where a run is kept, and what it must agree with: `call` counts the runs of one step."""

    folder: Path
    call: int
    key: str

    @property
    def record(self) -> Path:
        """The file that says which tensors belong to it."""
        return self.folder / f"fit-{self.call:03d}.json"


class Snapshot(NamedTuple):
    """What will be the two files of a run."""

    place: Place
    tensors: bytes
    record: str

    @property
    def path(self) -> Path:
        """Where the tensors go."""
        return _weights(self.place, hashlib.sha256(self.tensors).hexdigest())


def taken(place: Place, state: State, generators: Sequence[Source]) -> Snapshot:
    """Return `state` and the states of `generators` as they are now."""
    from safetensors.torch import save

    tensors: Weights = {}
    told = _told(_content(state, generators), "", tensors)
    data = save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    content = {"key": place.key, "tensors": digest, "state": told}
    record = json.dumps({"content": content, "sha256": of_json(content)}, sort_keys=True)
    return Snapshot(place, data, record)


def write(one: Snapshot) -> None:
    """Write `one`, and remove what was kept of the same run before."""
    path = one.path
    write_atomic(path, one.tensors)
    write_atomic(one.place.record, one.record)
    for old in one.place.folder.glob(f"fit-{one.place.call:03d}-*.safetensors"):
        if old != path:
            old.unlink()


def restore(place: Place, state: State, generators: Sequence[Source]) -> None:
    """Bring `state` and `generators` to what was kept at `place`.

    Raises:
        OSError: Nothing was kept.
        Damaged: What was kept is not whole, or belongs to another run. Nothing has changed then.
    """
    content = _record(place)
    if content["key"] != place.key:
        raise _damaged("another run", place.record)
    path = _weights(place, content["tensors"])
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != content["tensors"]:
        raise _damaged("its SHA-256 is another one", path)
    from safetensors.torch import load

    found = _found(content["state"], load(data))
    if (
        len(found["generators"]) != len(generators)
        or found["net"].keys() != copied(state.net).keys()
    ):
        raise _damaged("another run", place.record)
    _apply(found, state, generators)


def clear(folder: Path) -> None:
    """Remove what was kept in `folder`."""
    for path in [*folder.glob("fit-*.json"), *folder.glob("fit-*.safetensors")]:
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _content(state: State, generators: Sequence[Source]) -> dict[str, Any]:
    return {
        "net": weights_of(state.net),
        "stepper": None if state.is_done else state.stepper.state_dict(),
        "index": state.index,
        "mean": None if state.is_done else state.mean,
        "best": None if state.is_done else state.best,
        "best_loss": state.best_loss if isfinite(state.best_loss) else None,
        "waited": state.waited,
        "is_done": state.is_done,
        "generators": [g.get_state() for g in generators],
    }


def _apply(found: Mapping[str, Any], state: State, generators: Sequence[Source]) -> None:
    fill(state.net, found["net"])
    if found["stepper"] is not None:
        state.stepper.load_state_dict(found["stepper"])
    device = next(state.net.parameters()).device
    state.mean, state.best = (_moved(found[name], device) for name in ("mean", "best"))
    state.index, state.waited = found["index"], found["waited"]
    state.best_loss = state.best_loss if found["best_loss"] is None else found["best_loss"]
    state.is_done = found["is_done"]
    for generator, kept in zip(generators, found["generators"], strict=True):
        generator.set_state(kept)


def _moved(weights: Weights | None, device: torch.device) -> Weights | None:
    return None if weights is None else {k: v.to(device) for k, v in weights.items()}


def _told(value: Any, name: str, tensors: Weights) -> Any:
    """Return `value` as JSON-ready data, moving its tensors into `tensors`. Keys may be whole numbers."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, Mapping):
        pairs = [[k, _told(v, f"{name}/{k}", tensors)] for k, v in value.items()]
        return {"pairs": pairs}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_told(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]}
    return value


def _found(told: Any, tensors: Weights) -> Any:
    """Return what `_told` was given."""
    if not isinstance(told, Mapping):
        return told
    if TENSOR in told:
        return tensors[told[TENSOR]]
    if "pairs" in told:
        return {k: _found(v, tensors) for k, v in told["pairs"]}
    if "tuple" in told:
        return tuple(_found(v, tensors) for v in told["tuple"])
    return [_found(v, tensors) for v in told["list"]]


def _record(place: Place) -> dict[str, Any]:
    """Return what the record says, if it is whole."""
    if place.record.stat().st_size > MOST_RECORD_BYTES:
        raise _damaged("too many bytes", place.record)
    try:
        found = json.loads(place.record.read_bytes())
        content = found["content"]
        is_whole = found["sha256"] == of_json(content)
        named = re.fullmatch(r"[0-9a-f]{64}", content["tensors"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(str(error), place.record) from error
    if not (is_whole and named):
        raise _damaged("its SHA-256 is another one", place.record)
    return content


def _weights(place: Place, digest: str) -> Path:
    return place.folder / f"fit-{place.call:03d}-{digest}.safetensors"


def _damaged(problem: str, path: Path) -> Damaged:
    return Damaged(
        "This file is not what was written: {problem}.",
        where=str(path),
        mend="Delete the folder of that stage and run the recipe again.",
        problem=problem,
    )
