"""Read array files with little memory to spare; say for each whether it was refused and by how much memory grew."""

import resource
import sys
from pathlib import Path

import numpy as np

from fivefold.core.errors import BadInput
from fivefold.data.array_file import read_arrays

MOST_GROWTH = 50 * 2**20  # bytes


def spare(most: int) -> None:
    """Let the address space of this process grow by `most` bytes, no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + most
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(path: Path) -> str:
    """Return "refused", or what else happened."""
    try:
        read_arrays(path, ())
    except BadInput as error:
        is_short = isinstance(error.__cause__, MemoryError)
        return "no memory" if is_short else "refused"
    except BaseException as error:  # all else is what this looks for
        return type(error).__name__
    return "read"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    np.savez(folder / "fine.npz", x=np.zeros((4, 2, 2), np.uint8), y=np.arange(4) % 2)
    sys.stdout.write(f"fine {answer(folder / 'fine.npz')}\n")
    spare(MOST_GROWTH)
    resource.setrlimit(resource.RLIMIT_CPU, (40, 40))  # seconds: one for each file
    for file in sorted(folder.glob("[0-9]*.npz")):
        sys.stdout.write(f"{file.name} {answer(file)}\n")
