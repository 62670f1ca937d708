"""What every refusal must hold."""

import re

from fivefold.core.errors import BadInput


def says(error: BadInput, where: str, mend: str, what: str) -> None:
    """Check place, remedy and reason, and that both languages have all words and all facts."""
    assert where in error.where
    assert mend in error.mend.words()
    assert what in error.what.words()
    for language in ("en", "zh"):
        words = error.words(language)
        assert not re.search(r"\{\w*\}", words)
        assert "Traceback" not in words
    assert error.words("zh") != error.words("en")
