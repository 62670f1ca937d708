"""The privacy claim of a federated run: what it promises is what it does."""

from math import inf, isinf

import pytest
import torch
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant

from federation import layout_of, local, mlp, ragged, read, site_of
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.lineage import Record
from fivefold.privacy import Epsilon, Federated
from fivefold.privacy.federated import (
    ByColumn,
    ClientPrivacy,
    Equal,
    FedAdam,
    Krum,
    Mean,
    Median,
    Plain,
)
from fivefold.privacy.federated.cohorts import Cohorts
from fivefold.privacy.federated.local import Site
from fivefold.privacy.federated.private import Noisy, clipped_sum, private_mean
from fivefold.privacy.federated.rounds import Rounds
from fivefold.privacy.plan import plan_of
from seeding import seeded

NOISY = ClientPrivacy(noise_multiplier=1.0)
SEEDED = ClientPrivacy(noise_multiplier=1.0, insecure_seed=3)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


def test_epsilon_is_that_of_dp_accounting():
    step = Federated(private=ClientPrivacy(noise_multiplier=1.3, delta=1e-5), rate=0.1, rounds=50)
    event = SelfComposedDpEvent(PoissonSampledDpEvent(0.1, GaussianDpEvent(1.3)), 50)
    theirs = PLDAccountant(value_discretization_interval=1e-4).compose(event).get_epsilon(1e-5)
    assert step.epsilon(1000) == pytest.approx(theirs, rel=2e-3)
    assert step.epsilon(1000) >= theirs - 1e-3


def test_epsilon_asked_for_is_reached():
    step = Federated(private=ClientPrivacy(epsilon=2.0), rate=0.2, rounds=10)
    assert 1.9 <= step.epsilon(250) <= 2.0
    assert isinf(Federated().epsilon(250))
    assert isinf(Federated(private=SEEDED).epsilon(250))


def test_the_claim_is_about_clients_and_nobody_takes_it_for_examples(trained, table):
    step = Federated(private=NOISY, clients=ByColumn(column="c5"), rate=0.2, rounds=7)
    claim = step.claim(250).privacy
    assert claim["unit"] == "client"
    assert claim["owners"] == "column c5"
    assert (claim["rate"], claim["steps"], claim["noise_multiplier"]) == (0.2, 7, 1.0)
    assert claim["seeded"] is False
    assert plan_of(claim) is None
    lineage = (Record("federated", {}, "data", step.claim(250)),)
    (found,) = Epsilon()(trained.with_lineage(lineage), table.splits, rng=seeded())
    assert found.setting == "delta 0.0001, per client"
    assert found.value == step.epsilon(250)  # type: ignore[union-attr]


def test_a_plain_run_claims_nothing():
    assert Federated().claim(250).privacy == {}
    assert Federated(private=SEEDED).claim(250).privacy["seeded"] is True


@pytest.mark.parametrize(
    "given",
    [
        {"sampling": "fixed"},
        {"aggregate": Median()},
        {"aggregate": Krum()},
        {"aggregate": Mean(weighting="examples")},
        {"control_variates": True},
    ],
)
def test_what_would_make_the_claim_false_is_refused(given):
    with pytest.raises(ValueError, match=r"claim|Control"):
        Federated(private=NOISY, **given)


def test_epsilon_and_noise_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        ClientPrivacy(epsilon=1.0, noise_multiplier=1.0)


def test_a_delta_that_allows_publishing_a_client_is_refused(untrained, table):
    step = Federated(private=ClientPrivacy(noise_multiplier=1.0, delta=0.2), clients=Equal())
    with pytest.raises(BadRecipe, match="clients"):
        step(untrained, table.splits.seen, rng=seeded())
    with pytest.raises(BadInput, match="no training examples"):
        step.claim(0)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 0.3, 50.0, 1e30, inf])
