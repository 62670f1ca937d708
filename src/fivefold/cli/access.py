"""What it takes to reach a model: the key of an endpoint, and the seal of a bundle."""

from collections.abc import Sequence
from pathlib import Path

from fivefold.core.errors import BadInput
from fivefold.deploy import verify_bundle
from fivefold.models import Access

BUNDLE = "bundle.json"
MOST_KEY_BYTES = 10_000


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
        told["Authorization"] = f"Bearer {_key(token_file)}"
    request, answer = json
    return Access(request=request, answer=answer, headers=told, size=size, seconds=seconds)


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


def _key(path: Path) -> str:
    try:
        told = path.read_bytes()[:MOST_KEY_BYTES].decode().strip()
    except (OSError, ValueError) as error:
        raise BadInput("There is no such file.", where=str(path), mend="Check the path.") from error
    if not told or not told.isascii() or not told.isprintable():
        raise BadInput(
            "There is no key in this file.",
            where=str(path),
            mend="It holds the key alone, on one line.",
        )
    return told
