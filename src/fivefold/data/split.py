"""Ways to split examples into train, valid and test."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from fivefold.core.errors import BadInput
from fivefold.core.limits import Probability


class Rows(NamedTuple):
    """Which examples belong where: three ascending index tensors that share nothing."""

    train: Int[Tensor, " train"]
    valid: Int[Tensor, " valid"]
    test: Int[Tensor, " test"]


class Examples(NamedTuple):
    """What a split may know of the examples.

    `y` holds class indices (None for numbers) into `classes`; `key` are the values of the column that
    the split asked for, and `place` says where one of them stands.
    """

    n: int
    y: Int[Tensor, " example"] | None = None
    classes: tuple[str, ...] = ()
    key: tuple[object, ...] = ()
    place: Callable[[int | None], str] = lambda _: ""


@runtime_checkable
class Split(Protocol):
    """A frozen dataclass that decides which examples are for training."""

    @property
    def reads(self) -> str:
        """Name of the column that it reads, which is then no input; empty if none."""
        ...

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return which examples belong where.

        Raises:
            BadInput: There are too few examples.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Random:
    """Every example has the same chance.

    Attributes:
        valid: Share of the examples for choosing among models.
        test: Share of the examples for the final numbers.
    """

    valid: Probability = 0.15
    test: Probability = 0.2

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    @property
    def reads(self) -> str:
        """No column."""
        return ""

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return a random part for each share."""
        _check_enough(examples.n, examples.place(None))
        return _cut(torch.randperm(examples.n, generator=rng), self.valid, self.test)


@dataclass(frozen=True, kw_only=True)
class Stratified:
    """Every class is split in the same shares, so that each part has its balance.

    Attributes:
        valid: Share of the examples for choosing among models.
        test: Share of the examples for the final numbers.
    """

    valid: Probability = 0.15
    test: Probability = 0.2

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    @property
    def reads(self) -> str:
        """No column."""
        return ""

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return a random part of each class for each share."""
        if examples.y is None:
            raise BadInput(
                "Only classes can be stratified, and the target is a number.",
                where=examples.place(None),
                mend="Use data.Random.",
            )
        parts: list[Rows] = []
        for index, name in enumerate(examples.classes):
            members = (examples.y == index).nonzero().flatten()
            if len(members) < 3:
                raise BadInput(
                    "Class {name} has {n} examples; a stratified split needs 3, one for each part.",
                    where=examples.place(None),
                    mend="Leave the class out, add examples, or use data.Random.",
                    name=name,
                    n=len(members),
                )
            shuffled = members[torch.randperm(len(members), generator=rng)]
            parts.append(_cut(shuffled, self.valid, self.test))
        return Rows(*(torch.cat(p).sort().values for p in zip(*parts, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """Examples of one group (a patient, a household) stay together; the column is no input.

    Attributes:
        column: What tells the groups apart.
        valid: Share of the examples for choosing among models, as nearly as whole groups allow.
        test: Share of the examples for the final numbers, as nearly as whole groups allow.
    """

    column: str
    valid: Probability = 0.15
    test: Probability = 0.2

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    @property
    def reads(self) -> str:
        """The column of the groups."""
        return self.column

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return whole groups, in random order, first for test, then valid, then train."""
        _refuse_missing(examples)
        names = list(dict.fromkeys(examples.key))
        if len(names) < 3:
            raise BadInput(
                "There are {n} groups; a grouped split needs 3, one for each part.",
                where=examples.place(None),
                mend="Use a finer column, or data.Stratified.",
                n=len(names),
            )
        rank = torch.randperm(len(names), generator=rng)
        number = {name: int(r) for name, r in zip(names, rank, strict=True)}
        member = torch.tensor([number[k] for k in examples.key])
        before = member.bincount(minlength=len(names)).cumsum(0)  # examples up to each group
        first = _nearest(before, self.test * examples.n, 1, len(names) - 2)
        second = _nearest(before, (self.test + self.valid) * examples.n, first + 1, len(names) - 1)
        return _where(member >= second, (member >= first) & (member < second), member < first)


