"""Numbers as people read them: three digits, a fitting prefix, infinity as a sign."""

from collections.abc import Iterable
from math import floor, isfinite, isinf, log10
from statistics import median
from typing import NamedTuple

PREFIXES: dict[str, tuple[tuple[float, str], ...]] = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "joules": ((1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}


class Scale(NamedTuple):
    """A unit with its prefix: a number is divided by `factor` before it is shown."""

    factor: float
    unit: str

    def show(self, value: float, *, signed: bool = False) -> str:
        """Return `value` in this unit, without the unit."""
        if isinf(value):
            return ("+" if signed and value > 0 else "−" if value < 0 else "") + "∞"
        shown = _digits(abs(value) / self.factor, is_fraction=self.unit == "fraction")
        is_nothing = not any(c in "123456789" for c in shown)
        sign = "" if is_nothing else "−" if value < 0 else "+" if signed else ""
        return sign + shown

    def interval(self, low: float, high: float, *, signed: bool = False) -> str:
        """Return both bounds in this unit, without the unit."""
        return f"[{self.show(low, signed=signed)}, {self.show(high, signed=signed)}]"


def scale_for(unit: str, values: Iterable[float]) -> Scale:
    """Return one scale that suits most of `values`, so that a row can be compared at a glance."""
    sizes = [abs(v) for v in values if isfinite(v) and v != 0]
    if unit not in PREFIXES or not sizes:
        return Scale(1.0, PREFIXES[unit][-1][1] if unit == "bytes" else unit)
    middle = median(sizes)
    fitting = [p for p in PREFIXES[unit] if middle >= p[0]]
    return Scale(*(fitting or PREFIXES[unit][-1:])[0])


def _digits(size: float, *, is_fraction: bool) -> str:
    if is_fraction:
        return f"{size:.3f}"
    if size == 0:
        return "0"
    if not 1e-4 <= size < 1e7:
        return f"{size:.2e}"
    size = float(f"{size:.3g}") if size < 100 else size
    return f"{size:,.{max(0, 2 - floor(log10(size)))}f}"


def finite(value: float) -> float | str:
    """Return `value` as JSON can hold it."""
    return str(value) if isinf(value) else value
