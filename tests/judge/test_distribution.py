"""Seeds of another random stream are compared as two samples: losses by rank, rates exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from suite.judge import Outcome, Stage
from suite.judge.distribution import judge_samples
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import Pairs
from suite.judge.statistics import rates_differ
from suite.judge.verdict import Judgement
from suite.trial import Status, Trial

ALPHA = 0.001
JudgeSamples = Callable[..., Judgement]


@pytest.fixture(scope="module")
def sample(trial_of: Callable[..., Trial]) -> Callable[..., list[Trial]]:
    """Make trials of one random stream with these final losses, one a seed; not finite ones have diverged."""

    def make(losses: Sequence[float], *, stream: float, **given: Any) -> list[Trial]:
        return [
            trial_of(
                seed,
                init_digest=f"{stream}-{seed}",
                init_norm=stream + seed,
                start_projection=math.sin(stream * (seed + 1)),
                final_loss=loss,
                status=Status.OK if math.isfinite(loss) else Status.DIVERGED,
                **given,
            )
            for seed, loss in enumerate(losses)
        ]

    return make


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs]) -> JudgeSamples:
    """Judge trials against their baseline's, on another machine unless said otherwise."""

    def judge(
        ours: Sequence[Trial], theirs: Sequence[Trial], *, same_machine: bool = False, alpha: float = ALPHA
    ) -> Judgement:
        differs = "" if same_machine else "torch 3.0"
        return judge_samples(pairs_of(ours, theirs), same_machine=same_machine, differs=differs, alpha=alpha)

    return judge


LOW, HIGH = [1.0 + 0.01 * k for k in range(30)], [2.0 + 0.01 * k for k in range(30)]


@pytest.mark.parametrize("same_machine", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [(LOW, LOW, Outcome.PASS), (HIGH, LOW, Outcome.REGRESSED), (LOW, HIGH, Outcome.IMPROVED)],
)
def test_losses_are_judged_as_a_sample(
    judged: JudgeSamples,
    sample: Callable[..., list[Trial]],
    ours: list[float],
    theirs: list[float],
    outcome: Outcome,
    same_machine: bool,
) -> None:
    """The sentence calls it another random stream, which on an equal machine is a change at least."""
    found = judged(sample(ours, stream=100.0), sample(theirs, stream=200.0), same_machine=same_machine)
    shown = Outcome.CHANGED if same_machine and outcome is Outcome.PASS else outcome
    assert (found.outcome, found.stage) == (shown, Stage.INITIALISATION)
    assert found.sentence.startswith(
        f"another random stream ({'on the same machine' if same_machine else 'torch 3.0'})"
    )
    assert ("no difference shown" in found.sentence) == (outcome is Outcome.PASS)


def test_a_stream_is_told_from_a_rounding(sample: Callable[..., list[Trial]], pairs_of: Callable[..., Pairs]) -> None:
    """Where no seed starts from its own point, the loss's judge compares samples."""
    pairs = pairs_of(sample(LOW, stream=100.0), sample(LOW, stream=200.0))
    found = judge_loss(pairs, Terms(dtype="float64", same_machine=False, differs="torch 3.0", alpha=ALPHA))
    assert found.outcome is Outcome.PASS
    assert found.sentence.startswith("another random stream (torch 3.0)")


@pytest.mark.parametrize("swapped", [False, True])
def test_samples_of_equal_medians_are_judged_by_their_ranks(
    judged: JudgeSamples, sample: Callable[..., list[Trial]], swapped: bool
) -> None:
    """Where most seeds end alike, the others decide which side is worse."""
    good, bad = [0.0] * 51 + [-1.0] * 49, [0.0] * 51 + [1.0] * 49
    worse, better = sample(bad, stream=100.0), sample(good, stream=200.0)
    found = judged(better, worse) if swapped else judged(worse, better)
    assert found.outcome is (Outcome.IMPROVED if swapped else Outcome.REGRESSED)
    assert "median losses 0 and 0" in found.sentence


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_diverged_seed_is_the_worst_of_a_sample(
    judged: JudgeSamples, sample: Callable[..., list[Trial]], loss: float
) -> None:
    """However it diverged; as many divergences on both sides are no difference; and another rate of them is one."""
    diverged, infinite = (
        sample([end] * 28 + LOW[:2], stream=stream) for end, stream in ((loss, 100.0), (math.inf, 200.0))
    )
    finite = sample(HIGH, stream=200.0)
    worse = judged(diverged, finite)
    assert worse.outcome is Outcome.REGRESSED
    assert worse.sentence.endswith("diverged in 28 of 30 seeds, of the baseline's in 0, p = 8.4e-15")
    assert judged(diverged, infinite).outcome is Outcome.PASS


