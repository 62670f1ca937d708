"""Why a side of secure aggregation does not go on."""

from fivefold.core.errors import BadInput


def too_few(n: int, least: int) -> BadInput:
    """Return the error when fewer clients are left than must be."""
    return BadInput(
        "{n} clients are left, and {least} are needed for a sum that hides each of them.",
        mend="Start a new round with more clients, or lower the threshold.",
        n=n,
        least=least,
    )


def one_client() -> BadInput:
    """Return the error when a sum would be the update of one client."""
    return BadInput(
        "A secure sum of one client would be its update.",
        mend="Start a new round with more clients.",
    )


def twice() -> BadInput:
    """Return the error when two clients have the same number or key, or one sends a thing twice."""
    return BadInput(
        "The same client, or the same key, is there twice.",
        mend="Give every client a number of its own, and every round new keys.",
    )


def not_in_round(client: int) -> BadInput:
    """Return the error for a client that is lacking, or where it does not belong."""
    return BadInput(
        "Client {client} is not where it should be in this round.",
        mend="Start a new round.",
        client=client,
    )


def not_now(client: int) -> BadInput:
    """Return the error when a client is asked out of turn or once more: that could uncover its update."""
    return BadInput(
        "Client {client} does each step of a round once and in order.",
        mend="Start a new round, with a new client object.",
        client=client,
    )


def out_of_turn() -> BadInput:
    """Return the error when the server is asked out of turn."""
    return BadInput(
        "The server does each step of a round once and in order.", mend="Start a new round."
    )


def wrong_size(client: int) -> BadInput:
    """Return the error for numbers that cannot be added to the others."""
    return BadInput(
        "Client {client} has sent numbers of another count or size.",
        mend="All clients of a round need the same network and settings.",
        client=client,
    )
