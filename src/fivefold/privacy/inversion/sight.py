"""What of one client's update can be seen, and by whom, given how the model was trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from fivefold.core.lineage import Lineage
from fivefold.privacy.plan import MECHANISM

PLAIN = "The attack reads the update of one client that trains from the weights of this model, as a federated server or a listener receives it without secure aggregation."
UNKNOWN = "The last step claims a mechanism, or a unit, whose noise is not repeated here, so the update was attacked as if nothing hid it."
PER_EXAMPLE = "The attack reads the gradient of one batch as the last step would release it, each example clipped and the sum noised, and is taken to know all else."
SEEDED = "The noise comes from a seed that is written in the recipe, so it was taken away before the attack; what is left is the clipping."
SERVER = "The attack reads the clipped update of one client as the server receives it, before noise: the noise of the last step hides clients from those who see sums, not from the server."
LISTENER = "The attack reads the noised sum as those see it who know the server's weights, and is taken to know the updates of all other clients."


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One way to see an update.

    Attributes:
        name: What tells it from others in a setting; "" for a plain update.
        who: What is read, as a sentence.
        clip_norm: Largest L2 norm, of each example's gradient or of the whole update; infinite for none.
        noise_multiplier: Standard deviation of the noise, in units of `clip_norm`.
        is_whole: Whether the update as a whole is clipped and noised, instead of each step's gradients.
    """

    name: str = ""
    who: str = PLAIN
    clip_norm: float = inf
    noise_multiplier: float = 0.0
    is_whole: bool = True

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise on a clipped sum."""
        return self.noise_multiplier * self.clip_norm if self.noise_multiplier else 0.0


def sights_of(lineage: Lineage) -> tuple[Sight, ...]:
    """Return how updates may be seen when a model is trained on as it was trained last."""
    claims = [record.claim for record in lineage if record.claim.reads_data]
    told = claims[-1].privacy if claims else {}
    if not told:
        return (Sight(),)
    clip, noise = _positive(told, "clip_norm"), _positive(told, "noise_multiplier")
    is_known = told.get("mechanism") == MECHANISM and told.get("unit") in ("example", "client")
    if not is_known or clip is None or noise is None:
        return (Sight(who=UNKNOWN),)
    is_whole = told.get("unit") != "example"
    if told.get("seeded") is not False:
        return (Sight(name="clipped", who=SEEDED, clip_norm=clip, is_whole=is_whole),)
    named = f"sigma {noise:.4g}"
    if not is_whole:
        return (
            Sight(
                name=named, who=PER_EXAMPLE, clip_norm=clip, noise_multiplier=noise, is_whole=False
            ),
        )
    return (
        Sight(name="clipped", who=SERVER, clip_norm=clip),
        Sight(name=named, who=LISTENER, clip_norm=clip, noise_multiplier=noise),
    )


def _positive(told: Mapping[str, Any], name: str) -> float | None:
    value: object = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and value > 0 else None
