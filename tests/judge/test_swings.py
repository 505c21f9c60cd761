"""Where rounding alone takes a loss anywhere, no seed tells anything; all of them do, as samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from suite.judge import Outcome, Stage
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import Pairs
from suite.judge.verdict import Judgement
from suite.trial import LOSS, Trial

ALPHA = 1e-4
SEEDS = 60
Swinging = Callable[..., list[Trial]]


@pytest.fixture(scope="module")
def swinging(trial_of: Callable[..., Trial]) -> Swinging:
    """Make trials whose losses swing from step 2 on: rounding alone takes them anywhere there, or a step before."""

    def make(
        draw: int, *, size: float = 1.0, seeds: int = SEEDS, frozen: bool = False, far: float = 1.0
    ) -> list[Trial]:
        losses = size * np.random.default_rng(draw).uniform(0.1, 1.0, (seeds, 2))
        ends = losses[:, 0] if frozen else losses[:, 1]
        plain = (trial_of(seed, dtype="float32") for seed in range(seeds))
        return [
            replace(
                trial,
                curve=(*trial.curve[:2], (2, float(last))),
                final_loss=float(end),
                final_digest=f"{draw}",
                distances=tuple((part, s, far if part == LOSS and s >= 2 else d) for part, s, d in trial.distances),
            )
            for trial, (last, _), end in zip(plain, losses, ends, strict=True)
        ]

    return make


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs]) -> Callable[..., Judgement]:
    """Judge trials against their baseline's, on another machine unless said otherwise."""

    def judge(ours: Sequence[Trial], theirs: Sequence[Trial], *, same_machine: bool = False) -> Judgement:
        terms = Terms(dtype="float32", same_machine=same_machine, differs="torch 3.0", alpha=ALPHA)
        return judge_loss(pairs_of(ours, theirs), terms)

    return judge


@pytest.mark.parametrize("same_machine", [True, False])
def test_losses_that_swing_alike_pass(judged: Callable[..., Judgement], swinging: Swinging, same_machine: bool) -> None:
    """However far each of them lies from its baseline; the sentence tells from which step on."""
    found = judged(swinging(1), swinging(0), same_machine=same_machine)
    assert found.outcome is (Outcome.CHANGED if same_machine else Outcome.PASS)
    assert "from step 1 on, rounding alone takes losses anywhere" in found.sentence
    assert found.sentence.endswith("and as samples they show no difference")


def test_a_training_that_stands_still_is_seen(judged: Callable[..., Judgement], swinging: Swinging) -> None:
    """Its losses are those of a moment, and as samples what they were; but they move no more."""
    found = judged(swinging(1, frozen=True), swinging(0))
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.LATER)
    assert "since the point before step 3 the median root of losses moved by 0, of the baseline's " in found.sentence


@pytest.mark.parametrize("size", [9.0, 0.01])
def test_losses_that_swing_elsewhere_are_seen(
    judged: Callable[..., Judgement], swinging: Swinging, size: float
) -> None:
    """Higher, or so low that they hardly swing: neither is what was accepted."""
    assert judged(swinging(1, size=size), swinging(0)).outcome is Outcome.REGRESSED


def test_losses_that_are_lower_and_swing_as_far_are_better(
    judged: Callable[..., Judgement], swinging: Swinging
) -> None:
    """All that differs is that they go down where the baseline's go up."""

    def going(way: float, draw: int) -> list[Trial]:
        steps = np.random.default_rng(draw).uniform((0.1, 0.05), (0.5, 0.1), (SEEDS, 2)).cumsum(axis=1)
        ends = [(t, (t.curve[1][1] ** 0.5 + way * step) ** 2) for t, step in zip(swinging(draw), steps, strict=True)]
        return [replace(t, curve=(*t.curve[:2], (2, end[0])), final_loss=end[1]) for t, end in ends]

    assert judged(going(-1.0, 1), going(1.0, 0)).outcome is Outcome.IMPROVED
    assert judged(going(1.0, 1), going(-1.0, 0)).outcome is Outcome.REGRESSED


@pytest.mark.parametrize("seeds", [1, 5])
def test_few_seeds_show_nothing(judged: Callable[..., Judgement], swinging: Swinging, seeds: int) -> None:
    """It is no pass that too few seeds could not differ."""
    found = judged(swinging(1, seeds=seeds), swinging(0, seeds=seeds))
    assert (found.outcome, found.stage) == (Outcome.INCONCLUSIVE, Stage.LATER)
    assert f"of {seeds} seeds that differ that shows no difference, of " in found.sentence


def test_a_tolerance_below_the_first_loss_is_kept_seed_by_seed(
    judged: Callable[..., Judgement], swinging: Swinging
) -> None:
    """There a single seed tells enough."""
    theirs = swinging(0, far=0.001)
    assert judged([swinging(1, size=9.0)[0], *theirs[1:]], theirs).outcome is Outcome.REGRESSED
