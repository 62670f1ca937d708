"""The quantile regression attack (Bertran et al., 2023): no shadow models, one regressor."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt, Lt
from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Count
from fivefold.core.randomness import fresh_seed
from fivefold.privacy.attacks.view import Scores, View

LEAST_WIDTH = 1e-6


@dataclass(frozen=True, kw_only=True)
class QuantileRegression:
    """Calls a row a member if the model is surer of it than of rows like it that were no members.

    Half of the others teach what is usual for a row of its kind; the other half is judged. The score is
    how far the row lies above the median, in units of the way from the median to a high quantile.

    Attributes:
        level: The high quantile.
        n_trees: Trees of each of the two regressors.
    """

    level: Annotated[float, Gt(0.5), Lt(1)] = 0.9
    n_trees: Count = 50

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "quantile regression"

    @property
    def needs_shadows(self) -> bool:
        """It does not."""
        return False

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return how unusual the model's confidence is for a row of its kind."""
        features = _features(view.pool)
        n = len(view.sure) - view.n_members
        order = view.n_members + torch.randperm(n, generator=rng)
        usual, judged = order[: n // 2], order[n // 2 :]
        middle, high = (
            self._quantile(level, features, view.sure, usual, fresh_seed(rng) % 2**32)
            for level in (0.5, self.level)
        )
        score = (view.sure - middle) / (high - middle).clamp(min=LEAST_WIDTH)
        return Scores(score[: view.n_members], score[judged])

    def _quantile(
        self,
        level: float,
        features: Float[Tensor, "row feature"],
        sure: Float[Tensor, " row"],
        usual: Tensor,
        seed: int,
    ) -> Float[Tensor, " row"]:
        """Return for each row the quantile of confidence that rows like it have."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        trees = HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=self.n_trees,
            early_stopping=False,  # type: ignore[arg-type]
            random_state=seed,
        )
        trees.fit(features[usual].numpy(), sure[usual].numpy())
        return torch.from_numpy(trees.predict(features.numpy()))


def _features(pool: Batch) -> Float[Tensor, "row feature"]:
    """Return what a regressor sees of a row: its values and its truth."""
    if not isinstance(pool.x, Tensor):
        raise NotMeasurable(
            "The quantile regression attack reads rows of numbers, and these inputs are none.",
            mend="Use an attack with shadow models (privacy.LiRA, privacy.RMIA).",
        )
    return torch.cat([pool.x.flatten(1).double(), pool.y[:, None].double()], 1)
