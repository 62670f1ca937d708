"""The end of the demo: a bundle served by a real process, asked three questions over HTTP."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator as Yields
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Generator, Tensor

from fivefold.cli.voice import Voice
from fivefold.core.data import Batch, as_tensor
from fivefold.core.errors import FivefoldError
from fivefold.core.loss import loss_of
from fivefold.deploy import load_bundle
from fivefold.deploy.server.examples import INPUT
from fivefold.models import TorchModel
from fivefold.perturb import pgd
from fivefold.recipe import Run, recipe_from
from fivefold.recipe.key import seed_of

MOST = 20  # inputs that fool the model, sent until the guard refuses one
EPS = 0.3
SECONDS = 60
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is our own machine


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    told: dict[str, Any]


def show(run: Run, bundle: Path, voice: Voice) -> dict[str, Any]:
    """Serve `bundle` and ask: one ordinary image, one explanation, and images made to fool the model."""
    model, _ = load_bundle(bundle)
    test = _test_rows(run)
    right = test.take((model.predict(test.x).argmax(1) == test.y).nonzero()[:, 0])
    with _serving(bundle, voice) as address:
        model_url = f"{address}/v2/models/{run.name}"
        ordinary = _ordinary(model_url, right, model, voice)
        explained = _explained(model_url, right, voice)
        return ordinary | explained | _fooled(model_url, model, right, voice)


def _ordinary(url: str, rows: Batch, model: TorchModel, voice: Voice) -> dict[str, Any]:
    """Send ordinary images until one is answered: the guard is wrong about a few of them."""
    for passed, (image, y) in enumerate(zip(as_tensor(rows.x)[:MOST], rows.y, strict=False)):
        reply = post(f"{url}/infer", image[None])
        if reply.status == 200:
            voice.say(
                "  An ordinary image of a {truth}: answered ({refused} refused before it).",
                truth=model.task.classes[int(y)],
                refused=passed,
            )
            return {"ordinary": reply.status, "outputs": reply.told["outputs"]}
    raise FivefoldError("The guard refuses every ordinary image.")


def _explained(url: str, rows: Batch, voice: Voice) -> dict[str, Any]:
    reply = post(f"{url}/explain", as_tensor(rows.x)[:1])
    voice.say("  Why: /explain answers with attributions and their errors.")
    return {"explain": reply.status}


def _fooled(url: str, model: TorchModel, rows: Batch, voice: Voice) -> dict[str, Any]:
    """Send images that fool the model until the guard refuses one, and say how many it let pass."""
    wrong = _attacked(model, rows)
    statuses: list[int] = []
    for image in wrong[:MOST]:
        reply = post(f"{url}/infer", image[None])
        statuses.append(reply.status)
        if reply.status == 403:
            voice.say(
                "  An image changed to fool the model: refused ({status}) after {passed} that passed.",
                status=reply.status,
                passed=len(statuses) - 1,
            )
            break
    else:
        voice.say("  None of {n} images changed to fool the model was refused.", n=len(statuses))
    voice.say(
        "  The detector stops careless attackers only; the report says what one who knows it gets through."
    )
    return {"adversarial": statuses}


def _attacked(model: TorchModel, rows: Batch) -> Tensor:
    """Return changed images that the model gets wrong."""
    some = rows.take(slice(0, 4 * MOST))
    space = model.schema.space()
    moved = pgd(model.net, some, loss_of(model.task), space, eps=EPS, steps=20)
    return moved[model.predict(moved).argmax(1) != some.y]


def _test_rows(run: Run) -> Batch:
    recipe = recipe_from(run.recipe)
    rng = Generator().manual_seed(seed_of(recipe.seed, "data"))
    return recipe.data.load(run.folder, rng).splits.test


def post(url: str, x: Tensor) -> Reply:
    """Ask the server about `x`, in the words of the Open Inference Protocol v2."""
    tensor = {
        "name": INPUT, "datatype": "FP32", "shape": list(x.shape), "data": x.flatten().tolist(),
    }  # fmt: skip
    body = json.dumps({"inputs": [tensor]}).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    try:
        with NO_PROXY.open(asked, timeout=SECONDS) as reply:
            return Reply(reply.status, json.load(reply))
    except urllib.error.HTTPError as error:
        return Reply(error.code, json.load(error))


@contextmanager
def _serving(bundle: Path, voice: Voice) -> Yields[str]:
    """Yield the address of a server process; it is told to end when the block does."""
    command = [sys.executable, "-m", "fivefold", "serve", str(bundle), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        address = _address(server)
        voice.say("Serving {path} at {url}", path=str(bundle), url=address)
        yield address
    finally:
        server.terminate()
        server.communicate(timeout=SECONDS)
    voice.say("  The server has ended by itself, with code {code}.", code=server.returncode)


def _address(server: "subprocess.Popen[str]") -> str:
    """Return where the server listens, which it says first."""
    assert server.stdout is not None
    assert server.stderr is not None
    told = ""
    for line in server.stdout:
        told += line
        if line.rstrip() == "}":
            return str(json.loads(told)["url"])
    raise FivefoldError("The server did not start: {problem}", problem=server.stderr.read()[-500:])