def test_one_client_moves_the_sum_by_the_clip_norm_at_most(scale):
    others, one = torch.randn(6, 40, generator=seeded()), torch.randn(1, 40, generator=seeded(1))
    with_it = clipped_sum(torch.cat([others, one * scale]), 0.5)
    gap = float((with_it.double() - clipped_sum(others, 0.5).double()).norm())
    assert gap <= 0.5 * (1 + 1e-5)
    assert with_it.isfinite().all()
    assert clipped_sum(one * scale, 0.5).double().norm() <= 0.5


def test_short_updates_are_left_as_they_are():
    short = 0.01 * torch.randn(5, 8, generator=seeded())
    assert torch.allclose(clipped_sum(short, 1.0), short.sum(0), atol=1e-7)


def spied_rounds(n_rounds=4, rate=0.5, clip_norm=0.05, noise_multiplier=1e-6, sizes=(9, 4, 13, 6)):
    net, (data, owner) = mlp(), ragged(list(sizes))
    site, start = site_of(net, data, owner, local(), "products"), read(net, layout_of(net))
    private = ClientPrivacy(noise_multiplier=noise_multiplier, clip_norm=clip_norm, delta=1e-3)
    plan = private.plan(rate, n_rounds, 32)
    run = Rounds(
        site=site,
        cohorts=Cohorts(rate=rate, sampling="poisson", dropout=0.0),
        aggregate=Mean(),
        server=Plain(),
        noisy=Noisy(plan=plan, noise=seeded(8)),
    )
    return run, start


def test_the_sum_is_divided_by_the_expected_number_of_clients():
    run, start = spied_rounds(n_rounds=1)
    ids = run.cohorts.draw(4, seeded(2))
    assert len(ids) != 2
    assert isinstance(run.site, Site)
    moved = torch.cat([u for _, u in run.site.updates(start, ids, 0)])
    slow = sum(u * min(1.0, 0.05 / float(u.norm())) for u in moved) / (0.5 * 4)
    assert torch.allclose(run.run(start, 1, seeded(2)), start + slow, atol=1e-6)


def test_noise_has_the_deviation_that_was_paid_for():
    run, _ = spied_rounds(noise_multiplier=2.0, clip_norm=0.3)
    assert run.noisy is not None
    found = private_mean(torch.zeros(100_000), run.noisy.plan, 4, seeded())
    assert float(found.std()) == pytest.approx(2.0 * 0.3 / (0.5 * 4), rel=0.02)


def test_every_round_adds_its_own_noise_even_when_nobody_comes():
    run, start = spied_rounds(rate=1e-9, noise_multiplier=1.0)
    found = [run.run(start, n, seeded()) for n in (1, 1)]
    steps = torch.stack([f - start for f in found])
    assert float(steps.norm(dim=1).min()) > 0
    assert abs(float(torch.corrcoef(steps)[0, 1])) < 0.5


def test_a_client_that_breaks_counts_as_nothing():
    run, start = spied_rounds(n_rounds=2, rate=1.0)
    run.site.data.x[run.site.clients.rows[:9]] = inf  # type: ignore[index]
    assert run.run(start, 2, seeded()).isfinite().all()


def test_noise_and_samples_do_not_follow_from_the_public_seed(untrained, table):
    step = Federated(private=NOISY, clients=Equal(), rounds=2)
    runs = [step(untrained, table.splits.seen, rng=seeded(1)) for _ in range(2)]
    assert not torch.equal(weights(runs[0]), weights(runs[1]))
    step = Federated(private=SEEDED, clients=Equal(), rounds=2)
    runs = [step(untrained, table.splits.seen, rng=seeded(1)) for _ in range(2)]
    assert torch.equal(weights(runs[0]), weights(runs[1]))


@pytest.mark.parametrize("server", [Plain(), FedAdam()])
def test_it_learns_among_many_clients(untrained, table, server):
    private = ClientPrivacy(noise_multiplier=1.0, clip_norm=0.5, insecure_seed=1)
    step = Federated(
        private=private, clients=Equal(n_clients=80), rate=0.5, lr=0.5, rounds=30, server=server
    )
    model, test = step(untrained, table.splits.seen, rng=seeded()), table.splits.test
    assert float((model.predict(test.x).argmax(-1) == test.y).double().mean()) > 0.85
