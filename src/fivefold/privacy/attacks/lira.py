"""The likelihood-ratio attack (Carlini et al., 2022), online and offline."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.limits import Count
from fivefold.privacy.attacks.signal import Spread
from fivefold.privacy.attacks.view import Scores, View, parted, shadows_of


@dataclass(frozen=True, kw_only=True)
class LiRA:
    """Asks how sure models were that were, and that were not, trained on the same row.

    Attributes:
        online: Whether the attacker has shadows trained on the row. Without, the score is how much surer
            the model is than shadows that never saw the row, in standard deviations.
        own_variance_from: Number of shadows from which each row has a variance of its own. Below it a
            row's own is mostly noise, and one variance is pooled over all rows (section VI of the paper).
    """

    online: bool = True
    own_variance_from: Count = 64

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "LiRA" if self.online else "offline LiRA"

    @property
    def needs_shadows(self) -> bool:
        """It does."""
        return True

    def scores(self, view: View, rng: Generator) -> Scores:
        """Return the log-likelihood ratio of each row having been trained on."""
        sure, inside = shadows_of(view)
        pools = len(inside) < self.own_variance_from
        outside = Spread(sure, ~inside)
        if self.online:
            score = _log_normal(view.sure, Spread(sure, inside), pools=pools)
            score = score - _log_normal(view.sure, outside, pools=pools)
        else:  # rising in the one-sided p-value of the paper, but never rounded to 1
            variance = outside.pooled if pools else outside.own
            score = (view.sure - outside.mean) / variance.sqrt()
        return parted(score, view)


def _log_normal(
    target: Float[Tensor, " row"], spread: Spread, *, pools: bool
) -> Float[Tensor, " row"]:
    variance = spread.pooled if pools else spread.own
    return -0.5 * (target - spread.mean) ** 2 / variance - 0.5 * variance.log()
