"""Social security numbers of the United States (no check digit; some numbers are never given out)."""

import re

from fivefold.privacy.personal.finder import Finder

AREA = r"(?!000|666|9)[0-9]{3}"
GROUP = r"(?!00)[0-9]{2}"
SERIAL = r"(?!0000)[0-9]{4}"

SOCIAL_SECURITY = Finder(
    kind="US social security number",
    pattern=re.compile(
        rf"(?<![0-9A-Za-z.])(?<![0-9]-){AREA}(?P<gap>[- ]){GROUP}(?P=gap){SERIAL}(?![0-9A-Za-z]|[-.][0-9])"
    ),
)
TOLD_SOCIAL_SECURITY = Finder(
    kind="US social security number",
    pattern=re.compile(
        r"(?:\bSSN|social security(?: (?:no\.?|number))?|社会安全号码?)[ ]{0,2}(?:is|是|为)?[:：# ]{0,3}"
        rf"(?P<value>{AREA}[- ]?{GROUP}[- ]?{SERIAL})(?![0-9A-Za-z])",
        re.IGNORECASE,
    ),
    confidence="context",
)
