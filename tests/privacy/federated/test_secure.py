"""Secure rounds: the weights of plain rounds, from sums alone; what they cannot do is refused."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import torch

from federation import layout_of, local, mlp, ragged, read, site_of
from fivefold.core.codec import construct, decode, encode
from fivefold.core.errors import BadInput, BadRecipe
from fivefold.core.lineage import Record
from fivefold.core.step import Step
from fivefold.privacy import DPSGD, Federated
from fivefold.privacy.accounting import Part as Steps
from fivefold.privacy.accounting import bound
from fivefold.privacy.federated import (
    ByColumn,
    ClientPrivacy,
    Equal,
    Krum,
    Mean,
    Median,
    Plain,
    SecureAggregation,
    TrimmedMean,
)
from fivefold.privacy.federated.cohorts import Asked, Cohorts, Sampling
from fivefold.privacy.federated.failing import check_failing, failing
from fivefold.privacy.federated.local import Answers, Part
from fivefold.privacy.federated.private import Noisy, clipped, clipped_sum
from fivefold.privacy.federated.rounds import Rounds
from fivefold.privacy.federated.secure import SecureSums, is_enough, secure_sums, within
from fivefold.privacy.mechanism import paid_of
from fivefold.privacy.secure_aggregation import FixedPoint
from fivefold.privacy.secure_aggregation.server import Server
from fivefold.privacy.spent import spent_by
from seeding import seeded

SECURE = SecureAggregation(threshold=0.51, bits=64)
SIZES = (9, 4, 13, 6, 7, 5)


def rounds(
    *, rate=1.0, dropout=0.0, secure=None, sampling: Sampling = "poisson", noisy=None, rule=None
):
    net, (data, owner) = mlp(), ragged(list(SIZES))
    site, start = site_of(net, data, owner, local(), "products"), read(net, layout_of(net))
    run = Rounds(
        site=site,
        cohorts=Cohorts(rate=rate, sampling=sampling, dropout=dropout),
        aggregate=rule or Mean(),
        server=Plain(),
        noisy=noisy,
        secure=secure_sums(secure, noisy, len(SIZES)),
    )
    return run, start


@pytest.mark.parametrize("weighting", ["examples", "clients"])
@pytest.mark.parametrize("bits", [32, 64])
def test_secure_rounds_give_the_weights_of_plain_rounds(weighting, bits):
    rule, secure = Mean(weighting=weighting), replace(SECURE, bits=bits)
    ends = [
        run.run(start, 3, seeded(6))  # clients leave at each of the three times
        for run, start in (rounds(rule=rule, dropout=0.2), rounds(rule=rule, dropout=0.2, secure=secure))
    ]  # fmt: skip
    step = secure.grid(len(SIZES)).step
    ragged_by = max(SIZES) / min(SIZES) if weighting == "examples" else 1
    assert float((ends[0] - ends[1]).abs().max()) < 3 * 5 * ragged_by * step + 1e-6
    assert not torch.equal(ends[0], rounds()[1])


def test_cohorts_are_those_of_plain_rounds_and_leave_at_any_time():
    cohorts = Cohorts(rate=0.7, sampling="poisson", dropout=0.3)
    asked = [cohorts.ask(2000, seeded(i)) for i in range(10)]
    assert all(torch.equal(a.answering, cohorts.draw(2000, seeded(i))) for i, a in enumerate(asked))
    found = torch.bincount(torch.cat([a.left for a in asked]), minlength=4) / 14_000
    assert torch.allclose(found, torch.tensor([0.1, 0.1, 0.1, 0.7]), atol=0.02)
    assert bool((Cohorts(rate=1.0, sampling="fixed", dropout=0.0).ask(9, seeded()).left == 3).all())


def test_the_server_sees_masked_numbers_alone(monkeypatch):
    """What reaches the server of a client differs from what it sends in every place."""
    seen, take = [], Server.take_masked

    def spying(self, message):
        seen.append(message.values.copy())
        take(self, message)

    monkeypatch.setattr(Server, "take_masked", spying)
    run, start = rounds(secure=SECURE)
    run.run(start, 1, seeded())
    grid = SECURE.grid(len(SIZES))
    share = run.site.clients.size.double() / max(SIZES)
    moved = torch.cat([p.updates.double() * share[p.places, None] for p in run.site.answers(start, torch.arange(6), 0, None).parts])  # fmt: skip
    sent = [grid.encode(m) for m in moved]
    assert len(seen) == len(SIZES)
    assert not any(np.any(a[:-1] == b) for a in seen for b in sent)


def net_of(model) -> torch.nn.Module:
    return model.net.requires_grad_(False)


def asked_of(left):
    return Asked(torch.arange(len(left)), torch.tensor(left))


@pytest.mark.parametrize("left", [[3, 0, 1, 2, 3, 3], [3, 3, 3, 3, 3, 3], [0, 0, 3, 3, 3, 0]])
def test_a_sum_is_that_of_those_who_stay(left):
    asked, rows = asked_of(left), torch.randn(6, 5, generator=seeded(), dtype=torch.float64)
    stays = asked.answering
    sizes = torch.arange(1, 7)[stays]
    parts = [Part(torch.tensor([i]), rows[stays[i]][None]) for i in reversed(range(len(stays)))]
    found = SecureSums(rule=SECURE, largest=8.0).of(asked, sizes, 0, parts)
    assert found is not None
    assert torch.allclose(found.values, rows[stays].sum(0), atol=1e-12)
    assert found.n == int(sizes.sum())


@pytest.mark.parametrize("left", [[3, 3, 2, 2], [3], [], [0, 3], [1, 1, 3, 3, 3, 1, 1]])
def test_a_round_with_too_few_has_no_sum_and_trains_nobody(left):
    asked = asked_of(left)
    assert not is_enough(SECURE, asked)

    def never():
        raise AssertionError("nobody may be trained in vain")
        yield

    sums = SecureSums(rule=SECURE, largest=8.0)
    answers = Answers(asked.answering, never())
    assert sums.mean(asked, answers, torch.ones(len(left) or 1, dtype=torch.int64), 0) is None


def test_a_run_in_which_no_round_has_enough_is_refused():
    run, start = rounds(rate=0.4, dropout=0.9, secure=SecureAggregation())
    with pytest.raises(BadRecipe, match="none of 2 rounds"):
        run.run(start, 2, seeded())


def test_an_update_beyond_the_grid_stops_the_run():
    run, start = rounds(secure=replace(SECURE, largest=1e-6))
    with pytest.raises(BadInput, match="1e-06"):
        run.run(start, 1, seeded())


def test_the_step_learns_with_it_and_repeats_bit_for_bit(untrained, table):
    step = Federated(
        clients=Equal(n_clients=8), rounds=3, lr=0.3, rate=0.8, secure=SecureAggregation()
    )
    runs = [s(untrained, table.splits.seen, rng=seeded(1)) for s in (step, step, replace(step, secure=None))]  # fmt: skip
    first, again, plain = ([*net_of(m).parameters()] for m in runs)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert max(float((a - b).abs().max()) for a, b in zip(first, plain, strict=True)) < 1e-4


@pytest.mark.parametrize(
    "given",
    [
        {"aggregate": Median()},
        {"aggregate": TrimmedMean()},
        {"aggregate": Krum()},
        {"control_variates": True},
    ],
)
def test_what_needs_single_updates_is_refused(given):
    with pytest.raises(ValueError, match="secure aggregation hides"):
        Federated(secure=SecureAggregation(), **given)


@pytest.mark.parametrize(
    "bad", [{"threshold": 0.5}, {"threshold": 1.1}, {"bits": 16}, {"largest": 0.0}]
)
def test_nonsense_is_refused_before_anything_runs(bad):
    with pytest.raises(BadRecipe):
        construct(Federated, {"secure": bad}, where="steps[0]")


def test_a_recipe_names_it():
    made = decode({"use": "privacy.Federated", "secure": {"threshold": 0.7, "bits": 64}}, Step)
    assert made == Federated(secure=SecureAggregation(threshold=0.7, bits=64))
    assert decode(encode(made), Step) == made
    named = {"use": "privacy.federated.SecureAggregation"}
    assert decode({"use": "privacy.Federated", "secure": named}, Step) == Federated(secure=SecureAggregation())  # fmt: skip


class Elsewhere:
    """Clients that are not in this process."""

    def __init__(self, inner):
        self.clients, self.local, self.answers = inner.clients, inner.local, inner.answers


def test_clients_elsewhere_are_refused_because_they_would_not_mask():
    run, start = rounds(secure=SECURE)
    with pytest.raises(BadRecipe, match="machines of their own"):
        replace(run, site=Elsewhere(run.site)).run(start, 1, seeded())


def noisy_of(noise_multiplier=1e-9, clip_norm=0.05, rate=1.0, steps=2):
    private = ClientPrivacy(noise_multiplier=noise_multiplier, clip_norm=clip_norm, delta=1e-3)
    return Noisy(plan=private.plan(rate, steps, 32), noise=seeded(8))


@pytest.mark.parametrize("bits", [32, 64])
def test_private_secure_rounds_clip_at_the_clients_and_give_the_same(bits):
    ends = []
    for secure in (None, replace(SECURE, bits=bits)):
        run, start = rounds(noisy=noisy_of(), secure=secure)
        ends.append(run.run(start, 2, seeded(2)) - start)
    assert float((ends[0] - ends[1]).abs().max()) < 1e-6
    assert float(ends[0].abs().max()) > 1e-3


def test_noise_is_added_to_the_sum_of_every_round():
    run, start = rounds(noisy=noisy_of(noise_multiplier=50.0, clip_norm=1.0), secure=SECURE)
    moved = [run.run(start, 1, seeded()) - start for _ in range(30)]
    assert float(torch.stack(moved).std(0).mean()) == pytest.approx(50 / len(SIZES), rel=0.1)


@pytest.mark.parametrize("scale", [0.01, 0.999, 1.0, 1.001, 1e6, torch.inf])
@pytest.mark.parametrize("bits", [32, 64])
def test_one_client_moves_a_secure_sum_by_the_clip_norm_at_most(scale, bits):
    """Rounding included, and the others are rounded alike whether it comes or not."""
    n, width, clip_norm = 300, 2000, 0.5
    sums = SecureSums(rule=replace(SECURE, bits=bits), largest=clip_norm, n_summed=n)
    norm = within(clip_norm, sums.grid(n).step, width)
    assert norm < clip_norm
    for seed in range(5):
        one = torch.randn(1, width, generator=seeded(seed))
        one = one / one.norm() * clip_norm * scale
        whole = sums.grid(n).decode(sums.grid(n).encode(clipped(one, norm)[0]))
        assert float(whole.norm()) <= clip_norm
    assert sums.grid(2) == sums.grid(250)


def test_clients_clip_so_short_that_rounding_keeps_them_within_the_norm(monkeypatch):
    seen, encode_ = [], FixedPoint.encode

    def spying(self, values):
        seen.append(values.double().norm())
        return encode_(self, values)

    monkeypatch.setattr(FixedPoint, "encode", spying)
    noisy, width = noisy_of(clip_norm=0.05), 400
    sums = secure_sums(replace(SECURE, bits=32), noisy, 20_000)
    assert sums is not None
    rows = torch.randn(4, width, generator=seeded(), dtype=torch.float64)
    asked = asked_of([3, 3, 3, 3])
    sums.private_mean(asked, Answers(asked.ids, [Part(asked.ids, rows)]), noisy, 0, width)
    lost = sums.grid(4).step / 2 * width**0.5
    assert lost > 1e-6
    assert len(seen) == 4
    assert float(max(seen)) + lost <= 0.05
    assert sums.grid(4) == sums.grid(5)


def test_clipping_one_by_one_is_clipping_together():
    updates = torch.randn(7, 9, generator=seeded()) * torch.logspace(-3, 3, 7)[:, None]
    updates[3, 2] = torch.nan
    each = clipped(updates, 0.4)
    assert torch.allclose(each.sum(0), clipped_sum(updates, 0.4), atol=1e-6)
    assert float(each[3].abs().max()) == 0.0


def test_a_grid_too_coarse_for_the_clip_norm_is_refused():
    with pytest.raises(BadRecipe, match="64 bits"):
        within(1.0, 2.0**-10, 10**7)


def slow_failing(rule, cohorts, n_clients, n_draws=5_000):
    drawn, bad = seeded(4), 0
    for _ in range(n_draws):
        asked = cohorts.ask(n_clients, drawn)
        bad += len(asked.answering) > 0 and not is_enough(rule, asked)
    return bad / n_draws


@pytest.mark.parametrize(
    ("n", "rate", "dropout"), [(3, 0.4, 0.0), (8, 0.5, 0.3), (20, 1.0, 0.4), (12, 0.9, 0.6)]
)
def test_the_chance_that_a_round_fails_is_that_of_drawing(n, rate, dropout):
    rule, cohorts = SecureAggregation(), Cohorts(rate=rate, sampling="poisson", dropout=dropout)
    found, drawn = failing(rule, cohorts, n), slow_failing(rule, cohorts, n)
    assert found > 0.01
    assert abs(found - drawn) < 5 * (found / 5_000) ** 0.5


def test_rounds_that_cannot_fail_have_no_chance_to():
    cohorts = Cohorts(rate=1.0, sampling="poisson", dropout=0.0)
    assert [failing(SecureAggregation(), cohorts, n) for n in (0, 1, 2, 9)] == [0.0, 1.0, 0.0, 0.0]


def test_a_private_run_whose_rounds_may_fail_is_refused():
    """Whether a round fails tells how many came, which no noise hides."""
    rule, plan = SecureAggregation(), noisy_of(noise_multiplier=1.0, rate=0.5).plan
    few = Cohorts(rate=0.5, sampling="poisson", dropout=0.0)
    with pytest.raises(BadRecipe, match="tell who came"):
        check_failing(rule, few, plan, 20)
    check_failing(rule, few, plan, 80)
    with pytest.raises(BadRecipe, match="tell who came"):
        check_failing(rule, replace(few, dropout=0.4), plan, 80)
    run, start = rounds(rate=0.5, noisy=noisy_of(rate=0.5), secure=SECURE)
    with pytest.raises(BadRecipe, match="tell who came"):
        run.run(start, 1, seeded())


def test_what_failing_rounds_may_cost_is_taken_from_delta(untrained, table):
    """With delta as small as that, the epsilon at what is left is visibly larger."""
    private = ClientPrivacy(noise_multiplier=1.0, delta=1e-9)
    by_column = ByColumn(column="c0")
    step = Federated(private=private, clients=by_column, rate=0.5, secure=SecureAggregation())
    told = step.claim(250)
    spent = spent_by((Record("f", {}, "d", told),))
    part = Steps(0.5, 1.0, 20)
    assert told.privacy["slack"] == 2.0**-40
    assert spent.bound(1e-9).epsilon == bound([part], 1e-9 - 2.0**-40).epsilon
    assert spent.bound(1e-9).epsilon > bound([part], 1e-9).epsilon
    assert spent.bound(2.0**-41).epsilon == inf
    twice = spent_by((Record("f", {}, "d", told), Record("g", {}, "d", DPSGD().claim(250))))
    assert "not known" in str(twice.why_not)
    target = replace(step, private=replace(private, noise_multiplier=None, epsilon=2.0))
    assert 1.95 < target.epsilon(250) <= 2.0
    wrong = {**told.privacy, "slack": 1e-8}
    assert paid_of(wrong) is None


def test_a_private_secure_step_claims_what_a_private_step_claims(untrained, table):
    private = ClientPrivacy(noise_multiplier=1.0, clip_norm=0.5)
    plain = Federated(private=private, clients=Equal(n_clients=6), rate=1.0, rounds=2)
    step = replace(plain, secure=SecureAggregation(bits=64))
    told = dict(step.claim(250).privacy)
    slack = told.pop("slack")
    assert told == plain.claim(250).privacy
    assert 0 < slack <= told["delta"] / 1000
    assert plain.epsilon(250) <= step.epsilon(250) < plain.epsilon(250) * 1.001
    made = step(untrained, table.splits.seen, rng=seeded())
    assert all(bool(p.isfinite().all()) for p in net_of(made).parameters())
