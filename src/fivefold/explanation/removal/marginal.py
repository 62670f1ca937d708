"""Background rows in place of what is hidden (Lundberg and Lee, 2017), all of them or a weighted summary."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fivefold.core.limits import Natural
from fivefold.core.schema import Schema
from fivefold.perturb import Behind

SEED = 0  # of the k-means: the same background has the same summary


@dataclass(frozen=True, kw_only=True)
class MarginalRemoval:
    """A hidden feature takes its value in each background row in turn, whatever is known (interventional).

    Attributes:
        summary: So many k-means clusters stand for the background, each weighing as much as it has rows;
            0 takes all rows. Of tables with whole numbers, categories or gaps, a cluster is represented by
            the row next to its centre, otherwise by its centre.
    """

    summary: Natural = 0

    def behind(self, schema: Schema, background: Float[Tensor, "background ..."]) -> Behind:
        """Return the rows, or their summary."""
        if not self.summary or self.summary >= len(background):
            return Behind(background)
        points = encoded(schema, background)
        label, away = _clustered(points, self.summary)
        rows, weight = [], []
        for cluster in label.unique().tolist():
            here = torch.nonzero(label == cluster)[:, 0]
            nearest = here[away[here].argmin()]
            rows.append(
                background[nearest] if _is_stepped(schema, background) else background[here].mean(0)
            )
            weight.append(len(here) / len(background))
        return Behind(torch.stack(rows), torch.tensor(weight, dtype=torch.float64))


def encoded(
    schema: Schema, background: Float[Tensor, "background ..."]
) -> Float[Tensor, "background values"]:
    """Return rows as points whose distances mean something: scaled, categories and gaps by marks of their own."""
    flat = background.flatten(1).double()
    parts: list[Tensor] = []
    for i in range(flat.shape[1]):
        values, gap = flat[:, i], flat[:, i].isnan()
        if schema.is_table and schema.columns[i].is_category:
            count = len(schema.columns[i].categories)
            codes = values.nan_to_num(count).long().clamp(0, count)
            parts.append(torch.nn.functional.one_hot(codes, count + 1).double())
            continue
        known = values[~gap]
        centre = known.mean() if len(known) else values.new_tensor(0.0)
        spread = known.std(correction=0) if len(known) else values.new_tensor(0.0)
        scaled = torch.where(gap, 0.0, (values - centre) / spread.clamp(min=1e-12))
        parts.append(torch.stack([scaled, gap.double()], 1))
    return torch.cat(parts, 1)


def _clustered(points: Tensor, n: int) -> tuple[Tensor, Float[Tensor, " background"]]:
    """Return the cluster of each point, and its distance to the centre."""
    from sklearn.cluster import KMeans

    n = min(n, len(points.unique(dim=0)))
    found = KMeans(n, n_init="auto", random_state=SEED).fit(points.numpy())
    label = np.asarray(found.labels_)
    away = np.linalg.norm(points.numpy() - found.cluster_centers_[label], axis=1)
    return torch.from_numpy(label).long(), torch.from_numpy(away)


def _is_stepped(schema: Schema, background: Tensor) -> bool:
    """Whether means of rows are no rows: between two whole numbers or categories there is nothing."""
    has_steps = any(c.kind != "number" for c in schema.columns)
    return has_steps or bool(background.isnan().any())
