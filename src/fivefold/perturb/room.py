"""Work in parts that fit into memory, found by trying: half as much whenever it runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from torch import OutOfMemoryError, Tensor

from fivefold.core.errors import LimitReached

T = TypeVar("T")


def in_parts(work: Callable[[Tensor], T], rows: Tensor, size: int) -> Iterator[T]:
    """Yield `work(part)` for parts of at most `size` of `rows`, in order, halving `size` when memory runs out.

    Raises:
        LimitReached: Not even one row fits.
    """
    done = 0
    while done < len(rows):
        part = rows[done : done + max(1, size)]
        try:
            found = work(part)
        except (MemoryError, RuntimeError) as error:
            if not is_full(error):
                raise
            if len(part) == 1:
                raise LimitReached(
                    "Not even one example fits into memory.",
                    mend="Use a smaller model, or a machine with more memory.",
                ) from error
            size = len(part) // 2
            continue
        yield found
        done += len(part)


def is_full(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on the processor or on an accelerator."""
    return isinstance(error, MemoryError | OutOfMemoryError) or "can't allocate memory" in str(
        error
    )
