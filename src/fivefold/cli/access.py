"""What it takes to reach a model: the key of an endpoint, and the seal of a bundle."""

from collections.abc import Sequence
from pathlib import Path

from fivefold.core.errors import BadInput
from fivefold.deploy import verify_bundle
from fivefold.models import Access

BUNDLE = "bundle.json"
LONGEST_KEY = 10_000  # bytes


def access_of(
    json: tuple[str, str],
    headers: Sequence[str] | None,
    token_file: Path | None,
    size: int,
    seconds: float,
) -> Access:
    """Return how an endpoint is asked; `json` is the request and where its answers stand.

    Raises:
        BadInput: A header is not one, or there is no key in the file.
    """
    told = dict(_header(line) for line in headers or ())
    if token_file:
        told["Authorization"] = f"Bearer {read_key(token_file)}"
    request, answer = json
    return Access(request=request, answer=answer, headers=told, size=size, seconds=seconds)


def read_key(file: Path) -> str:
    """Return the key in a file, to be shown to a server.

    Raises:
        BadInput: It cannot be read, or holds something else, such as the hashes that a server keeps.
    """
    try:
        with file.open("rb") as opened:
            key = opened.read(LONGEST_KEY + 1).decode("ascii").strip()
    except OSError as error:
        raise BadInput("There is no such file.", where=str(file), mend="Check the path.") from error
    except ValueError as error:
        raise _no_key(file) from error
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable() or set(key) & set(' {}"'):
        raise _no_key(file)
    return key


def _no_key(file: Path) -> BadInput:
    return BadInput(
        "This file does not hold a key.",
        where=str(file),
        mend="Put the key itself into it, alone: what --make-key has shown, not the file of hashes.",
    )


def check_bundle(named: str) -> None:
    """Check every byte of a bundle before it is opened; anything else passes.

    Raises:
        Damaged: It is not what was sealed.
    """
    if "\0" not in named and (Path(named) / BUNDLE).is_file():
        verify_bundle(Path(named))


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    is_plain = name.isascii() and name.strip() and line.isprintable()
    if not (colon and is_plain):
        raise BadInput(
            "This is not a header.",
            where="--header",
            mend="Write it as 'Name: value'.",
        )
    return name.strip(), value.strip()
