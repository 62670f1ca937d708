"""Micro-batching: nobody notices it."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from fivefold.deploy.server.batcher import Batcher
from fivefold.deploy.server.call import Answer
from fivefold.deploy.server.forward import forward_of
from fivefold.models import TorchModel
from fivefold.security.detector import FittedMahalanobis


def asked(work: Callable[[Tensor], Answer], parts: list[Tensor]) -> list[Answer | BaseException]:
    """Ask for all parts while the model is busy with a first one."""
    free = threading.Event()

    def held(x: Tensor) -> Answer:
        free.wait(10)
        return work(x)

    async def main() -> list[Answer | BaseException]:
        batcher = Batcher(held)
        batcher.start()
        jobs = [asyncio.ensure_future(batcher.ask(x)) for x in parts]
        await asyncio.sleep(0.05)
        assert batcher.waiting == sum(map(len, parts))
        free.set()
        found = await asyncio.gather(*jobs, return_exceptions=True)
        assert batcher.waiting == 0
        batcher.stop()
        return found

    return asyncio.run(main())


def test_answers_are_those_of_each_alone(trained: TorchModel) -> None:
    width = trained.embed(torch.zeros(1, 6)).shape[1]
    detector = FittedMahalanobis(torch.zeros(2, width).double(), torch.eye(width).double(), 1.0)
    work = forward_of(trained, detector)
    parts = [torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (1, 3, 1, 7, 2)]
    for x, one in zip(parts, asked(work, parts), strict=True):
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
        first = asyncio.ensure_future(batcher.ask(torch.zeros(1, 2)))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.ask(torch.zeros(5, 2)), 0.01)
        free.set()
        await first
        batcher.stop()
        await asyncio.sleep(0.01)
        assert batcher.waiting == 0

    asyncio.run(main())
    assert seen == [1]
