"""Replaces personal data by pseudonyms (HMAC, RFC 2104) or by the name of its kind."""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fivefold.core.errors import BadInput
from fivefold.privacy.personal.finder import Finder, Finding
from fivefold.privacy.personal.mobile import MOBILE
from fivefold.privacy.personal.plain import compact, plain
from fivefold.privacy.personal.scan import FINDERS, find_personal

LEAST_KEY = 16
N_SIGNS = 16  # 64 bits: two of a million values get the same pseudonym with probability 3e-8
LETTERS = str.maketrans(
    "0123456789abcdef", "abcdefghijklmnop"
)  # letters are never taken for a number
AS_WRITTEN = frozenset(["e-mail address", "IP address", "personal name", "postal address"])


@dataclass(frozen=True, kw_only=True)
class Pseudonymiser:
    """Replaces the personal data of texts, and leaves every other character as it is.

    The same value gets the same pseudonym in every text, however its digits are spaced. This is
    pseudonymisation, not anonymisation: who has the key can try all phone numbers, and who sees two
    texts can tell that they speak of the same person. Only redaction has neither weakness.

    Attributes:
        key: Secret of at least 16 bytes (`secrets.token_bytes(32)`); None to redact. It is never part
            of what comes out.
        finders: What to look for.
    """

    key: bytes | None = field(default=None, repr=False)
    finders: tuple[Finder, ...] = FINDERS

    def __post_init__(self) -> None:
        if self.key is None:
            return
        if not isinstance(self.key, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(
                "A key is made of bytes, and this is a {kind}.",
                mend="Make one with secrets.token_bytes(32) and keep it apart from the texts.",
                kind=type(self.key).__name__,
            )
        if len(self.key) < LEAST_KEY:
            raise BadInput(
                "A key of {n} bytes can be guessed; at least {least} are needed.",
                mend="Make one with secrets.token_bytes(32) and keep it apart from the texts.",
                n=len(self.key),
                least=LEAST_KEY,
            )

    def __call__(self, text: str) -> str:
        """Return the text with its personal data replaced.

        Raises:
            BadInput: It is not a text.
        """
        parts: list[str] = []
        place = 0
        for finding in find_personal(text, self.finders):
            parts += [text[place : finding.start], self._replacement(finding)]
            place = finding.end
        return "".join([*parts, text[place:]])

    def stream(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield each text with its personal data replaced, holding one at a time.

        A text must be whole (a line, a document): what is cut in two between texts is not found.
        """
        for text in texts:
            yield self(text)

    def _replacement(self, finding: Finding) -> str:
        if self.key is None:
            return f"[{finding.kind}]"
        told = f"{finding.kind}\0{_same(finding)}".encode("utf-8", "surrogatepass")
        signs = hmac.digest(self.key, told, "sha256").hex()[:N_SIGNS].translate(LETTERS)
        return f"[{finding.kind} {signs}]"


def _same(finding: Finding) -> str:
    """Return what is equal for two ways to write the same value."""
    written = plain(finding.text)
    if finding.kind in AS_WRITTEN:
        return " ".join(written.casefold().split())
    return compact(written)[-11:] if finding.kind == MOBILE.kind else compact(written)
