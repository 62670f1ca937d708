"""The rate limit against a simulation that keeps every arrival."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.deploy.server.rate import Rate, address_of
from fivefold.deploy.server.refused import Refused

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Bucket:
    """A token bucket that is filled drop by drop; the same law, told the other way round."""

    def __init__(self, interval: int, burst: int) -> None:
        self.interval, self.burst = interval, burst
        self.level, self.at = Fraction(burst), 0

    def take(self, now: int) -> bool:
        now = max(now, self.at)  # a clock that goes back is not believed
        self.level = min(Fraction(self.burst), self.level + Fraction(now - self.at, self.interval))
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    steps=st.lists(st.integers(-3 * SECOND, 3 * SECOND), max_size=60),
    per_second=st.sampled_from([0.5, 1.0, 3.0, 20.0]),
    burst=st.integers(1, 5),
)
def test_allows_what_a_token_bucket_allows(steps: list[int], per_second: float, burst: int) -> None:
    clock = Clock()
    rate = Rate(per_second, burst, clock=clock)
    twin = Bucket(rate.interval, burst)
    for step in steps:
        clock.now = max(0, clock.now + step)
        assert (rate.wait("a") == 0) == twin.take(clock.now)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(burst=st.integers(1, 5), used=st.integers(1, 9))
def test_the_wait_it_names_is_long_enough_and_no_longer(burst: int, used: int) -> None:
    clock = Clock()
    rate = Rate(2.0, burst, clock=clock)
    wait = [rate.wait("a") for _ in range(burst + used)][-1]
    assert wait > 0
    clock.now += wait - 1
    assert rate.wait("a") == 1
    clock.now += 1
    assert rate.wait("a") == 0


def test_clients_do_not_share_and_old_ones_are_forgotten() -> None:
    rate = Rate(1.0, 1, clock=Clock(), most=3)
    assert [rate.wait(str(i)) for i in range(10)] == [0] * 10
    assert len(rate) == 3
    assert rate.wait("9") > 0


def test_the_refusal_says_when_to_come_again() -> None:
    rate = Rate(0.1, 1, clock=Clock())
    rate.check("a")
    with pytest.raises(Refused) as refused:
        rate.check("a")
    assert (refused.value.status, refused.value.retry_after) == (429, 10.0)


def test_one_ipv6_household_is_one_client() -> None:
    assert address_of(("2001:db8:1:2:3:4:5:6", 1)) == address_of(("2001:db8:1:2:9:9:9:9", 1))
    assert address_of(("10.0.0.1", 1)) != address_of(("10.0.0.2", 1))
