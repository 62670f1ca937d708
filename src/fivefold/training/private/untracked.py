"""What is said when the gradient of one example cannot be told apart from the others'."""

from fivefold.core.errors import BadInput


class Untracked(BadInput):
    """The share that one example has in a gradient is unknown, so nothing may be released."""


def untracked(call: str, weight: str) -> Untracked:
    """Return the error for a use of a weight, or of what was made of it, that is not understood."""
    weight = weight.partition("/")[0]
    return Untracked(
        "{call} uses the weight {weight} in a way that hides the share of each example in its gradient.",
        where=weight,
        mend="Use a layer of torch.nn or F.linear, freeze that weight, or let each example be run alone.",
        call=call,
        weight=weight,
    )


def not_separate(call: str) -> Untracked:
    """Return the error for a network or loss whose examples are not independent of one another."""
    return Untracked(
        "The examples of a batch are not separate from one another in {call}.",
        mend="Use layers and a loss that treat each example by itself, or let each example be run alone.",
        call=call,
    )


class Unclear(Exception):
    """These examples cannot show whether a network treats each by itself; others may."""
