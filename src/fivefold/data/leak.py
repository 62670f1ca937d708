"""Exact copies of examples across splits (Kapoor and Narayanan, 2023, leakage L1.4), and what to do with them."""

from hashlib import blake2b
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fivefold.core.errors import BadInput
from fivefold.core.text import Text, text
from fivefold.data.split import Rows

Policy: TypeAlias = Literal["drop", "error", "keep"]


class Settled(NamedTuple):
    """The rows of each split after the leak check, and what it found."""

    rows: Rows
    notes: tuple[Text, ...]


def settle(x: Tensor, y: Tensor, rows: Rows, policy: Policy, place: str) -> Settled:
    """Return the splits with no training example that has an exact copy in valid or test.

    Policy `drop` takes such examples out of train, never out of valid or test: what is measured on must
    stay what it was, the same examples for every method and every run, or numbers cannot be compared
    and a hard or an easy part of the test could vanish unseen. `error` refuses the data, `keep` leaves
    everything where it is; each says how many there are. Inputs are compared, not targets.

    Raises:
        BadInput: There are copies and the policy is `error`, or nothing is left to train on.
    """
    identity = identities(x)
    train, valid, test = (identity[part.numpy()] for part in rows)
    copied = np.isin(train, np.concatenate([valid, test]))
    notes = [*_found(copied, policy, place), *_elsewhere(train, valid, test)]
    notes += conflicts(identity, y)
    if policy == "drop" and copied.any():
        kept = rows.train[torch.from_numpy(~copied)]
        if not len(kept):
            raise BadInput(
                "Every training example has an exact copy in valid or test.",
                where=place,
                mend='Add columns that tell the examples apart, or say leaks = "keep".',
            )
        rows = rows._replace(train=kept)
    return Settled(rows, tuple(notes))


def identities(x: Tensor) -> np.ndarray:
    """Return one whole number per example, equal where inputs are equal (missing equals missing)."""
    flat = (x.flatten(1) + 0.0).numpy()  # -0.0 becomes 0.0
    flat[np.isnan(flat)] = np.nan  # one bit pattern for every NaN
    names: dict[bytes, int] = {}
    return np.array([names.setdefault(_digest(row), len(names)) for row in flat])


def conflicts(identity: np.ndarray, y: Tensor) -> list[Text]:
    """Return a note if equal inputs have different targets."""
    order = np.lexsort((y.numpy(), identity))
    same = identity[order][1:] == identity[order][:-1]
    differs = y.numpy()[order][1:] != y.numpy()[order][:-1]
    n = len(np.unique(identity[order][1:][same & differs]))
    if not n:
        return []
    return [
        text("{n} inputs occur with different targets; no model can be right on all of them.", n=n)
    ]


def _found(copied: np.ndarray, policy: Policy, place: str) -> list[Text]:
    n = int(copied.sum())
    if n == 0:
        return []
    if policy == "error":
        raise BadInput(
            "{n} training examples have an exact copy in valid or test.",
            where=place,
            mend='Remove the copies, split by group, or say leaks = "drop" to take them out of train.',
            n=n,
        )
    if policy == "keep":
        return [text("{n} training examples have an exact copy in valid or test and were kept: results are too good.", n=n)]  # fmt: skip
    return [text("{n} examples were taken out of train: valid or test holds an exact copy.", n=n)]


def _elsewhere(train: np.ndarray, valid: np.ndarray, test: np.ndarray) -> list[Text]:
    notes: list[Text] = []
    if n := int(np.isin(valid, test).sum()):
        notes.append(text("{n} examples of valid have an exact copy in test; both stay.", n=n))
    if n := len(train) - len(np.unique(train)):
        notes.append(text("{n} training examples are copies of another training example.", n=n))
    return notes


def _digest(row: np.ndarray) -> bytes:
    return blake2b(row.tobytes(), digest_size=16).digest()
