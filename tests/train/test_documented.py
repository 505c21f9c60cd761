"""Every documented case, in every dtype, ends where the documents' loop ends, whichever mode trains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from suite.case import Case
from suite.discover import discover, documented
from suite.judge.pairs import Pairs
from suite.judge.stage import farther
from suite.judge.tolerance import tolerance_from
from suite.plan import DTYPES, Cell
from suite.train import compiled, eager, ensemble
from suite.trial import Trial

CASES = discover([documented()]).cases
SEEDS = range(3)
STEPS = 64

ALPHA = 1e-5
"""About the share of a full run's budget that one test has."""

Train = Callable[[Cell, Sequence[int]], list[Trial]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "train",
    [pytest.param(ensemble.train, id="ensemble"), pytest.param(compiled.train, id="compiled", marks=pytest.mark.perf)],
)
def test_a_documented_case_follows_the_reference(
    case: Case, dtype: str, train: Train, pairs_of: Callable[..., Pairs]
) -> None:
    """Seed by seed, each recorded loss stays within the tolerance that the reference's own probes measured."""
    short = replace(case, steps=min(case.steps, STEPS), expect=())
    cell = Cell(case=short, version="0" * 12, device="cpu", dtype=dtype, mode="eager", seeds=SEEDS, probed=SEEDS)
    theirs, ours = eager.train(cell, SEEDS), train(cell, SEEDS)
    assert [trial.reason for trial in (*theirs, *ours)] == [""] * 2 * len(SEEDS)
    pairs = pairs_of(ours, theirs)
    tolerance = tolerance_from(pairs.probes, dtype, same_start=True)
    assert tolerance is not None
    off = farther(pairs, tolerance).any(axis=1)
    assert off.sum() <= tolerance.strays_among(len(SEEDS), ALPHA)
