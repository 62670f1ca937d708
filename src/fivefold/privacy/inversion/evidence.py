"""What the attack on updates came to, bounded, beside chance."""

from collections.abc import Mapping
from math import ceil, floor
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.chart import Cell, Chart
from fivefold.core.evidence import Axis, Evidence
from fivefold.core.interval import clopper_pearson, mean_interval
from fivefold.core.text import Text, text
from fivefold.privacy.inversion.judge import ERROR, PSNR, RECALL, Kind, given_away
from fivefold.privacy.inversion.outcome import Outcome

NAMES: Mapping[Kind, str] = {
    "images": "inversion_psnr",
    "tables": "inversion_error",
    "tokens": "inversion_token_recall",
}
UNITS: Mapping[Kind, str] = {"images": "dB", "tables": "standard deviations", "tokens": "fraction"}
UPDATE, GUESS = "update", "guess"


class Attacked(NamedTuple):
    """One setting: how it is called, who sees such updates, and what the attack came to."""

    setting: str
    who: str
    outcome: Outcome


def evidence_of(attacked: list[Attacked], kind: Kind) -> list[Evidence]:
    """Return for each setting how near the attack came, and how many rows it gave away."""
    found: list[Evidence] = []
    for i, one in enumerate(attacked):
        found += [_near(one, kind, None if i else picture(attacked, kind)), _share(one, kind)]
    return found


def _near(one: Attacked, kind: Kind, chart: Chart | None) -> Evidence:
    value, low, high = _by_client(one.outcome.attack, kind)
    return Evidence(
        axis=Axis.PRIVACY,
        name=NAMES[kind],
        value=value,
        low=low,
        high=high,
        n=len(one.outcome.attack),
        unit=UNITS[kind],
        better="higher" if kind == "tables" else "lower",
        floor=float(one.outcome.chance.mean()),
        setting=one.setting,
        interval="Student t over clients",
        note=_note(one),
        chart=chart,
    )


def _share(one: Attacked, kind: Kind) -> Evidence:
    """Return the share of rows given away. Rows of a client fall together, so each client counts as one."""
    value = float(given_away(one.outcome.attack, kind).double().mean())
    n = len(one.outcome.attack)
    low = clopper_pearson(floor(value * n + 1e-9), n)[0]
    high = clopper_pearson(ceil(value * n - 1e-9), n)[1]
    return Evidence(
        axis=Axis.PRIVACY,
        name="inverted_rows",
        value=value,
        low=low,
        high=high,
        n=n,
        unit="fraction",
        better="lower",
        floor=float(given_away(one.outcome.chance, kind).double().mean()),
        ceiling=0.0,
        setting=one.setting,
        interval="Clopper-Pearson over clients",
        note=_limit(kind),
    )


def _by_client(score: Float[Tensor, "client row"], kind: Kind) -> tuple[float, float, float]:
    """Return the mean over clients, whose rows are not independent, inside what is possible."""
    value, low, high = mean_interval(score.mean(1))
    least = 0.0 if kind != "images" else low
    most = 1.0 if kind == "tokens" else high
    return value, max(low, least), min(high, most)


def _note(one: Attacked) -> Text:
    n, size = one.outcome.attack.shape
    return text(
        "{who} It knows the network and the labels, and guesses are matched with rows as they fit best; the floor is what guesses reach that read no update. {n} clients of {size} rows. A failed attack proves nothing, because a better one may succeed; only epsilon bounds them all.",
        who=one.who,
        n=n,
        size=size,
    )


def _limit(kind: Kind) -> Text:
    if kind == "images":
        return text("Images that come back with a PSNR of at least {limit} dB.", limit=PSNR)
    if kind == "tables":
        return text(
            "Rows whose values come back within {limit} standard deviations of their columns, in the root mean square.",
            limit=ERROR,
        )
    return text("Texts of whose tokens a share of at least {limit} comes back.", limit=RECALL)


def picture(attacked: list[Attacked], kind: Kind) -> Chart:
    """Return attack and chance side by side, for each setting."""
    y = NAMES[kind].removeprefix("inversion_").replace("_", " ")
    rows: list[Mapping[str, Cell]] = []
    for one in attacked:
        for name, score in (("attack", one.outcome.attack), ("chance", one.outcome.chance)):
            value, low, high = _by_client(score, kind)
            rows.append({UPDATE: one.setting, GUESS: name, y: value, "low": low, "high": high})
    return Chart(
        title=_title(kind),
        kind="bar",
        x=UPDATE,
        y=y,
        rows=tuple(rows),
        series=GUESS,
        low="low",
        high="high",
    )


def _title(kind: Kind) -> Text:
    if kind == "images":
        return text("Images rebuilt from updates: the higher, the more is given away")
    if kind == "tables":
        return text("Rows rebuilt from updates: the lower the error, the more is given away")
    return text("Tokens read from updates: the higher, the more is given away")
