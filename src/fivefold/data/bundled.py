"""Real data that come inside scikit-learn, with their schema (Street et al., 1993; Efron et al., 2004; Alpaydin and Kaynak, 1998)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Generator

from fivefold.core.data import Dataset
from fivefold.data.column import ColumnSpec
from fivefold.data.image import Pictures, pictures
from fivefold.data.leak import Policy
from fivefold.data.split import Split
from fivefold.data.table import Table

Name: TypeAlias = Literal["breast_cancer", "digits", "diabetes"]

# Rounded outwards from the ranges that the published description of the data set states.
CELL: Mapping[str, tuple[float, float]] = {
    "mean radius": (5, 30),
    "mean texture": (5, 40),
    "mean perimeter": (30, 200),
    "mean area": (100, 2600),
    "mean smoothness": (0.04, 0.18),
    "mean compactness": (0, 0.4),
    "mean concavity": (0, 0.5),
    "mean concave points": (0, 0.25),
    "mean symmetry": (0.1, 0.32),
    "mean fractal dimension": (0.04, 0.1),
    "radius error": (0, 3),
    "texture error": (0, 5),
    "perimeter error": (0, 24),
    "area error": (0, 560),
    "smoothness error": (0, 0.035),
    "compactness error": (0, 0.15),
    "concavity error": (0, 0.4),
    "concave points error": (0, 0.06),
    "symmetry error": (0, 0.08),
    "fractal dimension error": (0, 0.03),
    "worst radius": (5, 40),
    "worst texture": (10, 50),
    "worst perimeter": (40, 260),
    "worst area": (150, 4300),
    "worst smoothness": (0.06, 0.24),
    "worst compactness": (0, 1.1),
    "worst concavity": (0, 1.3),
    "worst concave points": (0, 0.3),
    "worst symmetry": (0.14, 0.68),
    "worst fractal dimension": (0.05, 0.22),
}
SIZE_CUTS = (12.0, 15.0)  # small, middle and large, by the mean radius of the nuclei

# What is medically plausible, from the description of the variables.
PATIENT: Mapping[str, ColumnSpec] = {
    "age": ColumnSpec(low=15, high=90, is_immutable=True, is_protected=True, cuts=(40.0, 60.0)),
    "sex": ColumnSpec(
        categories=("1", "2"), is_optional=False, is_immutable=True, is_protected=True
    ),
    "bmi": ColumnSpec(low=12, high=60),
    "bp": ColumnSpec(low=50, high=150),
    "s1": ColumnSpec(low=50, high=400),
    "s2": ColumnSpec(low=20, high=300),
    "s3": ColumnSpec(low=10, high=120),
    "s4": ColumnSpec(low=1, high=12),
    "s5": ColumnSpec(low=3, high=7),
    "s6": ColumnSpec(low=40, high=200),
}


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """A real data set that is already on this machine.

    `breast_cancer`: 569 biopsies, 30 measurements of cell nuclei, malignant or benign. `digits`: 1,797
    grey images of 8x8. `diabetes`: 442 patients, 10 measurements, progress of the disease in a year.
    Every range is declared from published descriptions, so nothing is read from training rows.

    Attributes:
        name: Which one.
        split: How to split; by default stratified for classes, random for numbers.
        leaks: What to do with a training example that has an exact copy in valid or test: drop it from
            train, refuse the data (`error`), or keep it.
    """

    name: Name = "breast_cancer"
    split: Split | None = None
    leaks: Policy = "drop"

    def load(self, folder: Path, rng: Generator) -> Dataset:
        """Return the examples, split and described; `folder` is not used."""
        match self.name:
            case "breast_cancer":
                return self._breast_cancer(rng)
            case "digits":
                return self._digits(rng)
            case "diabetes":
                return self._diabetes(rng)

    def _breast_cancer(self, rng: Generator) -> Dataset:
        import polars as pl
        from sklearn.datasets import load_breast_cancer

        found: Any = load_breast_cancer()
        frame = pl.DataFrame(found.data, schema=list(CELL))
        names = pl.Series("diagnosis", [str(found.target_names[i]) for i in found.target])
        return Table(
            path=self.name,
            target="diagnosis",
            classes=("malignant", "benign"),
            columns={n: _cell(n) for n in CELL},
            split=self.split,
            leaks=self.leaks,
        ).of(frame.with_columns(names), rng)

    def _diabetes(self, rng: Generator) -> Dataset:
        import polars as pl
        from sklearn.datasets import load_diabetes

        found: Any = load_diabetes(scaled=False)
        frame = pl.DataFrame(found.data, schema=list(PATIENT))
        return Table(
            path=self.name,
            target="progression",
            task="regression",
            columns=PATIENT,
            split=self.split,
            leaks=self.leaks,
        ).of(frame.with_columns(pl.Series("progression", found.target)), rng)

    def _digits(self, rng: Generator) -> Dataset:
        from sklearn.datasets import load_digits

        found: Any = load_digits()
        x = torch.tensor(found.images / 16, dtype=torch.float32)[:, None]
        y = torch.tensor(found.target, dtype=torch.int64)
        shown = Pictures(x, y, tuple("0123456789"))
        return pictures(self.name, shown, self.split, self.leaks, self.name, rng)


def _cell(name: str) -> ColumnSpec:
    low, high = CELL[name]
    is_size = name == "mean radius"
    cuts = SIZE_CUTS if is_size else ()
    return ColumnSpec(low=low, high=high, is_optional=False, is_protected=is_size, cuts=cuts)
