"""The best of a secret number of private runs costs what dp-accounting says, and is refused without a price."""

from dataclasses import dataclass, replace
from math import inf

import pytest
import torch
from dp_accounting import (
    ComposedDpEvent,
    GaussianDpEvent,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
)
from dp_accounting.dp_event import RepeatAndSelectDpEvent
from dp_accounting.rdp import RdpAccountant
from scipy.stats import chisquare, geom, logser, nbinom, poisson

from fivefold.core.codec import decode, encode
from fivefold.core.cost import Cost
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.evidence import Evidence
from fivefold.core.lineage import Claim, Record
from fivefold.core.step import Step
from fivefold.learning import Finetune
from fivefold.privacy import DPSGD, Epsilon, Ledger, RepeatAndSelect
from fivefold.privacy.accounting import ORDERS, Part, Repeated, Run, bound, composed
from fivefold.privacy.chain import read_chain
from fivefold.privacy.mechanism import paid_of
from fivefold.privacy.repeats import Repeats, mean_of, stop_of
from fivefold.recipe import recipe_from, run
from fivefold.recipe.walk import apply
from fivefold.training.optimizer import AdamW
from seeding import seeded

ONE = DPSGD(noise_multiplier=2.0, rate=0.1, steps=4, delta=1e-5)
SHAPES = [1.0, 0.0, 0.5, 3.0, "poisson"]


def theirs(mean, shape, delta, *besides):
    one = SelfComposedDpEvent(PoissonSampledDpEvent(0.1, GaussianDpEvent(2.0)), 4)
    accountant = RdpAccountant(orders=ORDERS)
    accountant.compose(RepeatAndSelectDpEvent(ComposedDpEvent([one]), mean, shape))
    for event in besides:
        accountant.compose(event)
    return accountant.get_epsilon(delta)


def epsilon(model, splits, **given):
    (one,) = Epsilon(**given)(model, splits, rng=seeded())
    assert isinstance(one, Evidence)
    return one


def claiming(model, *steps):
    records = [Record(f"s{i}", {}, "d", step.claim(250)) for i, step in enumerate(steps)]
    return model.with_lineage((*model.lineage, *records))


@pytest.mark.parametrize("shape", SHAPES)
def test_it_costs_what_dp_accounting_says(shape, untrained, table):
    step = RepeatAndSelect(steps=(ONE,), repeats=Repeats(mean=5.0, shape=shape))
    one = epsilon(claiming(untrained, step), table.splits)
    expected = theirs(5.0, inf if shape == "poisson" else shape, 1e-5)
    assert one.value == pytest.approx(expected, rel=1e-12)
    assert one.interval == "Renyi upper bound"
    assert one.value > bound([Part(0.1, 2.0, 4)], 1e-5).epsilon
    assert "validation rows" in str(one.note)
    assert "mean runs = 5" in str(one.note)


def test_it_is_added_to_other_steps(untrained, table):
    step = RepeatAndSelect(steps=(ONE,), repeats=Repeats(mean=5.0))
    other = SelfComposedDpEvent(PoissonSampledDpEvent(0.1, GaussianDpEvent(2.0)), 4)
    one = epsilon(claiming(untrained, step, ONE), table.splits)
    assert one.value == pytest.approx(theirs(5.0, 1.0, 1e-5, other), rel=1e-12)
    twice = epsilon(claiming(untrained, step), table.splits, runs=2)
    assert twice.value == pytest.approx(
        composed([Run((Part(0.1, 2.0, 4),), Repeated(5.0, 1.0))] * 2, 1e-5).epsilon, rel=1e-9
    )


def test_it_costs_less_than_many_runs_that_are_all_told():
    many = bound([Part(0.1, 2.0, 4 * 30)], 1e-5).epsilon
    assert composed([Run((Part(0.1, 2.0, 4),), Repeated(30.0, 1.0))], 1e-5).epsilon < many


