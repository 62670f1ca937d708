"""JSON that carries the hash of its own content, so that a changed byte is noticed when it is read."""

import hashlib
import re
from typing import Any, TypeVar

from fivefold.core.errors import Damaged
from fivefold.core.jsonfile import from_json, to_lines

T = TypeVar("T")


def sealed(value: Any) -> str:
    """Return `value` as JSON under the hash of it."""
    content = to_lines(value)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f'{{"sha256": "{digest}", "content":\n{content}\n}}\n'


def unsealed(told: bytes, kind: type[T], *, where: str, mend: str) -> T:
    """Return what `sealed` was given.

    Args:
        told: The file.
        kind: What it must be.
        where: Name of the file, for messages.
        mend: What the reader can do if it is damaged.

    Raises:
        Damaged: It is not what was written.
    """
    found = re.fullmatch(rb'\{"sha256": "([0-9a-f]{64})", "content":\n(.*)\n\}\n', told, re.DOTALL)
    if found is None or hashlib.sha256(found[2]).hexdigest().encode() != found[1]:
        raise Damaged(
            "This file is not what was written: {problem}.",
            where=where,
            mend=mend,
            problem="sha256",
        )
    return from_json(found[2].decode(), kind, where=where)
