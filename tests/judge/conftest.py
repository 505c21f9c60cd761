"""Small runs made by hand, so that every verdict can be reached without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from suite.judge.pairs import Pairs, by_cell
from suite.judge.tolerance import EPSILON, FACTOR, FLOOR
from suite.machine import Machine
from suite.records import in_memory
from suite.trial import Manifest, RunRecord, Trial

AllowedFor = Callable[[Trial], float]


@pytest.fixture(scope="session")
def run_of(manifest_of: Callable[..., Manifest], machine: Machine) -> Callable[..., RunRecord]:
    """Make a run that holds these trials, on the tests' machine unless another is given."""

    def make(trials: Sequence[Trial], *, on: Machine = machine, **given: Any) -> RunRecord:
        return in_memory(manifest_of(trials, **given), on, trials)

    return make


@pytest.fixture(scope="session")
def pairs_of(run_of: Callable[..., RunRecord]) -> Callable[..., Pairs]:
    """Put the trials of one cell beside those of its baseline."""

    def make(ours: Sequence[Trial], theirs: Sequence[Trial]) -> Pairs:
        (mine,), (yours,) = (by_cell(run_of(trials)).values() for trials in (ours, theirs))
        return Pairs(mine, yours)

    return make


@pytest.fixture(scope="session")
def allowed_for() -> AllowedFor:
    """Return by how much the root of any of a trial's losses may be moved, by hand from what its probe was moved by."""

    def allowed(trial: Trial) -> float:
        probed = max(distance for _, _, distance in trial.distances)
        return FACTOR[trial.dtype] * max(probed, FLOOR * EPSILON[trial.dtype]) * math.sqrt(abs(trial.first_loss))

    return allowed
