"""Every documented case, in every dtype, ends where the documents' loop ends, whichever mode trains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from suite.case import Case
from suite.discover import discover, documented
from suite.judge.tolerance import TOLERANCES
from suite.plan import DTYPES, Cell
from suite.train import compiled, eager, ensemble
from suite.trial import Trial

CASES = discover([documented()]).cases
SEEDS = range(3)
STEPS = 64

Train = Callable[[Cell, Sequence[int]], list[Trial]]


def losses(trials: Sequence[Trial]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the recorded losses, the final one last: ``(seeds, points)``."""
    assert [trial.reason for trial in trials] == [""] * len(trials)
    return np.array([[*(loss for _, loss in trial.curve), trial.final_loss] for trial in trials])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "train",
    [pytest.param(ensemble.train, id="ensemble"), pytest.param(compiled.train, id="compiled", marks=pytest.mark.perf)],
)
def test_a_documented_case_follows_the_reference(case: Case, dtype: str, train: Train) -> None:
    """Seed by seed, each recorded loss stays within the tolerance that other kernels are allowed."""
    short = replace(case, steps=min(case.steps, STEPS), expect=())
    cell = Cell(case=short, version="", device="cpu", dtype=dtype, mode="", seeds=SEEDS)
    alone, together = losses(eager.train(cell, SEEDS)), losses(train(cell, SEEDS))
    tolerance = TOLERANCES[dtype]
    off = (np.abs(together - alone) > tolerance.allowed(alone, alone[:, 0])).any(axis=1)
    assert off.sum() <= tolerance.strays_among(len(SEEDS))
