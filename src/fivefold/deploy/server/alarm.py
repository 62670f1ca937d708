"""The detector's word on what the model has just seen."""

from fivefold.core.text import text
from fivefold.deploy.server.call import Call
from fivefold.deploy.server.refused import Refused


class Alarm:
    """Refuses examples that are not like the training data, or only flags them.

    The score comes from the same forward pass as the answer.

    Args:
        threshold: A score above it raises the alarm.
        refuses: Whether to refuse; else the answer lists the rows.
    """

    def __init__(self, threshold: float, *, refuses: bool = True) -> None:
        self.threshold = threshold
        self.refuses = refuses

    def __call__(self, call: Call) -> None:
        """Refuse with 403, or flag."""
        if call.answer is None or call.answer.scores is None:
            return
        threshold = self.threshold
        rows = [i for i, s in enumerate(call.answer.scores.tolist()) if not s <= threshold]
        if rows and self.refuses:
            shown = ", ".join(map(str, rows[:5]))
            raise Refused(
                403, "detector", text("Not like the training data: rows {rows}.", rows=shown)
            )
        call.flagged = rows
