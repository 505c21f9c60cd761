"""Small runs made by hand, so that every verdict can be reached without training."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from suite.judge.tolerance import EPSILON, FACTOR, FLOOR
from suite.trial import Trial

AllowedFor = Callable[[Trial], float]


@pytest.fixture(scope="session")
def allowed_for() -> AllowedFor:
    """Return by how much the root of any of a trial's losses may be moved, by hand from what its probe was moved by."""

    def allowed(trial: Trial) -> float:
        probed = max(distance for _, _, distance in trial.distances)
        return FACTOR[trial.dtype] * max(probed, FLOOR * EPSILON[trial.dtype]) * math.sqrt(abs(trial.first_loss))

    return allowed
