"""Attributions made by hand, so that every number in a picture is known."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fivefold.core.codepoints import encode_texts
from fivefold.core.schema import Column, Schema
from fivefold.core.text import text
from fivefold.explanation import Attribution
from fivefold.perturb import Groups, word_groups
from seeding import seeded

LONG = "systolic_blood_pressure_measured_lying_down_after_five_minutes_of_rest"
ZH = "收缩压（毫米汞柱，休息五分钟后仰卧位测量，取三次平均值）"


def attribution(values: Tensor, **more: Any) -> Any:
    """Return exact attributions of a regression, or of several outputs, that add up to their scores."""
    values = values.double() if values.ndim == 3 else values.double()[:, :, None]
    rows, n, outputs = values.shape
    base = torch.full((rows, outputs), 0.5, dtype=torch.float64)
    made: dict[str, Any] = {
        "values": values,
        "base": base,
        "score": base + values.sum(1),
        "error": None,
        "is_converged": torch.ones(rows).bool(),
        "groups": Groups(tuple(f"c{i}" for i in range(n)), torch.arange(n), (n,)),
        "outputs": tuple(f"out{o}" for o in range(outputs)),
        "method": "ExactShapley",
        "unit": text("log-odds"),
        "n_evaluations": 1234,
    }
    return Attribution(**(made | more))


def random(rows: int = 30, n: int = 6, outputs: int = 1, *, seed: int = 0) -> Any:
    return attribution(torch.randn(rows, n, outputs, generator=seeded(seed)))


def sampled(rows: int = 30, n: int = 6, *, sure: bool = False) -> Any:
    """Return attributions with standard errors; unless `sure`, the first row has not converged."""
    found = random(rows, n)
    converged = torch.ones(rows).bool()
    converged[0] = sure
    error = torch.full_like(found.values, 0.1)
    return replace(found, error=error, is_converged=converged, method="LeverageSHAP")


def with_table(found: Attribution, columns: tuple[Column, ...], x: Tensor) -> Any:
    """Return the attributions with the table that was explained."""
    schema = Schema(columns=columns, shape=(len(columns),))
    groups = found.groups._replace(names=tuple(c.name for c in columns))
    return replace(found, x=x, schema=schema, groups=groups)


def people(rows: int = 40, *, sure: bool = True) -> Any:
    """Return rows of a number, a category and a number that may be missing, with names of both languages."""
    rng = seeded(4)
    x = torch.randn(rows, 4, generator=rng)
    x[:, 1] = torch.arange(rows) % 3
    x[:, 2] = torch.arange(rows) % 2
    x[::5, 3] = torch.nan
    columns = (
        Column(name=LONG),
        Column(name="job", kind="category", categories=("nurse", "engineer", "教师")),
        Column(name="smoker", kind="category", categories=("no", "yes")),
        Column(name=ZH, is_optional=True),
    )
    values = torch.stack([x[:, 0] * (1 + x[:, 2]), x[:, 1] / 2, x[:, 2], x[:, 3].nan_to_num()], 1)
    found = attribution(values)
    if not sure:
        found = replace(found, is_converged=torch.zeros(rows).bool(), method="LeverageSHAP", error=torch.full_like(found.values, 0.3))  # fmt: skip
    return with_table(found, columns, x)


def image(*, sure: bool) -> Any:
    found = random(2, 4)
    groups = Groups(("0,0", "0,1", "1,0", "1,1"), torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]), (2, 2))  # fmt: skip
    x = torch.rand(2, 1, 4, 4, generator=seeded())
    return replace(found, groups=groups, x=x, schema=Schema(shape=(1, 4, 4)), is_converged=torch.full((2,), sure))  # fmt: skip


def words(*, sure: bool) -> Any:
    x = encode_texts(["A good film，但是开头很无聊。"], 40)
    groups = word_groups(x[0])
    found = random(1, groups.n)
    return replace(found, groups=groups, x=x, schema=Schema(shape=(40,), is_text=True), is_converged=torch.tensor([sure]))  # fmt: skip


def every_text(ax: Any) -> str:
    """Return all words in the figure of some axes."""
    from matplotlib.text import Text

    ticks = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    return "\n".join(t.get_text() for t in (*ax.figure.findobj(Text), *ticks) if t.get_visible())
