"""A run with one trained stage, as the runner would leave it."""

from pathlib import Path

from fivefold.core.codec import encode
from fivefold.core.cost import Cost
from fivefold.core.data import Dataset
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.text import text
from fivefold.learning import Finetune
from fivefold.models import TorchModel
from fivefold.recipe.stage import START, DataCard, Run, Stage


def toy_run(table: Dataset, untrained: TorchModel, trained: TorchModel) -> Run:
    found = Evidence(
        axis=Axis.PRIVACY,
        name="epsilon",
        value=float("inf"),
        low=3.5,
        high=float("inf"),
        n=10,
        unit="nats",
        better="lower",
        note=text("Read {n} rows.", n=250),
    )
    lost = Missing(axis=Axis.SECURITY, name="x", reason=text("Nobody knows."))
    stages = [
        Stage(
            name=name,
            parent=parent,
            step=encode(Finetune()) if parent else {},
            lineage=model.lineage,
            findings=(found, lost),
            changes=(),
            cost=Cost(1.0, 2.0, 3),
            probe_cost=Cost(),
            key=name * 3,
        )
        for name, parent, model in ((START, "", untrained), ("plain", START, trained))
    ]
    return Run(
        name="toy",
        folder=Path("nowhere"),
        recipe={"name": "toy", "steps": [encode(Finetune()) | {"name": "plain"}]},
        stages=tuple(stages),
        data=DataCard(
            name="toy", fingerprint="f", task=table.task, schema=table.schema, sizes={"train": 250}
        ),
        environment={"torch": "2"},
        created="2026-01-01T00:00:00+00:00",
    )
