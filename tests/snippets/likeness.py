"""Whether an output is the one that is shown: words exactly, numbers nearly.

Training on another processor may turn one test example over, so numbers may differ by a twentieth.
"""

import re
from math import isclose

NUMBER = re.compile(r"[-+−]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def is_like(shown: str, real: str) -> bool:
    """Return whether two lines say the same."""
    a, b = " ".join(shown.split()), " ".join(real.split())
    if NUMBER.sub("0", a) != NUMBER.sub("0", b):
        return False
    numbers = [[_value(n) for n in NUMBER.findall(line)] for line in (a, b)]
    return all(isclose(x, y, rel_tol=0.05, abs_tol=0.05) for x, y in zip(*numbers, strict=True))


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))
