"""Time is taken beside a fixed piece of work, without the collector, and after the device has finished."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from itertools import count
from time import sleep

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from suite.train import clock
from suite.train.clock import (
    MOST_REPEATS,
    YARDSTICK_ROUNDS,
    YARDSTICK_SHARE,
    Stopwatch,
    collector_paused,
    synchronise,
    yardstick,
    yardstick_seconds,
)


def test_the_yardstick_is_the_same_work_every_time() -> None:
    """It iterates the logistic map, x ← 3.7·x·(1−x) from one half, and nothing of it depends on the machine."""
    value = 0.5
    for _ in range(YARDSTICK_ROUNDS):
        value = 3.7 * value * (1.0 - value)
    assert yardstick() == yardstick() == value


def ticking(monkeypatch: pytest.MonkeyPatch, step: float) -> list[int]:
    """Let every look at the clock take ``step`` seconds, and count the rounds of the yardstick."""
    looks, rounds = count(), []
    monkeypatch.setattr(clock, "perf_counter", lambda: next(looks) * step)
    monkeypatch.setattr(clock, "yardstick", lambda: rounds.append(1))
    return rounds


@pytest.mark.parametrize(
    ("beside", "repeats"),
    [
        (0.0, 1),
        (1.0 / YARDSTICK_SHARE, 1),
        (1.5 / YARDSTICK_SHARE, 2),
        (7.0 / YARDSTICK_SHARE, 7),
        (1e9, MOST_REPEATS),
        (float("nan"), 1),
    ],
)
def test_the_yardstick_is_repeated_for_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, beside: float, repeats: int
) -> None:
    """It is repeated until it has taken its share, at least once and at most a hundred times."""
    rounds = ticking(monkeypatch, 1.0)
    assert yardstick_seconds(beside) == 1.0
    assert len(rounds) == repeats


@given(st.floats(0.0, 1e-3))
def test_the_yardstick_takes_time(beside: float) -> None:
    """Its seconds are those of one round: more than nothing, and well below a second."""
    assert 0.0 < yardstick_seconds(beside) < 1.0


@pytest.fixture
def _collector_kept() -> Iterator[None]:
    """Switch the collector on again after a test that switches it off."""
    yield
    gc.enable()


@pytest.mark.usefixtures("_collector_kept")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_off_inside_and_afterwards_as_it_was(enabled: bool) -> None:
    """A collector that was off stays off; one that was on is on again, though the training raised."""
    gc.enable() if enabled else gc.disable()
    inside: list[bool] = []
    with pytest.raises(KeyError), collector_paused():
        look_and_raise(inside)
    assert inside == [False]
    assert gc.isenabled() == enabled


def look_and_raise(seen: list[bool]) -> None:
    """Note whether the collector is on, and raise as a training that fails."""
    seen.append(gc.isenabled())
    raise KeyError


@pytest.mark.parametrize(("device", "waits"), [("cpu", 0), ("cuda:1", 1)])
def test_only_an_accelerator_is_waited_for(monkeypatch: pytest.MonkeyPatch, device: str, waits: int) -> None:
    """Work on an accelerator goes on after it was asked for, so the clock waits for that very device."""
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    synchronise(torch.device(device))
    assert waited == [torch.device(device)] * waits


def test_a_stopwatch_tells_how_long_something_else_had_the_processor() -> None:
    """Sleeping is waiting; working is not."""
    cpu = torch.device("cpu")
    asleep = Stopwatch(cpu)
    sleep(0.05)
    seconds, share = asleep.stop()
    assert seconds >= 0.05
    assert 0.5 < share <= 1.0
    shares = []
    for _ in range(20):
        working = Stopwatch(cpu)
        yardstick()
        shares.append(working.stop()[1])
    assert 0.0 <= min(shares) < 0.5


def test_a_device_that_works_by_itself_has_no_such_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process waits for it, not for the processor."""
    monkeypatch.setattr("suite.train.clock.synchronise", lambda _device: None)
    assert math.isnan(Stopwatch(torch.device("cuda")).stop()[1])
