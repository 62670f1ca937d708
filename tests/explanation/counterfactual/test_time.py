from dataclasses import dataclass

import torch
from games import Function, of_columns

from fivefold.core.task import Task
from fivefold.explanation import Counterfactual, counterfactuals
from fivefold.explanation.counterfactual import counterfactual, judge
from seeding import seeded

YES_NO = Task(classes=("no", "yes"))


@dataclass
class Clock:
    """A clock that moves only when the model answers."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def slow(clock: Clock, seconds: float, threshold: float = 0.0) -> Function:
    """A model that takes `seconds` for each row."""

    def answer(x: torch.Tensor) -> torch.Tensor:
        clock.now += seconds * len(x)
        score = x.sum(1) - threshold
        return torch.stack([-score, score], 1)

    return of_columns(3, answer, YES_NO)


def run(monkeypatch, seconds: float, limit: float, n: int = 4, threshold: float = 0.0, known=60):
    clock = Clock()
    monkeypatch.setattr(judge, "monotonic", clock)
    monkeypatch.setattr(counterfactual, "monotonic", clock)
    model = slow(clock, seconds, threshold)
    x = torch.randn(n, 3, generator=seeded())
    background = 2 * torch.randn(known, 3, generator=seeded(1))
    found = counterfactuals(
        model, x, background, rng=seeded(), method=Counterfactual(seconds=limit)
    )
    return found, clock.now


def test_a_slow_model_is_stopped_in_time_and_what_was_found_is_kept(monkeypatch):
    found, took = run(monkeypatch, seconds=0.01, limit=5.0)
    assert found.is_stopped.all()
    assert took <= 5.0
    assert found.found[:, 0].all()
    assert found.n_evaluations.sum() < 500


def test_a_limit_that_is_too_short_for_anything_says_so(monkeypatch):
    found, took = run(monkeypatch, seconds=1.0, limit=4.5)
    assert found.is_stopped.all()
    assert took <= 4.5
    assert not found.found.any()
    assert "limit of 4.5 seconds" in found.sentences(0)[0]


def test_many_rows_share_the_time(monkeypatch):
    found, took = run(monkeypatch, seconds=0.001, limit=20.0, n=300)
    assert found.is_stopped.all()
    assert took <= 20.0
    assert found.found[:, 0].float().mean() > 0.9


def test_an_impossible_wish_ends_in_time(monkeypatch):
    found, took = run(monkeypatch, seconds=0.01, limit=8.0, threshold=1e9)
    assert took <= 8.0
    assert not found.found.any()
    assert "None found in" in found.sentences(0)[0]


def test_enough_time_is_not_called_a_limit(monkeypatch):
    found, _ = run(monkeypatch, seconds=1e-6, limit=10.0)
    assert not found.is_stopped.any()


def test_a_large_background_leaves_time_for_the_search(monkeypatch):
    found, took = run(monkeypatch, seconds=0.01, limit=10.0, known=5000)
    assert took <= 10.0
    assert found.found[:, 0].all()