@dataclass(frozen=True, kw_only=True)
class ByTime:
    """The oldest examples train, the newest test, as in use; the column is no input.

    Examples of the same moment stay together.

    Attributes:
        column: Numbers, dates, or ISO 8601 text.
        valid: Share of the examples for choosing among models.
        test: Share of the examples for the final numbers.
    """

    column: str
    valid: Probability = 0.15
    test: Probability = 0.2

    def __post_init__(self) -> None:
        _check_shares(self.valid, self.test)

    @property
    def reads(self) -> str:
        """The column of the time."""
        return self.column

    def rows(self, examples: Examples, rng: Generator) -> Rows:
        """Return the oldest, the newer and the newest; `rng` is not used."""
        _refuse_missing(examples)
        _check_enough(examples.n, examples.place(None))
        moments = [_moment(k, examples.place, i) for i, k in enumerate(examples.key)]
        time = torch.tensor(moments, dtype=torch.float64)
        ordered = time.sort().values
        n_valid, n_test = _sizes(examples.n, self.valid, self.test)
        newest = time >= ordered[examples.n - n_test]
        newer = (time >= ordered[examples.n - n_test - n_valid]) & ~newest
        found = _where(~(newest | newer), newer, newest)
        if not all(map(len, found)):
            raise BadInput(
                "Too many examples have the same time to cut between them.",
                where=examples.place(None),
                mend="Use a finer time, or data.Random.",
            )
        return found


def _check_shares(valid: float, test: float) -> None:
    if valid + test >= 1:
        raise ValueError(f"valid = {valid} and test = {test} leave nothing to train on.")


def _check_enough(n: int, place: str) -> None:
    if n < 3:
        raise BadInput(
            "There are {n} examples; a split needs 3, one for each part.",
            where=place,
            mend="Add examples.",
            n=n,
        )


def _sizes(n: int, valid: float, test: float) -> tuple[int, int]:
    """Return how many of `n` are for valid and for test: rounded, at least 1, and one is left."""
    n_test = min(max(round(test * n), 1), n - 2)
    return min(max(round(valid * n), 1), n - n_test - 1), n_test


def _cut(shuffled: Tensor, valid: float, test: float) -> Rows:
    n_valid, n_test = _sizes(len(shuffled), valid, test)
    a, b, c = shuffled.split([n_test, n_valid, len(shuffled) - n_test - n_valid])
    return Rows(c.sort().values, b.sort().values, a.sort().values)


def _where(train: Tensor, valid: Tensor, test: Tensor) -> Rows:
    return Rows(*(part.nonzero().flatten() for part in (train, valid, test)))


def _nearest(before: Tensor, wanted: float, low: int, high: int) -> int:
    """Return how many groups, between `low` and `high`, hold nearest to `wanted` examples."""
    return low + int((before[low - 1 : high] - wanted).abs().argmin())


def _refuse_missing(examples: Examples) -> None:
    if len(examples.key) != examples.n:
        raise BadInput(
            "These examples have no columns to split by.",
            where=examples.place(None),
            mend="Use data.Stratified or data.Random.",
        )
    for i, value in enumerate(examples.key):
        if value is None or value == "" or value != value:
            raise BadInput(
                "The split reads this column, and here it is missing.",
                where=examples.place(i),
                mend="Fill it in, or leave the row out.",
            )


def _moment(value: object, place: Callable[[int | None], str], row: int) -> float:
    """Return a time as a number; text is ISO 8601, and a time without a zone is UTC."""
    try:
        if isinstance(value, str):
            number = _number(value)
            value = datetime.fromisoformat(value.strip()) if number is None else number
        if isinstance(value, datetime):
            return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
        if isinstance(value, date):
            return float(value.toordinal())
        if isinstance(value, int | float) and isfinite(value):
            return float(value)
    except ValueError:
        pass
    raise BadInput(
        "{value} is not a time.",
        where=place(row),
        mend="Write numbers or dates like 2024-05-31 or 2024-05-31T13:45:00.",
        value=repr(value)[:40],
    )


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
