"""A run on disk and its bundle."""

import hashlib

import pytest
from shipping import Shipped, with_accuracy
from toy_run import toy_run

from fivefold.core.data import Dataset
from fivefold.deploy import write_bundle
from fivefold.models import TorchModel
from fivefold.recipe.folder import RunFolder


@pytest.fixture(scope="module")
def shipped(
    table: Dataset, untrained: TorchModel, trained: TorchModel, tmp_path_factory: pytest.TempPathFactory
) -> Shipped:  # fmt: skip
    folder = tmp_path_factory.mktemp("shipped")
    run = with_accuracy(toy_run(table, untrained, trained))
    RunFolder(folder / "run").keep_run(run)
    write_bundle(run, "plain", trained, folder / "bundle")
    digest = hashlib.sha256((folder / "bundle/manifest.json").read_bytes()).hexdigest()
    return Shipped(folder / "run", folder / "bundle", digest)
