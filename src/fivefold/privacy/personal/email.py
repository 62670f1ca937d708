"""E-mail addresses (RFC 5321: up to 64 characters before the @)."""

import re

from fivefold.privacy.personal.finder import Finder

EMAIL = Finder(
    kind="e-mail address",
    pattern=re.compile(
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+&'-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
        r"(?![A-Za-z0-9])"
    ),
)
