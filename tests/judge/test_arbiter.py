"""Between two that differ, float64 tells which is nearer to what both should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.judge import Outcome, Stage
from suite.judge.arbiter import Arbiter, Opinion
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import Pairs
from suite.judge.verdict import Judgement
from suite.trial import Trial

ALPHA = 0.001
SEEDS = 30

Cell = list[Trial]


@pytest.fixture(scope="module")
def exact(trial_of: Callable[..., Trial]) -> Cell:
    """Return what float64 says."""
    return [trial_of(seed) for seed in range(SEEDS)]


def off(trials: Cell, by: float, *, dtype: str = "bfloat16", sign: int = 0) -> Cell:
    """Return trials of a short dtype whose final losses lie so far from those of float64, in turn above and below."""
    return [
        replace(
            t,
            dtype=dtype,
            final_loss=(t.final_loss**0.5 + by * (1 + t.seed / 100) * (sign or (-1) ** t.seed)) ** 2,
            final_digest=f"{by}",
            distances=tuple((part, step, 0.05) for part, step, _ in t.distances),
        )
        for t in trials
    ]


@pytest.fixture(scope="module")
def opinion(pairs_of: Callable[..., Pairs]) -> Callable[..., Opinion | None]:
    """Ask the arbiter about all seeds of two cells."""

    def ask(ours: Cell, theirs: Cell, exact_ours: Cell, exact_theirs: Cell) -> Opinion | None:
        pairs, both = pairs_of(ours, theirs), pairs_of(exact_ours, exact_theirs)
        arbiter = Arbiter(ours=both.ours, baseline=both.baseline)
        return arbiter.opinion(pairs, np.ones(len(pairs.seeds), dtype=np.bool_), ALPHA)

    return ask


def test_the_nearer_side_is_told(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """For how many seeds, and how much nearer in the median."""
    found = opinion(off(exact, 0.01), off(exact, 0.02), exact, exact)
    assert found is not None
    assert (found.nearer, found.farther, found.decided, found.is_nearer) == (SEEDS, 0, True, True)
    assert found.sentence == "nearer to float64 than the baseline for 30 of 30 seeds, at 0.5 times the distance"


@pytest.mark.parametrize(("by", "less_exact"), [(0.02, True), (0.0151, True), (0.0149, False), (0.0101, False)])
def test_farther_beyond_chance_and_by_much_is_less_exact(
    exact: Cell, opinion: Callable[..., Opinion | None], by: float, less_exact: bool
) -> None:
    """Both evidence and size are asked for."""
    found = opinion(off(exact, by), off(exact, 0.01), exact, exact)
    assert found is not None
    assert found.decided
    assert found.is_less_exact is less_exact
    assert found.sentence.startswith("farther from float64 than the baseline for 30 of 30 seeds")


def test_a_few_seeds_decide_nothing(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """Ten of ten may be chance at this level, eleven not."""
    for seeds, decided in ((10, False), (11, True)):
        found = opinion(off(exact, 0.02)[:seeds], off(exact, 0.01)[:seeds], exact[:seeds], exact[:seeds])
        assert found is not None
        assert found.decided is decided
        assert found.is_less_exact is decided


def test_seeds_that_all_go_one_way_are_one(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """As those of a network whose weights start at zero."""

    def alike(trials: Cell) -> Cell:
        return [replace(trials[0], seed=trial.seed) for trial in trials]

    found = opinion(alike(off(exact, 0.02)), alike(off(exact, 0.01)), alike(exact), alike(exact))
    assert found is not None
    assert (found.nearer, found.farther, found.decided) == (0, 1, False)


def test_where_float64_itself_is_elsewhere_it_says_nothing(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """A fault in both dtypes is told by its loss; an arbiter that moved cannot judge."""
    shifted = [replace(trial, final_loss=(trial.final_loss**0.5 + 0.03) ** 2) for trial in exact]
    assert opinion(off(shifted, 0.02), off(exact, 0.01), shifted, exact) is None


@pytest.mark.parametrize("missing", ["seeds", "steps"])
def test_another_set_of_seeds_or_steps_says_nothing(
    exact: Cell, opinion: Callable[..., Opinion | None], missing: str
) -> None:
    """What is not there cannot be compared with."""
    other = exact[1:] if missing == "seeds" else [replace(trial, steps=9) for trial in exact]
    assert opinion(off(exact, 0.02), off(exact, 0.01), other, other) is None


def test_equal_losses_say_nothing(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """Neither side is nearer."""
    assert opinion(off(exact, 0.02), off(exact, 0.02), exact, exact) is None


@pytest.fixture(scope="module")
def judged(judged_beside: Callable[..., Judgement], exact: Cell) -> Callable[..., Judgement]:
    """Judge trials of a short dtype with float64 beside them, the same on both sides."""

    def judge(ours: Sequence[Trial], theirs: Sequence[Trial], **given: Any) -> Judgement:
        return judged_beside(ours, theirs, exact, exact, **given)

    return judge


@pytest.fixture(scope="module")
def judged_beside(pairs_of: Callable[..., Pairs]) -> Callable[..., Judgement]:
    """Judge trials of a short dtype with float64 of either side beside them."""

    def judge(ours: Cell, theirs: Cell, mine: Cell, yours: Cell, **given: Any) -> Judgement:
        both = pairs_of(mine, yours)
        arbiter = Arbiter(ours=both.ours, baseline=both.baseline)
        fields: dict[str, Any] = {"dtype": "bfloat16", "same_machine": False, "differs": "torch 3.0", "alpha": ALPHA}
        return judge_loss(pairs_of(ours, theirs), Terms(**(fields | given), arbiter=arbiter))

    return judge


@pytest.mark.parametrize("same_machine", [True, False])
def test_within_tolerance_less_exact_is_regressed(
    judged: Callable[..., Judgement], exact: Cell, same_machine: bool
) -> None:
    """Each loss alone might be rounding; all together are not. More exact is no fault."""
    ours, theirs = off(exact, 0.02), off(exact, 0.01)
    found = judged(ours, theirs, same_machine=same_machine)
    assert (found.outcome, found.stage is Stage.LATER) == (Outcome.REGRESSED, same_machine)
    assert "of their tolerance, but all the same farther from float64 than the baseline for 30 of 30" in found.sentence
    calm = Outcome.CHANGED if same_machine else Outcome.PASS
    assert judged(theirs, ours, same_machine=same_machine).outcome is calm


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_tolerance_the_arbiter_decides(judged: Callable[..., Judgement], exact: Cell, sign: int) -> None:
    """Nearer to float64 is improved, though the loss be larger; farther is regressed, though it be smaller."""
    near, far = off(exact, 0.001), off(exact, 0.3, sign=sign)
    better, worse = judged(near, far), judged(far, near)
    assert (better.outcome, worse.outcome) == (Outcome.IMPROVED, Outcome.REGRESSED)
    assert "nearer to float64 than the baseline for 30 of 30 seeds" in better.sentence
    assert "farther from float64 than the baseline for 30 of 30 seeds" in worse.sentence


def test_a_seed_that_moved_in_float64_silences_no_other(exact: Cell, opinion: Callable[..., Opinion | None]) -> None:
    """It is left out; only where most moved, nothing can be said."""
    one, most = (
        [replace(t, final_loss=(t.final_loss**0.5 + 0.03) ** 2) if t.seed < moved else t for t in exact]
        for moved in (1, SEEDS // 2)
    )
    found = opinion(off(one, 0.02), off(exact, 0.01), one, exact)
    assert found is not None
    assert (found.farther, found.is_less_exact) == (SEEDS - 1, True)
    assert opinion(off(most, 0.02), off(exact, 0.01), most, exact) is None


@pytest.mark.parametrize("lower", [True, False])
def test_what_left_its_tolerance_in_float64_too_is_no_improvement(
    judged_beside: Callable[..., Judgement], exact: Cell, lower: bool
) -> None:
    """As a training that stands still in every dtype: it is no nearer to a float64 that stands still with it."""
    swinging = [replace(t, final_loss=4.0 * t.final_loss) for t in exact]
    way = 1.0 if lower else 4.0
    still = [replace(t, curve=(*t.curve[:2], (2, way * t.curve[2][1])), final_digest="still") for t in exact]
    ours, theirs = off(still, 0.001), off(swinging, 0.6, sign=1)
    found = judged_beside(ours, theirs, still, swinging)
    assert found.outcome is (Outcome.IMPROVED if lower else Outcome.REGRESSED)
    assert "float64" not in found.sentence
