import pytest
import torch

from fivefold.core.errors import LimitReached
from fivefold.perturb import in_parts


class Small:
    """A machine that holds so many rows, and remembers what it was asked."""

    def __init__(self, holds: int, error: Exception) -> None:
        self.holds, self.error, self.sizes = holds, error, []

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(rows))
        if len(rows) > self.holds:
            raise self.error
        return rows * 2


FULL = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
)


@pytest.mark.parametrize("error", FULL, ids=["host", "accelerator", "allocator"])
def test_parts_are_halved_until_they_fit_and_nothing_is_lost(error):
    work, rows = Small(3, error), torch.arange(20)
    assert torch.equal(torch.cat(list(in_parts(work, rows, 16))), rows * 2)
    assert work.sizes == [16, 8, 4, *[2] * 10]  # what was learnt is kept


def test_one_row_that_does_not_fit_is_said_to_be_too_much():
    with pytest.raises(LimitReached, match="Not even one"):
        list(in_parts(Small(0, MemoryError()), torch.arange(4), 4))


def test_other_errors_are_not_hidden():
    with pytest.raises(RuntimeError, match="shapes"):
        list(in_parts(Small(0, RuntimeError("shapes do not match")), torch.arange(4), 4))


def test_no_rows_are_no_parts():
    assert list(in_parts(Small(1, MemoryError()), torch.arange(0), 4)) == []