@pytest.mark.parametrize("mean", [1.0, 2.5, 40.0])
@pytest.mark.parametrize("shape", [0.0, 0.5, 1.0, 3.0])
def test_the_number_of_runs_has_its_mean(mean, shape):
    stop = stop_of(mean, shape)
    assert mean_of(stop, shape) == pytest.approx(mean, rel=1e-9)
    assert stop >= (1 / mean) * (1 - 1e-12) if shape == 1 else stop <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_the_number_of_runs_follows_its_distribution(shape):
    mean, n = 3.0, 4000
    rng = seeded(5)
    drawn = torch.tensor([Repeats(mean=mean, shape=shape).draw(rng) for _ in range(n)])
    numbers = range(9)
    if shape == "poisson":
        chance = [poisson.pmf(k, mean) for k in numbers]
    elif shape == 0:
        chance = [logser.pmf(k, 1 - stop_of(mean, 0.0)) for k in numbers]
    elif shape == 1:
        chance = [geom.pmf(k, 1 / mean) for k in numbers]
    else:
        stop = stop_of(mean, shape)
        rest = 1 - nbinom.pmf(0, shape, stop)
        chance = [0.0, *(nbinom.pmf(k, shape, stop) / rest for k in numbers[1:])]
    counts = drawn.clamp(max=9).bincount(minlength=10).double()
    expected = torch.tensor([*chance, 1 - sum(chance)]).double() * n
    kept = expected > 0
    assert int(counts[~kept].sum()) == 0
    assert chisquare(counts[kept].numpy(), expected[kept].numpy()).pvalue > 1e-4


def test_one_run_that_is_kept_for_certain_costs_about_one_run():
    """The theorem is loose by a little there, and never below."""
    kept = composed([Run((Part(0.1, 2.0, 4),), Repeated(1.0, 1.0))], 1e-5).epsilon
    assert kept >= bound([Part(0.1, 2.0, 4)], 1e-5).epsilon


def test_the_best_is_kept(untrained, table):
    """Of runs that hardly move and runs that learn, one that learns."""
    still = replace(ONE, optimizer=AdamW(lr=1e-6), steps=30, rate=0.5)
    moving = replace(still, optimizer=AdamW(lr=3e-2))
    step = RepeatAndSelect(
        steps=(still, moving), repeats=Repeats(mean=6.0, shape="poisson"), insecure_seed=2
    )
    seen = table.splits.seen
    best = step(untrained, seen, rng=seeded())
    before = (untrained.predict(seen.valid.x).argmax(1) == seen.valid.y).float().mean()
    assert (best.predict(seen.valid.x).argmax(1) == seen.valid.y).float().mean() > before + 0.1


def test_no_run_leaves_the_model_as_it_was(untrained, table, monkeypatch):
    monkeypatch.setattr(Repeats, "draw", lambda self, rng: 0)
    step = RepeatAndSelect(steps=(ONE,), repeats=Repeats(shape="poisson"))
    assert step(untrained, table.splits.seen, rng=seeded()) is untrained


def test_how_often_is_no_secret_of_the_recipe(untrained, table, monkeypatch):
    drawn = []
    original = Repeats.draw

    def spied(self, rng):
        drawn.append(rng.initial_seed())
        return min(original(self, rng), 2)

    monkeypatch.setattr(Repeats, "draw", spied)
    step = RepeatAndSelect(steps=(ONE,))
    a = step(untrained, table.splits.seen, rng=seeded(1))
    b = step(untrained, table.splits.seen, rng=seeded(1))
    assert not torch.equal(a.predict(table.splits.test.x), b.predict(table.splits.test.x))


