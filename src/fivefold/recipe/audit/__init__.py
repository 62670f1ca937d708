"""Measure what people already have: any model that answers, on their own rows, within a budget of time.

    run = audit("model.skops", Given(data=Path("rows.csv"), target="ill"), Plan(budget_seconds=60))

The run is like any other: the same matrix, report, gate and exports. What a black box cannot show is
missing with its reason; nothing is measured by a weaker test under the same name.
"""

from fivefold.recipe.audit.audit import Plan, audit
from fivefold.recipe.audit.given import Given
from fivefold.recipe.audit.subject import Subject
from fivefold.recipe.audit.watch import Watch

__all__ = ["Given", "Plan", "Subject", "Watch", "audit"]
