"""The client: trains the model that arrives on rows that stay, and sends how far its weights moved."""

from collections.abc import Mapping
from copy import deepcopy
from logging import getLogger
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from fivefold.core.data import Batch
from fivefold.core.errors import BadInput
from fivefold.core.model import HasNet
from fivefold.privacy.federated import Federated
from fivefold.privacy.federated.flower.deployment import Deployment, read_plan
from fivefold.privacy.federated.flower.rows import rows_for
from fivefold.privacy.federated.flower.wire import (
    content_of,
    flower,
    has_tensors,
    model_in,
    row_of,
    tensor_in,
    told_in,
)
from fivefold.privacy.federated.layout import layout_of, read
from fivefold.privacy.federated.local import prepared
from fivefold.privacy.federated.partition import Clients
from fivefold.privacy.federated.suited import check_still, check_suited, drawing_nothing

UPDATE, DRIFT, SIZE = "update", "drift", "size"


class Order(NamedTuple):
    """What the server says beside the model: the round, and the seed of this client's orders of rows."""

    round_: int
    seed: int


def moved(
    step: Federated, model: HasNet, rows: Batch, order: Order, drift: Tensor | None = None
) -> Float[Tensor, " weight"]:
    """Return how far the weights of `model` move on one client's rows, by the engine of `step`.

    Raises:
        BadInput: There are no rows, or a layer cannot be trained by clients apart.
    """
    check_suited(model.net)
    if not rows.size:
        raise BadInput("There are no training examples.", mend="Add rows to the training split.")
    net = deepcopy(model.net)
    body, data = prepared(net, rows)
    layout, own = layout_of(body), deepcopy(body).train()
    alone = Clients(row_of([*range(rows.size)]), row_of([0]), row_of([rows.size]))
    site = step.site(model, own, data, alone, row_of([order.seed]))
    with drawing_nothing(net):
        parts = site.answers(
            read(body, layout), row_of([0]), order.round_, None if drift is None else drift[None]
        ).parts
        update = next(iter(parts)).updates[0]
    check_still(body, own)
    return update


def client_app(plan: Path) -> Any:
    """Return the app that a SuperNode runs; `rows` of its `--node-config` is the file with the client's rows.

    What goes wrong here is told in this machine's own log and nowhere else, because an error names values.

    Raises:
        MissingExtra: Flower is not installed.
    """
    parts, deployment = flower(), read_plan(plan)
    app = parts.clientapp.ClientApp()

    @app.train()
    def train(message: Any, context: Any) -> Any:
        try:
            content = answer(deployment, message.content, context.node_config)
        except Exception as error:
            getLogger("flwr").error("%s", error, exc_info=error)
            raise _silent() from None
        return parts.app.Message(content, reply_to=message)

    return app


def answer(deployment: Deployment, content: Any, config: Mapping[str, Any]) -> Any:
    """Return the content of the answer to a message of the server.

    A private run is weighed by clients, so there the number of rows is one more thing to hide.

    Raises:
        BadInput: The file with the rows cannot be used, or nobody said which it is.
        Damaged: The message is not what a server sends.
    """
    if not config.get("rows"):
        raise BadInput(
            "Nobody says which file holds the rows of this client.",
            where="--node-config",
            mend="Start the SuperNode with {example}.",
            example="--node-config 'rows=\"FILE\"'",
        )
    told, model = told_in(content), model_in(content)
    rows = rows_for(model.schema, model.task, Path(str(config["rows"])))
    like = read(model.net, layout_of(model.net))
    drift = tensor_in(content, DRIFT, like) if has_tensors(content) else None
    order = Order(int(told["round"]), int(told["seed"]))
    update = moved(deployment.deployed, model, rows, order, drift)
    said = {} if deployment.is_private else {SIZE: rows.size}
    return content_of(said, {UPDATE: update})


def _silent() -> BadInput:
    return BadInput("This client could not answer; the log on its own machine says why.")
