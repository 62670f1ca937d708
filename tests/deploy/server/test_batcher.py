"""Micro-batching: nobody notices it."""

import asyncio
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fivefold.deploy.server.batcher import Batcher, Work
from fivefold.deploy.server.call import Answer, Call
from fivefold.deploy.server.forward import forward_of
from fivefold.deploy.server.pace import INLINE, Pace
from fivefold.models import TorchModel
from fivefold.security.detector import FittedMahalanobis


def call_of(x: Tensor) -> Call:
    call = Call({}, {}, "infer", time.perf_counter())
    call.x, call.rows = x, len(x)
    return call


def asking(batcher: Batcher, call: Call) -> "asyncio.Future[Answer]":
    """Ask, and return what will hold the answer."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(error: Exception | None) -> None:
        if error is not None:
            answer.set_exception(error)
        else:
            assert call.answer is not None
            answer.set_result(call.answer)

    batcher.submit(call, done)
    return answer


def asked(work: Work, parts: list[Tensor], *, quick: bool = False) -> list[Answer | BaseException]:
    """Ask for all parts at once: of a quick model, or of one that is busy with a first part meanwhile."""
    free = threading.Event()

    def held(x: Tensor) -> Answer:
        free.wait(10)
        return work(x)

    async def main() -> list[Answer | BaseException]:
        batcher = Batcher(work if quick else held)
        batcher.start(torch.zeros_like(parts[0][:1]) if quick else None)
        jobs = [asking(batcher, call_of(x)) for x in parts]
        assert batcher.waiting == sum(map(len, parts))
        if not quick:
            await asyncio.sleep(0.05)
            assert batcher.waiting == sum(map(len, parts))
        free.set()
        found = await asyncio.gather(*jobs, return_exceptions=True)
        assert batcher.waiting == 0
        batcher.stop()
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("quick", [True, False])
def test_answers_are_those_of_each_alone(trained: TorchModel, quick: bool) -> None:
    width = trained.embed(torch.zeros(1, 6)).shape[1]
    detector = FittedMahalanobis(torch.zeros(2, width).double(), torch.eye(width).double(), 1.0)
    work = forward_of(trained, detector)
    parts = [torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (1, 3, 1, 7, 2)]
    for x, one in zip(parts, asked(work, parts, quick=quick), strict=True):
        assert isinstance(one, Answer)
        np.testing.assert_allclose(one.outputs, trained.predict(x).numpy(), atol=1e-6)
        assert one.scores is not None
        np.testing.assert_allclose(one.scores, detector.score(trained, x).numpy(), rtol=1e-5)


def test_they_are_answered_together(trained: TorchModel) -> None:
    sizes: list[int] = []

    def work(x: Tensor) -> Answer:
        sizes.append(len(x))
        return Answer(outputs=trained.predict(x).numpy())

    asked(work, [torch.zeros(1, 6)] * 9)
    assert sum(sizes) == 9
    assert len(sizes) <= 2


def test_a_quick_model_is_asked_in_the_loop_and_a_slow_one_is_not() -> None:
    where: set[int] = set()

    def quick(x: Tensor) -> Answer:
        where.add(threading.get_ident())
        return Answer(outputs=x.numpy())

    asked(quick, [torch.zeros(1, 2)] * 3, quick=True)
    assert where == {threading.get_ident()}
    where.clear()
    asked(quick, [torch.zeros(1, 2)] * 3)
    assert threading.get_ident() not in where


def test_one_that_fails_does_not_fail_its_neighbours() -> None:
    def work(x: Tensor) -> Answer:
        if (x < 0).any():
            raise ArithmeticError
        return Answer(outputs=x.numpy())

    parts = [torch.full((1, 2), v) for v in (1.0, 2.0, -1.0, 3.0)]
    found = asked(work, parts)
    assert isinstance(found[2], ArithmeticError)
    assert [float(one.outputs[0, 0]) for i, one in enumerate(found) if i != 2 and isinstance(one, Answer)] == [1, 2, 3]  # fmt: skip


def test_who_has_given_up_costs_the_model_nothing() -> None:
    seen: list[int] = []
    free = threading.Event()

    def work(x: Tensor) -> Answer:
        free.wait(10)
        seen.append(len(x))
        return Answer(outputs=x.numpy())

    async def main() -> None:
        batcher = Batcher(work, most=1)
        batcher.start()
        first = asking(batcher, call_of(torch.zeros(1, 2)))
        await asyncio.sleep(0.05)
        gone = call_of(torch.zeros(5, 2))
        asking(batcher, gone)
        gone.is_gone = True
        free.set()
        await first
        batcher.stop()
        await asyncio.sleep(0.01)
        assert batcher.waiting == 0

    asyncio.run(main())
    assert seen == [1]


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    free = threading.Event()

    def work(x: Tensor) -> Answer:
        free.wait(10)
        return Answer(outputs=x.numpy())

    async def main() -> None:
        batcher = Batcher(work, most=1, seconds=0.1)
        batcher.start()
        jobs = [asking(batcher, call_of(torch.zeros(1, 2))) for _ in range(3)]
        found = await asyncio.gather(*jobs, return_exceptions=True)
        assert [getattr(one, "status", 0) for one in found] == [504] * 3
        free.set()
        batcher.stop()

    asyncio.run(main())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    fixed=st.floats(1e-5, 5e-3), each=st.floats(1e-6, 1e-3), most=st.integers(1, 64), late=st.floats(0, 1)
)  # fmt: skip
def test_the_loop_stands_still_no_longer_than_it_may(
    fixed: float, each: float, most: int, late: float
) -> None:
    """The pace follows the median: a few late measurements do not move it."""
    pace = Pace(most)
    sizes = [1 << k for k in range((most - 1).bit_length() + 1)]
    took = {n: fixed + each * n for n in sizes}
    for i in range(600 * len(sizes)):
        size = sizes[i % len(sizes)]
        pace.note(size, took[size] + late * (i % 41 < 4))
    certain = [n for n in sizes if took[n] < 0.95 * INLINE]
    possible = [n for n in sizes if took[n] < 1.05 * INLINE]
    assert max(certain, default=0) <= pace.inline <= max(possible, default=0)


def test_a_size_that_was_too_slow_while_the_machine_was_busy_is_tried_again() -> None:
    pace = Pace(64)
    pace.learn(lambda _: None)
    assert pace.inline == 64
    while pace.inline == 64:
        pace.note(64, 3 * INLINE)
    assert pace.inline == 32
    for _ in range(1000):
        pace.note(pace.inline, INLINE / 4)
    assert pace.inline == 64


def test_a_size_that_stays_too_slow_is_seldom_tried() -> None:
    pace = Pace(64)
    pace.learn(lambda _: None)
    while pace.inline == 64:
        pace.note(64, 5 * INLINE)
    tries = 0
    for _ in range(3000):
        tries += pace.inline == 64
        pace.note(pace.inline, 5 * INLINE if pace.inline == 64 else INLINE / 4)
    assert 0 < tries < 15
