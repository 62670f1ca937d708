"""LIME of tables as its authors sample it (Ribeiro, Singh and Guestrin, 2016), for all rows and outputs at once."""

from dataclasses import dataclass
from typing import Literal

from torch import Generator

from fivefold.core.data import Inputs
from fivefold.core.errors import NotMeasurable
from fivefold.core.limits import Count, NonNegative, Positive, Share
from fivefold.core.model import Model
from fivefold.explanation.attribution import Attribution, is_sure
from fivefold.explanation.lime.answers import answers, pairs
from fivefold.explanation.lime.around import around
from fivefold.explanation.lime.quartiles import by_quartiles
from fivefold.explanation.output import output_names, unit
from fivefold.explanation.question import asked
from fivefold.perturb import Features


@dataclass(frozen=True, kw_only=True)
class TabularLIME:
    """A line through the answers to rows in which every column is drawn anew.

    "quartiles" is what most people know: the coefficient of a column says how much it matters that its value
    lies in its own quartile of the background (or is its own category, or missing), and not in another.
    Columns are drawn independently from the values of the background, which should be the training rows: the
    samples are the same for every row, so errors of different rows are alike and do not average out.
    "around" moves numbers around the row instead; the value of a column is the slope there, times its distance
    from the mean of the background. A sample weighs exp(-d^2 / (2 width^2 columns)), where d counts moved
    cells, or standard deviations.

    Attributes:
        budget: Samples; "around" takes so many for each row, "quartiles" once for all.
        sampling: Whether numbers are cut into quartiles or moved around the row.
        width: Width of the neighbourhood, for one column.
        penalty: Ridge penalty of the coefficients, relative to the total weight.
        tolerance: A row is converged if the error is at most this share of its coefficients, ...
        least_fit: ... and the line explains at least this share of the score's variance.
    """

    budget: Count = 5000
    sampling: Literal["quartiles", "around"] = "quartiles"
    width: Positive = 0.75
    penalty: NonNegative = 1e-6
    tolerance: Positive = 0.1
    least_fit: Share = 0.5

    def evaluations(self, n: int, rows: int, background: int) -> int:
        """Return how many inputs the model will answer."""
        each = self.budget if self.sampling == "quartiles" else rows * 2 * pairs(self.budget)
        return each + rows

    def __call__(
        self, model: Model, x: Inputs, background: Inputs, *, rng: Generator
    ) -> Attribution:
        """Return the coefficients, their standard errors and the R2 of each line.

        Raises:
            NotMeasurable: The inputs are no table, or an answer is not a finite number.
        """
        if not model.schema.is_table:
            raise NotMeasurable(
                "Columns are drawn anew, and these inputs have none.",
                mend="Use explanation.LIME, which hides patches and words.",
            )
        question = asked(model, x, background, Features())
        sampled = by_quartiles if self.sampling == "quartiles" else around
        full = answers(model, question.x)
        line, fit = sampled(model, question, self.budget, self.width, self.penalty, rng)
        each = self.budget if self.sampling == "quartiles" else len(full) * pairs(self.budget) * 2
        return Attribution(
            values=line.slope,
            base=line.intercept,
            score=full,
            error=line.error,
            is_converged=is_sure(line.slope, line.error, self.tolerance)
            & (fit >= self.least_fit).all(-1),
            groups=question.groups,
            outputs=output_names(model.task),
            method=f"LIME ({self.sampling})",
            unit=unit(model.task),
            n_evaluations=each + len(full),
            fit=fit,
        )
