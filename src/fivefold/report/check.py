"""One limit of a policy, held against one stage."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from fivefold.core.text import Text
from fivefold.report.number import finite
from fivefold.report.policy import RuleName

Status: TypeAlias = Literal["PASS", "FAIL", "MISSING"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One limit at one stage.

    Attributes:
        key: Key of the evidence.
        stage: Where it was looked up.
        rule: Which kind of limit.
        limit: The limit.
        status: Kept, broken, or nothing there to judge.
        value: The point: the number, or the change; None if missing.
        low: Its lower bound.
        high: Its upper bound.
        judged: The bound that was held against the limit.
        against: The stage that a change was counted from; "" for a plain limit.
        required: Whether a missing number fails the gate.
        unit: Unit of the numbers.
        reason: Why the number is missing.
    """

    key: str
    stage: str
    rule: RuleName
    limit: float
    status: Status
    value: float | None = None
    low: float | None = None
    high: float | None = None
    judged: float | None = None
    against: str = ""
    required: bool = True
    unit: str = ""
    reason: Text = Text("")

    @property
    def passed(self) -> bool:
        """Whether it does not stop the gate."""
        return self.status == "PASS" or (self.status == "MISSING" and not self.required)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON can hold it."""
        numbers = {"value": self.value, "low": self.low, "high": self.high, "judged": self.judged}
        return {
            "id": self.key,
            "stage": self.stage,
            "rule": self.rule,
            "limit": self.limit,
            "status": self.status,
            "required": self.required,
            **{k: None if v is None else finite(v) for k, v in numbers.items()},
            "against": self.against,
            "unit": self.unit,
            "reason": str(self.reason),
        }
