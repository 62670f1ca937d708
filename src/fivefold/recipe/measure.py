"""Ask the probes, and remember their answers."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Generator

from fivefold.core import progress
from fivefold.core.beside import files_of
from fivefold.core.codec import encode, name_of
from fivefold.core.cost import Cost, measured
from fivefold.core.data import Dataset
from fivefold.core.errors import BadRecipe, NotMeasurable
from fivefold.core.evidence import Finding, Missing
from fivefold.core.model import Model
from fivefold.core.probe import Comparison, Probe
from fivefold.core.text import Text
from fivefold.recipe.folder import Measured, StageFolder
from fivefold.recipe.key import key_of, seed_of

KEEP_SECONDS = 2.0  # a write that survives a power cut costs as much as a small probe
NOTHING: Mapping[str, Any] = MappingProxyType({})
Load = Callable[[], Model]


def measure(
    folder: StageFolder,
    asked: Sequence[Probe | Comparison],
    stages: Sequence[tuple[str, Load]],
    data: Dataset,
    seed: int,
    acting: Mapping[str, Any] = NOTHING,
) -> tuple[Measured, ...]:
    """Return what every probe finds, asking only those whose answer is not known yet.

    Args:
        folder: Where answers are kept; an interruption costs a few seconds of them.
        asked: Probes of the last model, comparisons of the first with the last.
        stages: Hash and loader of the parent (if any) and of the model itself.
        data: The examples.
        seed: Seed of the recipe; a probe draws the same at every stage, so that two stages differ only
            by the step between them.
        acting: What else decides the answers, by name: the device and the plug-ins.
    """
    known = folder.measured()
    before = tuple(known.values())
    kind = data.task.kind
    asked = [p for p in asked if isinstance(p, Comparison) or kind in p.tasks]
    keyed = [(p, _key(p, stages, data, seed, acting)) for p in asked]
    try:
        found = tuple(_answers(folder, keyed, stages, data, seed, known))
    except BaseException:
        folder.keep_measured(tuple(known.values()))
        raise
    if found != before:
        folder.keep_measured(found)
    _check_unique([f for m in found for f in m.findings])
    return found


def _answers(
    folder: StageFolder,
    asked: Sequence[tuple[Probe | Comparison, str]],
    stages: Sequence[tuple[str, Load]],
    data: Dataset,
    seed: int,
    known: dict[str, Measured],
) -> Iterator[Measured]:
    """Yield the answer to each probe, adding to `known` what had to be asked."""
    written = time.monotonic()
    for probe, key in progress.track(asked, "measuring"):
        if key not in known:
            models = [load() for _, load in _about(probe, stages)]
            known[key] = _ask(key, probe, models, data, seed)
        if time.monotonic() - written > KEEP_SECONDS:
            folder.keep_measured(tuple(known.values()))
            written = time.monotonic()
        yield known[key]


def _about(
    probe: Probe | Comparison, stages: Sequence[tuple[str, Load]]
) -> Sequence[tuple[str, Load]]:
    return stages if isinstance(probe, Comparison) else stages[-1:]


def _key(
    probe: Probe | Comparison,
    stages: Sequence[tuple[str, Load]],
    data: Dataset,
    seed: int,
    acting: Mapping[str, Any],
) -> str:
    models = [model_hash for model_hash, _ in _about(probe, stages)]
    return key_of(
        probe=encode(probe),
        files=files_of(probe),
        models=models,
        data=data.fingerprint,
        seed=seed,
        **acting,
    )


def total(found: Sequence[Measured]) -> Cost:
    """Return what all of it took."""
    return Cost(
        sum(m.cost.seconds for m in found),
        sum(m.cost.cpu_seconds for m in found),
        max((m.cost.peak_bytes for m in found), default=0),
    )


def _ask(
    key: str, probe: Probe | Comparison, models: list[Model], data: Dataset, seed: int
) -> Measured:
    rng = Generator().manual_seed(seed_of(seed, name_of(type(probe))))
    with measured() as cost:
        try:
            if isinstance(probe, Comparison):
                before, after = models
                findings = tuple(probe(before, after, data.splits, rng=rng))
            else:
                findings = tuple(probe(models[-1], data.splits, rng=rng))
        except NotMeasurable as error:
            findings = (_missing(probe, error),)
    return Measured(
        key=key, findings=findings, cost=cost, is_comparison=isinstance(probe, Comparison)
    )


def _missing(probe: Probe | Comparison, error: NotMeasurable) -> Missing:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(probe).__name__).lower()
    reason = Text(error.what.template, error.what.facts)
    return Missing(axis=probe.axis, name=name, reason=reason)


def _check_unique(findings: Sequence[Finding]) -> None:
    keys = [f.key for f in findings]
    for key in keys:
        if keys.count(key) > 1:
            raise BadRecipe(
                "Two probes both measure {key}.",
                mend="Leave one out, or give them different settings.",
                key=key,
            )