def test_what_has_no_price_is_refused(untrained, table):
    @dataclass(frozen=True)
    class Quiet(Step):
        def __call__(self, model, seen, *, rng):
            return model

        def claim(self, n_examples):
            return Claim()

    with pytest.raises(ValueError, match="no price"):
        RepeatAndSelect(steps=(Finetune(),))
    with pytest.raises(ValueError, match="at least one"):
        RepeatAndSelect(steps=())
    with pytest.raises(BadRecipe, match="no price"):
        RepeatAndSelect(steps=(Quiet(),)).claim(250)
    with pytest.raises(BadRecipe, match="no price"):
        RepeatAndSelect(steps=(RepeatAndSelect(),)).claim(250)
    with pytest.raises(BadRecipe, match="cost differently"):
        RepeatAndSelect(steps=(ONE, replace(ONE, steps=5)))(
            untrained, table.splits.seen, rng=seeded()
        )
    with pytest.raises(ValueError, match="mean"):
        Repeats(mean=0.5)


def test_without_validation_rows_nothing_can_be_chosen(untrained, table):
    seen = table.splits.seen
    empty = seen._replace(valid=seen.valid.take(slice(0, 0)))
    with pytest.raises(BadInput, match="validation"):
        RepeatAndSelect(steps=(ONE,))(untrained, empty, rng=seeded())


def test_the_ledger_counts_it_once_and_not_how_often(untrained, table, tmp_path):
    file = str(tmp_path / "spent")
    with pytest.raises(ValueError, match="how many"):
        RepeatAndSelect(steps=(replace(ONE, ledger=Ledger(file=file)),))
    step = RepeatAndSelect(steps=(ONE,), repeats=Repeats(mean=2.0), ledger=Ledger(file=file))
    model = apply(step, "tuned", untrained, table.splits.seen, seeded())
    (entry,) = read_chain(tmp_path / "spent")
    assert entry["privacy"]["mechanism"] == "repeat and select"
    one = epsilon(model, table.splits, ledger=step.ledger)
    assert one.value == pytest.approx(theirs(2.0, 1.0, 1e-5), rel=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": 0.5},
        {"mean": inf},
        {"shape": -1.0},
        {"shape": "flat"},
        {"of": {}},
        {"seeded": None},
    ],
)
def test_a_record_that_is_not_understood_costs_everything(changed, untrained, table):
    record = dict(RepeatAndSelect(steps=(ONE,)).claim(250).privacy) | changed
    model = untrained.with_lineage((Record("s", {}, "d", Claim(privacy=record)),))
    assert epsilon(model, table.splits).value == inf


def test_seeds_of_the_runs_void_it():
    assert not paid_of(RepeatAndSelect(steps=(ONE,)).claim(250).privacy).is_seeded  # type: ignore[union-attr]
    for step in (
        RepeatAndSelect(steps=(replace(ONE, insecure_seed=1),)),
        RepeatAndSelect(steps=(ONE,), insecure_seed=1),
    ):
        assert paid_of(step.claim(250).privacy).is_seeded  # type: ignore[union-attr]


def test_it_survives_the_recipe_file():
    step = RepeatAndSelect(
        steps=(ONE, replace(ONE, clip_norm=2.0)), repeats=Repeats(shape="poisson")
    )
    assert decode(encode(step), Step) == step


def test_a_run_keeps_no_time_of_it(tmp_path):
    """The time of the step is about the number of runs times that of one."""
    one = {"use": "privacy.DPSGD", "noise_multiplier": 2.0, "rate": 0.1, "steps": 2}
    steps = [
        {"use": "privacy.RepeatAndSelect", "name": "chosen", "steps": [one], "insecure_seed": 1},
        {**one, "name": "once", "insecure_seed": 1},
    ]
    told = {
        "data": {"use": "data.Bundled", "name": "breast_cancer"}, "model": {"use": "models.MLP", "hidden": [4]},
        "preset": "none", "probes": [{"use": "learning.Accuracy"}], "steps": steps,
    }  # fmt: skip
    done = run(recipe_from(told), tmp_path)
    costs = {stage.name: stage.cost for stage in done.stages}
    assert costs["chosen"] == Cost()
    assert costs["chosen"].told == "–"
    assert costs["once"].seconds > 0
    assert costs["once"].told != "–"
