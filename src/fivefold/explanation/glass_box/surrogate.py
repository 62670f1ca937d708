"""Ask a model, fit something readable to its answers, and judge it on other rows."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.data import Inputs
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.core.model import Model
from fivefold.core.text import LANGUAGES, Language, Text, text
from fivefold.explanation.glass_box.fidelity import Measured, agreement, fidelity
from fivefold.explanation.glass_box.form import Form, Glass
from fivefold.explanation.glass_box.tree import SurrogateTree
from fivefold.explanation.output import output_names, score_of, unit
from fivefold.explanation.question import asked
from fivefold.perturb import Features

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SURE = 7.0  # log-odds of 0.999: beyond it a reader sees no difference, and a fit would see nothing else


@dataclass(frozen=True, kw_only=True, eq=False)
class Surrogate:
    """A glass box beside the model it stands for.

    It describes the model only as far as its fidelity goes: where that is low, it describes something else.

    Attributes:
        glass: What a person can read: a tree or a sum of curves.
        name: Its kind, with its settings.
        fidelity: R2 of its scores on rows that it was not fitted to.
        agreement: How often it chooses the model's class there; None for numbers.
        outputs: Names of the outputs.
        unit: What one unit of a score is.
        n_fitted: Rows that it was fitted to.
        n_judged: Rows that it was judged on.
        scores: The model's scores of the judged rows.
        told: Its own scores of the judged rows.
    """

    glass: Glass
    name: Text
    fidelity: Measured
    agreement: Measured | None
    outputs: tuple[str, ...]
    unit: Text
    n_fitted: int
    n_judged: int
    scores: Float[Tensor, "rows outputs"]
    told: Float[Tensor, "rows outputs"]

    def predict(self, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows outputs"]:
        """Return the scores of the glass box."""
        return self.glass.predict(x)

    def words(self, language: Language = "en") -> str:
        """Return how far it can be trusted, and what it does."""
        unit_words = self.unit.words(language)
        lines = [t.words(language) for t in self._trust(language)]
        return "\n".join([*lines, *self.glass.lines(self.outputs, unit_words, language)])

    def __str__(self) -> str:
        return self.words()

    def plot(
        self,
        column: str = "",
        output: str = "",
        ax: "Axes | None" = None,
        language: Language = "en",
    ) -> "Axes":
        """Draw the tree, or the curve of one column.

        Args:
            column: Which curve; the largest by default. A tree is drawn whole.
            output: Name of the output; the last by default.
            ax: Where to draw; a new figure by default. Nothing is shown or saved.
            language: Language of what is written.

        Raises:
            BadInput: There is no such column or output.
        """
        from fivefold.explanation.glass_box.drawing import draw_title
        from fivefold.explanation.pictures.paper import axes

        at = self._index(output)
        _known(column, [*self.glass.pictures(), ""], "column")
        is_tree = self.glass.pictures() == [""]
        ax = axes(ax, *((6.0, 14.0) if is_tree else (3.2, 4.8)))
        self.glass.draw(ax, at, column, self.unit.words(language), language)
        draw_title(ax, self._title(at, language), 120 if is_tree else 44)
        return ax

    def _title(self, output: int, language: Language) -> str:
        return text(
            "{output} ({unit}); {name}, which tells {value} of the model's variance",
            output=self.outputs[output],
            unit=self.unit.words(language),
            name=self.name.words(language),
            value=self.fidelity.value,
        ).words(language)

    def _index(self, output: str) -> int:
        _known(output, [*self.outputs, ""], "output")
        return self.outputs.index(output) if output else len(self.outputs) - 1

    def _trust(self, language: Language) -> list[Text]:
        value, low, high, floor = self.fidelity
        found = [
            text(
                "{name}: tells {value} [{low}, {high}] of the variance of the model's answers to {n} other rows; a constant {floor}.",
                name=self.name.words(language),
                value=value,
                low=low,
                high=high,
                n=self.n_judged,
                floor=floor,
            )
        ]
        if self.agreement is not None:
            value, low, high, floor = self.agreement
            found.append(
                text(
                    "Chooses the model's class in {value} [{low}, {high}] of them; a constant {floor}.",
                    value=value,
                    low=low,
                    high=high,
                    floor=floor,
                )
            )
        return found

    def _repr_html_(self) -> str:
        from fivefold.explanation.pictures.html import svg_of

        first, *others = (
            "<br>".join(escape(line) for line in self.words(one).split("\n")) for one in LANGUAGES
        )
        drawn = "".join(svg_of(self.plot(column)) for column in self.glass.pictures())
        folded = "".join(f"<details><summary>中文</summary>{told}</details>" for told in others)
        return f"<div><p>{first}</p>{drawn}{folded}</div>"


def surrogate(
    model: Model,
    fitted: Inputs,
    judged: Inputs,
    form: Form = SurrogateTree(),
    *,
    rng: Generator,
) -> Surrogate:
    """Return a glass box that answers as the model does, fitted to some rows and judged on others.

    Log-odds beyond 7 (0.999) count as 7.

    Args:
        model: What it stands for; only asked.
        fitted: Rows that it is fitted to.
        judged: Rows that it has not seen.
        form: What it is: `SurrogateTree` or `SurrogateGAM`.
        rng: Source of the bootstrap.

    Raises:
        BadInput: Inputs that the model does not eat.
        NotMeasurable: The inputs are no table, or the model always answers the same.
    """
    if not model.schema.is_table:
        raise NotMeasurable(
            "Rules and curves speak of named columns, and these inputs have none.",
            mend="Explain single examples instead, with explanation.LIME or explanation.LeverageSHAP.",
        )
    known, other, _, _ = asked(model, fitted, judged, Features())
    answers, wanted = _scores(model, known), _scores(model, other)
    glass = form.fit(model.schema, known, answers)
    told = glass.predict(other)
    found = fidelity(wanted, told, answers.mean(0), rng)
    return Surrogate(
        glass=glass,
        name=form.name,
        fidelity=found,
        agreement=agreement(wanted, told, answers) if model.task.is_classification else None,
        outputs=output_names(model.task),
        unit=unit(model.task),
        n_fitted=len(known),
        n_judged=len(other),
        scores=wanted,
        told=told,
    )


def _scores(model: Model, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows outputs"]:
    scores = score_of(model)(x).double()
    if model.task.is_classification:
        scores = scores.clamp(-SURE, SURE)
    if not scores.isfinite().all():
        raise NotMeasurable(
            "The model's answer to some rows is not a finite number.",
            mend="Check the model's outputs on ordinary inputs first.",
        )
    if bool(((scores - scores[0]).abs() <= 1e-9 * scores.abs().max()).all()):
        raise NotMeasurable("The model answers the same to all of these rows.")
    return scores


def _known(name: str, names: list[str], where: str) -> None:
    if name not in names:
        raise BadInput(
            "There is nothing to draw for {name}.",
            where=where,
            mend="There are: {known}.",
            name=name,
            known=", ".join(filter(None, names)),
        )
