"""Which rows of an audit the model was trained on, which serve as reference, and which it is tested on."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator

from fivefold.core.data import Dataset, Seen, as_tensor
from fivefold.core.errors import BadInput
from fivefold.core.limits import Natural, Probability
from fivefold.core.text import text
from fivefold.data.assemble import fingerprint
from fivefold.data.leak import identities
from fivefold.data.split import Examples, Random, Rows, Stratified

REFERENCE = 0.15  # of the given rows, once for backgrounds and once for thresholds; never tested on
LEAST_PER_CLASS = 3
SOLVED = (  # what loading says of copies that are then left out
    "{n} training examples have an exact copy in valid or test and were kept: results are too good.",
)


@dataclass(frozen=True, kw_only=True)
class Members:
    """The first rows are those the model was trained on; the rest is split by chance.

    Attributes:
        n: How many they are. Without any, a share of the rows stands for "ordinary rows" instead.
        valid: Share of the other rows that sets thresholds.
    """

    n: Natural = 0
    valid: Probability = REFERENCE

    @property
    def reads(self) -> str:
        """No column."""
        return ""

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return the rows; of each class the same share, where there are enough of it.

        Raises:
            BadInput: There are too few rows.
        """
        if not self.n:
            is_class = examples.y is not None and _fewest(examples) >= LEAST_PER_CLASS
            kind = Stratified if is_class else Random
            return kind(valid=self.valid, test=1 - self.valid - REFERENCE).rows(examples, rng)
        order = self.n + torch.randperm(examples.n - self.n, generator=rng)
        if len(order) < 2:
            raise BadInput(
                "There are {n} rows to audit on; at least 2 are needed.",
                where=examples.place(None),
                mend="Give a file with rows that the model was not trained on.",
                n=len(order),
            )
        n_valid = min(max(round(self.valid * len(order)), 1), len(order) - 1)
        valid, test = order.split([n_valid, len(order) - n_valid])
        return Rows(torch.arange(self.n), valid.sort().values, test.sort().values)


def _fewest(examples: Examples) -> int:
    assert examples.y is not None
    return int(examples.y.bincount(minlength=len(examples.classes)).min())


def without_members(data: Dataset) -> Dataset:
    """Return the data without test and validation rows that the model was trained on, which are said.

    Raises:
        BadInput: Nothing is left.
    """
    seen, test = data.splits
    parts = [as_tensor(b.x) for b in (seen.train, seen.valid, test)]
    identity = identities(torch.cat([p.float() for p in parts]))
    train, valid, tested = np.split(identity, np.cumsum([len(p) for p in parts])[:-1])
    kept = [torch.from_numpy(~np.isin(rows, train)).nonzero()[:, 0] for rows in (valid, tested)]
    n = len(valid) + len(tested) - len(kept[0]) - len(kept[1])
    if not n:
        return data
    if not len(kept[1]):
        raise BadInput(
            "Every row to audit on is among the rows that the model was trained on.",
            mend="Give --data rows that are not in the file of --train.",
        )
    left = data.splits._replace(
        seen=Seen(seen.train, seen.valid.take(kept[0])), test=test.take(kept[1])
    )
    note = text("{n} rows were left out: the model was trained on exact copies of them.", n=n)
    mark = fingerprint(left, data.schema, data.task)
    notes = (*(t for t in data.notes if t.template not in SOLVED), note)
    return data._replace(splits=left, fingerprint=mark, notes=notes)
