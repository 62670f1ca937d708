"""Whether two groups of rows come from one source, column by column (Kolmogorov, 1933; Smirnov, 1939).

Membership inference between groups that differ anyway finds the difference, and calls it membership.
"""

from math import log, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Batch
from fivefold.core.model import Model

ALPHA = 1e-3  # chance of calling two halves of one source different
MOST_COLUMNS = 1024


def first_difference(members: Batch, others: Batch, model: Model) -> str:
    """Return the name of the column in which the two differ most; "" if none differs beyond chance.

    Differences between single columns are found, others (of correlations, say) are not.
    """
    names, a = _columns(members, model)
    _, b = _columns(others, model)
    gap = largest_gap(a, b)
    m, n = len(members.y), len(others.y)
    most = sqrt(log(2 * len(names) / ALPHA) * (m + n) / (2 * m * n))
    return names[int(gap.argmax())] if float(gap.max()) > most else ""


def largest_gap(
    a: Float[Tensor, "m column"], b: Float[Tensor, "n column"]
) -> Float[Tensor, " column"]:
    """Return the largest distance between the two empirical distribution functions of each column."""
    both = torch.cat([a, b]).T.contiguous()
    shares = [
        torch.searchsorted(x.T.sort().values.contiguous(), both, right=True).double() / len(x)
        for x in (a, b)
    ]
    return (shares[0] - shares[1]).abs().amax(1)


def _columns(batch: Batch, model: Model) -> tuple[list[str], Float[Tensor, "row column"]]:
    """Return targets, and inputs as far as they are numbers; a missing value is below all others."""
    task, schema = model.task, model.schema
    if task.is_classification:
        names = list(task.classes)
        values = [(batch.y[:, None] == torch.arange(len(names))).double()]
    else:
        names, values = [task.target], [batch.y[:, None].double()]
    if isinstance(batch.x, Tensor):
        flat, told = batch.x.flatten(1), schema.names()
        places = torch.linspace(0, flat.shape[1] - 1, min(flat.shape[1], MOST_COLUMNS)).long()
        names += [told[i] for i in places.tolist()]
        values.append(
            flat[:, places].double().nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        )
    return names, torch.cat(values, 1)
