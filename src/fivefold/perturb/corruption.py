"""Accidents that befall inputs, at five severities (Hendrycks and Dietterich, 2019), for images and tables.

Values stay inside their range; whole numbers stay whole; a value goes missing only where it may, and
becomes the centre of its column elsewhere.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from jaxtyping import Float
from torch import Generator, Tensor

from fivefold.core.errors import no_text
from fivefold.core.schema import Schema
from fivefold.perturb import image_accident, table_accident

Change: TypeAlias = Callable[[Tensor, Schema, float, Generator], Tensor]
SEVERITIES = (1, 2, 3, 4, 5)


class Corruption(NamedTuple):
    """One kind of accident: `change(x, schema, strength, rng)` with one strength per severity."""

    name: str
    strengths: tuple[float, float, float, float, float]
    change: Change

    def at(
        self, severity: int, x: Float[Tensor, "batch ..."], schema: Schema, rng: Generator
    ) -> Float[Tensor, "batch ..."]:
        """Return corrupted inputs; a new tensor.

        Raises:
            ValueError: The severity is not one of 1 to 5.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"A severity is one of 1 to 5, not {severity}.")
        return self.change(x, schema, self.strengths[severity - 1], rng)


def corruptions(schema: Schema) -> tuple[Corruption, ...]:
    """Return the accidents that can befall these inputs: five of images; of tables, those that fit.

    Raises:
        NotMeasurable: They are texts.
    """
    if schema.is_text:
        raise no_text("Corrupting pixels or columns")
    if not schema.is_table:
        return IMAGE
    has_numbers = any(not c.is_category for c in schema.columns)
    has_categories = any(c.is_category for c in schema.columns)
    return (*(OF_NUMBERS if has_numbers else ()), *(OF_CATEGORIES if has_categories else ()), SWAP)


IMAGE = (
    Corruption("noise", (0.04, 0.08, 0.12, 0.18, 0.26), image_accident.noise),
    Corruption("blur", (0.03, 0.05, 0.075, 0.1, 0.15), image_accident.blur),
    Corruption("brightness", (0.1, 0.2, 0.3, 0.4, 0.5), image_accident.brightness),
    Corruption("contrast", (0.75, 0.6, 0.45, 0.3, 0.15), image_accident.contrast),
    Corruption("occlusion", (0.2, 0.3, 0.4, 0.5, 0.6), image_accident.occlusion),
)
OF_NUMBERS = (
    Corruption("noise", (0.1, 0.2, 0.4, 0.7, 1.0), table_accident.noise),
    Corruption("missing", (0.05, 0.1, 0.2, 0.35, 0.5), table_accident.missing),
    Corruption("rounding", (0.5, 1.0, 1.5, 2.0, 3.0), table_accident.rounding),
    Corruption("shift", (0.5, 1.0, 2.0, 3.0, 5.0), table_accident.shift),
)
OF_CATEGORIES = (
    Corruption("wrong category", (0.05, 0.1, 0.2, 0.35, 0.5), table_accident.wrong_category),
)
SWAP = Corruption("swap", (0.05, 0.1, 0.2, 0.35, 0.5), table_accident.swap)
