"""What is timed is the loop alone: warm, undisturbed, until the device has finished, beside its yardstick."""

from __future__ import annotations

import gc
import math
from dataclasses import replace
from functools import partial

import pytest
from torch.optim import SGD

from suite.train import clock, eager
from suite.train.clock import Stopwatch
from suite.train.eager import WARM_UP_STEPS, train
from suite.trial import Status
from tests.cells import NEURON, MakeCell


def test_what_is_timed_under_disturbance_is_trained_again(cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has the processor to itself, a few times at most; what is not timed is taken as it is."""
    shares = iter([0.5, 0.06, 0.05, 0.9, 0.9, 0.9, 0.8, 0.7])
    stopped = Stopwatch.stop

    def stop(self: Stopwatch) -> tuple[float, float]:
        return stopped(self)[0], next(shares)

    monkeypatch.setattr(Stopwatch, "stop", stop)
    first, second = train(cell_of(NEURON), range(2))
    (third,) = train(cell_of(NEURON), [2], timed=False)
    assert [trial.waiting_share for trial in (first, second, third)] == [0.05, 0.8, 0.7]
    assert list(shares) == []


@pytest.mark.parametrize("timed", [True, False])
def test_the_yardstick_stands_beside_a_trial_unless_other_work_runs(cell_of: MakeCell, timed: bool) -> None:
    """Training is timed in seconds; the yardstick too, or is NaN where it would measure other work."""
    for trial in train(cell_of(NEURON), range(2), timed=timed):
        assert 0.0 < trial.train_seconds < 60.0
        assert trial.seeds_together == 1
        assert (trial.yardstick_seconds > 0.0) if timed else math.isnan(trial.yardstick_seconds)


def test_each_trial_is_timed_with_its_own_yardstick(cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The yardstick is told how long the trial beside it took."""
    monkeypatch.setattr(eager, "yardstick_seconds", lambda beside: beside / 2.0)
    for trial in train(cell_of(NEURON), range(3)):
        assert trial.yardstick_seconds == trial.train_seconds / 2.0


def test_the_clock_is_read_when_the_device_has_finished(cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is waited for after the warm-up and before each reading: at the start and at the end of a trial."""
    events: list[str] = []
    for room in (eager, clock):
        monkeypatch.setattr(room, "synchronise", lambda _: events.append("wait"))
    monkeypatch.setattr(clock, "perf_counter", lambda: float(events.append("read") or len(events)))  # type: ignore[func-returns-value]
    (trial,) = train(cell_of(NEURON), [0], timed=False)
    assert events == ["wait", "wait", "read", "wait", "read"]
    assert trial.train_seconds == 2.0


class Counting(SGD):
    """Counts its steps, over all networks."""

    steps = 0

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Count, and update."""
        Counting.steps += 1
        assert not gc.isenabled()
        super().step(closure)


@pytest.mark.parametrize(("steps", "warm_up"), [(100, WARM_UP_STEPS), (7, 7)])
def test_a_throw_away_network_is_trained_first(
    cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch, steps: int, warm_up: int
) -> None:
    """A few steps, no more than a trial has, warm up once a cell, and the collector is off in every step."""
    monkeypatch.setattr(Counting, "steps", 0)
    case = replace(NEURON, optimizer=partial(Counting, lr=0.1), steps=steps)
    assert [trial.status for trial in train(cell_of(case), range(3), timed=False)] == [Status.OK] * 3
    assert Counting.steps == warm_up + 3 * steps
