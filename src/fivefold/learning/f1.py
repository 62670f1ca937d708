"""F1 with bounds that do not collapse when nothing went wrong (Goutte and Gaussier, 2005)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from fivefold.core.data import Splits
from fivefold.core.evidence import Axis, Evidence, Finding
from fivefold.core.model import Model
from fivefold.core.probe import Probe
from fivefold.core.randomness import fresh_seed
from fivefold.learning.asked import classes
from fivefold.learning.confusion import confusion, macro_f1

N_DRAWS = 4000
MOST_NUMBERS = 2**22  # drawn at a time: 32 MiB


@dataclass(frozen=True, kw_only=True)
class F1(Probe):
    """Mean over classes of the harmonic mean of precision and recall: rare classes count as much as common ones.

    Its floor is the better of always saying the commonest class and guessing by the classes' shares.
    """

    axis: ClassVar[Axis] = Axis.LEARNING
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __call__(self, model: Model, splits: Splits, *, rng: Generator) -> list[Finding]:
        """Compare answers on the test split with the truth.

        Raises:
            NotMeasurable: The task has no classes, or nothing is held out.
        """
        outputs, truth = classes(model, splits, self)
        counts = confusion(truth, outputs.argmax(-1), model.task.n_outputs)
        value = float(macro_f1(counts.double()))
        low, high = credible(counts, rng)
        return [
            Evidence(
                axis=self.axis,
                name="macro_f1",
                value=value,
                low=min(low, value),
                high=max(high, value),
                n=len(truth),
                unit="fraction",
                better="higher",
                floor=_floor(counts),
                ceiling=1.0,
                interval="credible, Perks prior",
            )
        ]


def credible(counts: Int64[Tensor, "class class"], rng: Generator) -> tuple[float, float]:
    """Return the 95 % credible interval of macro F1.

    The table of true and answered classes is multinomial; the prior is one example spread over all
    cells (Perks, 1947). A bootstrap would call a model certain that happened to make no mistake.
    """
    present = (counts.sum(0) + counts.sum(1)).nonzero()[:, 0]
    table = counts[present][:, present].double()
    own = np.random.default_rng(fresh_seed(rng))
    weight = (table + 1 / table.numel()).flatten().numpy()
    size = max(1, min(N_DRAWS, MOST_NUMBERS // len(weight)))
    drawn: list[Tensor] = []
    for start in range(0, N_DRAWS, size):
        cells = own.gamma(weight, size=(min(size, N_DRAWS - start), len(weight)))
        drawn.append(macro_f1(torch.from_numpy(cells).view(-1, *table.shape)))
    low, high = torch.cat(drawn).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(low), float(high)


def _floor(counts: Int64[Tensor, "class class"]) -> float:
    shares: Float[Tensor, " class"] = counts.sum(1) / counts.sum()
    n_present = int((shares > 0).sum())
    commonest = float(shares.max())
    return max(2 * commonest / (1 + commonest), 1.0) / n_present