def test_another_rate_is_a_regression_in_either_direction(
    judged: JudgeSamples, sample: Callable[..., list[Trial]]
) -> None:
    """As of dead seeds: half of them die, and neither all nor none is what was accepted; equal losses hide nothing."""

    def dying(dead: int, stream: float) -> list[Trial]:
        made = sample([5.0] * 40, stream=stream)
        return [replace(t, observations=(("w", 5.0), ("dead", float(t.seed < dead)))) for t in made]

    half = dying(20, 200.0)
    assert judged(dying(20, 100.0), half).outcome is Outcome.PASS
    assert judged(dying(25, 100.0), half).outcome is Outcome.PASS
    for dead in (2, 38):
        found = judged(dying(dead, 100.0), half)
        assert found.outcome is Outcome.REGRESSED
        p = rates_differ(dead, 20, 40)
        assert found.sentence.endswith(f"dead in {dead} of 40 seeds, of the baseline's in 20, p = {p:.2g}")


def test_samples_that_are_all_alike_show_no_difference(
    judged: JudgeSamples, sample: Callable[..., list[Trial]]
) -> None:
    """Not even a test that has nothing to rank finds one."""
    for size in (9, 100):
        mine, yours = (sample([0.0] * size, stream=stream) for stream in (100.0, 200.0))
        assert judged(mine, yours).outcome is Outcome.PASS


def test_too_few_seeds_to_show_a_difference_are_no_pass(
    judged: JudgeSamples, sample: Callable[..., list[Trial]]
) -> None:
    """The number that would do is told: of eight against eight, one order in 6,435 is as far apart as can be."""
    assert judged(sample(LOW[:8], stream=100.0), sample(HIGH[:8], stream=200.0)).outcome is Outcome.IMPROVED
    found = judged(sample(LOW[:7], stream=100.0), sample(LOW[:7], stream=200.0))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence.endswith("so few seeds can show no difference, 8 could")


def test_starts_of_another_size_are_a_regression(judged: JudgeSamples, sample: Callable[..., list[Trial]]) -> None:
    """Another stream draws other numbers, but none that are twice as large: the losses may be what they were."""
    theirs = sample(LOW, stream=1.0)
    ours = [replace(trial, start_norm=2.0 * trial.start_norm) for trial in sample(LOW, stream=2.0)]
    found = judged(ours, theirs)
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.INITIALISATION)
    assert "starts of median norm" in found.sentence
    assert judged(sample(LOW, stream=2.0), theirs).outcome is Outcome.PASS


def test_starts_that_are_no_numbers_are_larger_than_all(
    judged: JudgeSamples, sample: Callable[..., list[Trial]]
) -> None:
    """An initialisation that gives NaN is a regression, whatever ranks it would have."""
    for size in (21, 100):
        theirs = sample([1.0 + 0.01 * k for k in range(size)], stream=1.0)
        ours = [replace(t, start_norm=math.nan) for t in sample([math.nan] * size, stream=2.0)]
        assert judged(ours, theirs).outcome is Outcome.REGRESSED


def test_a_stream_that_draws_nothing_is_no_improvement(
    judged: JudgeSamples, sample: Callable[..., list[Trial]]
) -> None:
    """However low its losses are: its seeds are one."""
    theirs = sample(HIGH, stream=1.0)
    ours = [
        replace(t, init_digest="same", start_norm=yours.start_norm)
        for t, yours in zip(sample(LOW, stream=2.0), theirs, strict=True)
    ]
    found = judged(ours, theirs)
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.INITIALISATION)
    assert "29 of 30 seeds start as another one does, of the baseline's 0" in found.sentence
