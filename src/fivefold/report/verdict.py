"""What a policy says of a run."""

from dataclasses import dataclass
from typing import Any

from fivefold.core.errors import GateFailed
from fivefold.report.check import Check

SCHEMA = "fivefold.gate/1"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All checks of a policy on a run.

    Attributes:
        run: Name of the run.
        checks: In the order of the policy.
    """

    run: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit is kept and nothing required is missing."""
        return all(c.passed for c in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that stop the gate."""
        return tuple(c for c in self.checks if not c.passed)

    def raise_for_status(self) -> None:
        """Do nothing if the gate is passed.

        Raises:
            GateFailed: It is not; the exit status of the command line is 4.
        """
        if self.passed:
            return
        first = self.failures[0]
        raise GateFailed(
            "{n} of {total} checks stop the gate; the first is {status} {key} at {stage}.",
            where=f"{first.rule} = {first.limit:g}",
            mend="Improve the model, or change the policy knowingly.",
            n=len(self.failures),
            total=len(self.checks),
            status=first.status,
            key=first.key,
            stage=first.stage,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON can hold it."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "passed": self.passed,
            "checks": [c.to_dict() for c in self.checks],
        }

    def _repr_html_(self) -> str:
        from fivefold.report.fragment import verdict_html

        return verdict_html(self.checks)
