"""Vehicle plates of mainland China (GA 36-2018): five signs, or six for new energy."""

import re

from fivefold.privacy.personal.finder import ENDS, Finder, Match, Span

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
SIGN = "[A-HJ-NP-Z0-9]"
SMALL = f"[A-HJK]{SIGN}[0-9]{{4}}"  # new energy, small and large vehicles
LARGE = "[0-9]{5}[A-HJK]"
FEWEST_DIGITS = 3  # at most two of five signs are letters


def _check(match: Match) -> Span | None:
    n_digits = sum(c.isdigit() for c in match[0])
    return Span(*match.span()) if n_digits >= FEWEST_DIGITS else None


PLATE = Finder(
    kind="vehicle plate",
    pattern=re.compile(
        rf"[{PROVINCES}](?i:[A-HJ-Z][ ·•.-]?(?:{SMALL}|{LARGE}|{SIGN}{{4}}[A-HJ-NP-Z0-9挂学警港澳]))"
        + ENDS,
        re.ASCII,
    ),
    check=_check,
)
