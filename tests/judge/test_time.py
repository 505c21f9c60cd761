"""A slowdown is called one if it is shown and large: more time a step, in yardsticks, beyond the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge import Outcome, Verdict, judge_times
from suite.judge.pairs import Pairs
from suite.judge.time import LAGGING, LEAST_SLOWER, SLOWER, Sample, judge_time, sample_of, threshold
from suite.judge.verdict import ALL, Judgement
from suite.machine import Machine
from suite.trial import DISTURBED, RunRecord, Status, Trial

ALPHA = 0.001
SEEDS = 20
"""Enough for an interval of that confidence."""

Timed = Callable[..., list[Trial]]
JudgeTime = Callable[..., Judgement]


@pytest.fixture(scope="module")
def timed(trial_of: Callable[..., Trial]) -> Timed:
    """Make trials that took the given multiples of a common time, one a seed."""

    def make(factors: Sequence[float], **given: Any) -> list[Trial]:
        return [trial_of(seed, **({"train_seconds": 0.002 * f} | given)) for seed, f in enumerate(factors)]

    return make


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs]) -> JudgeTime:
    """Judge the times of trials against their baseline's."""

    def judge(ours: Sequence[Trial], theirs: Sequence[Trial], again: Sequence[Trial] | None = None) -> Judgement:
        second = sample_of(pairs_of(again, theirs)) if again else None
        return judge_time(sample_of(pairs_of(ours, theirs)), second, alpha=ALPHA)

    return judge


def spread(factor: float, seeds: int = SEEDS) -> list[float]:
    """Return factors within a thousandth of one, in no order."""
    return [factor * (1 + 1e-3 * math.sin(7 * seed)) for seed in range(seeds)]


JUST_SLOWER, NOT_YET = (1 + SLOWER) * 1.01, (1 + SLOWER) * 0.99


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [
        (1.0, Outcome.PASS),
        (NOT_YET, Outcome.PASS),
        (JUST_SLOWER, Outcome.REGRESSED),
        (100.0, Outcome.REGRESSED),
        (1 / NOT_YET, Outcome.PASS),
        (1 / JUST_SLOWER, Outcome.IMPROVED),
        (0.01, Outcome.IMPROVED),
    ],
)
def test_slower_beyond_the_threshold_is_regressed_and_faster_is_improved(
    judged: JudgeTime, timed: Timed, factor: float, outcome: Outcome
) -> None:
    """More time is worse, less is better, and what lies within the threshold is neither."""
    found = judged(timed(spread(factor)), timed([1.0] * SEEDS))
    assert found.outcome is outcome
    assert f"({SEEDS} seeds; the yardstick took 1 times as long)" in found.sentence


def test_the_sentence_tells_the_ratio_its_interval_and_its_power(judged: JudgeTime, timed: Timed) -> None:
    """Most seeds take twice the time; the interval of their median knows of the others."""
    found = judged(timed([2.0] * 17 + [1.0] * 3), timed([1.0] * SEEDS))
    told = "2 times the baseline's time a step, 1 to 2 (20 seeds; the yardstick took 1 times as long)"
    assert found == Judgement(outcome=Outcome.PASS, sentence=f"{told}; a slowdown of 150% would have been seen")
    even = judged(timed([1.0] * SEEDS), timed([1.0] * SEEDS))
    assert even.sentence.endswith(f"a slowdown of {SLOWER:.0%} would have been seen")


def test_what_looks_slower_is_decided_by_a_second_time(judged: JudgeTime, timed: Timed) -> None:
    """A burst of other work lasts no second time; both are told. What passes the first time is not asked again."""
    slow, even, quick = (timed(spread(factor)) for factor in (2.0, 1.0, 0.5))
    for first, second, outcome in (
        (slow, slow, Outcome.REGRESSED),
        (slow, even, Outcome.PASS),
        (slow, quick, Outcome.PASS),
        (quick, quick, Outcome.IMPROVED),
        (even, slow, Outcome.PASS),
    ):
        found = judged(first, timed([1.0] * SEEDS), second)
        assert found.outcome is outcome
        assert ("; timed again: " in found.sentence) == (first is not even)


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_second_time_that_shows_nothing_overrules_nothing(judged: JudgeTime, timed: Timed, factor: float) -> None:
    """Of one undisturbed seed, or none, it is not known whether it was a burst of other work."""
    first, alone = timed(spread(factor)), timed([1.0] * SEEDS)
    for undisturbed in (0, 1):
        disturbed = timed([factor] * SEEDS, waiting_share=0.99)
        found = judged(first, alone, [*first[:undisturbed], *disturbed[undisturbed:]])
        assert found.outcome is Outcome.INCONCLUSIVE
        assert "; timed again: " in found.sentence


@pytest.mark.parametrize("shift", [0.0, 0.2, -0.2])
@pytest.mark.parametrize("cells", [1, 4, 100, 10_000])
def test_many_cells_together_show_less(cells: int, shift: float) -> None:
    """Each has its own luck, so that what they share is smaller; but never smaller than a process's own.

    A machine that was otherwise altogether shows less.
    """
    least = threshold(cells, shift)
    assert least == math.log1p(max(LEAST_SLOWER, SLOWER / math.sqrt(cells))) + LAGGING * abs(shift)
    for factor, outcome in ((1.01, Outcome.REGRESSED), (0.99, Outcome.PASS), (-1.01, Outcome.IMPROVED)):
        sample = Sample(ratios=np.full(50, factor * least), shift=shift, cells=cells)
        found = judge_time(sample, None, alpha=ALPHA)
        assert found.outcome is outcome
        assert (f"(50 {'cells' if cells > 1 else 'seeds'}; the yardstick took {math.exp(shift):.3g}") in found.sentence


def test_a_machine_that_is_slower_altogether_shows_less(judged: JudgeTime, timed: Timed) -> None:
    """Not everything is slowed by as much as the yardstick is; so a little more than it is no slowdown."""
    ours = timed(spread(2.6), yardstick_seconds=0.002)
    found = judged(ours, timed([1.0] * SEEDS))
    assert found.outcome is Outcome.PASS
    assert found.sentence.startswith("1.3 times the baseline's time a step")
    assert "the yardstick took 2 times as long" in found.sentence
    assert judged(timed(spread(1.3)), timed([1.0] * SEEDS)).outcome is Outcome.REGRESSED


def test_a_slowdown_of_a_few_seeds_is_not_shown(judged: JudgeTime, timed: Timed) -> None:
    """An interruption of some trials is no slowdown of the step, however long it took."""
    assert judged(timed([100.0] * 5 + [1.0] * 15), timed([1.0] * SEEDS)).outcome is Outcome.PASS
    assert judged(timed([2.0] * 11 + [1.0] * 9), timed([1.0] * SEEDS)).outcome is Outcome.PASS


def test_a_few_quick_seeds_hide_no_slowdown(judged: JudgeTime, timed: Timed) -> None:
    """The median of all seeds is what counts."""
    assert judged(timed([1.0] * 2 + [2.0] * 18), timed([1.0] * SEEDS)).outcome is Outcome.REGRESSED


@pytest.mark.parametrize("yardsticks", [(1e308, 1e-300), (1e-300, 1e308)])
def test_times_beyond_all_measure_are_judged(judged: JudgeTime, timed: Timed, yardsticks: tuple[float, float]) -> None:
    """Files hold what anyone wrote: a factor that is more than any float is told as an infinity."""
    found = judged(*(timed([1.0] * SEEDS, yardstick_seconds=seconds) for seconds in yardsticks))
    assert found.outcome in {Outcome.PASS, Outcome.IMPROVED, Outcome.REGRESSED}
    assert "inf times" in found.sentence
    assert "0 times" in found.sentence or "0 to 0" in found.sentence


@pytest.mark.parametrize("slowed", [True, False])
def test_a_machine_that_is_slower_altogether_is_no_slowdown(judged: JudgeTime, timed: Timed, slowed: bool) -> None:
    """The yardstick beside each trial takes out what has nothing to do with the network."""
    ours = timed([3.0] * SEEDS, yardstick_seconds=0.003 if slowed else 0.001)
    assert judged(ours, timed([1.0] * SEEDS)).outcome is (Outcome.PASS if slowed else Outcome.REGRESSED)


@given(factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]), steps=st.integers(1, 1000), together=st.integers(1, 64))
@settings(max_examples=10)
def test_times_are_counted_by_step_and_seed(
    pairs_of: Callable[..., Pairs], timed: Timed, factor: float, steps: int, together: int
) -> None:
    """Training several seeds at once, or for longer, is not slower: the ratio is that of one step of one seed."""
    ours = timed([factor * steps * together] * 3, steps=steps, seeds_together=together)
    found = sample_of(pairs_of(ours, timed([1.0] * 3, steps=1))).ratios
    np.testing.assert_allclose(found, math.log(factor), atol=1e-12)


@given(factors=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=8))
@settings(max_examples=10)
def test_the_ratio_of_both_ways_round_is_one(
    pairs_of: Callable[..., Pairs], timed: Timed, factors: list[float]
) -> None:
    """Judging the baseline against the run turns every ratio round."""
    ours, theirs = timed(factors), timed(factors[::-1])
    one, other = sample_of(pairs_of(ours, theirs)), sample_of(pairs_of(theirs, ours))
    np.testing.assert_allclose(one.ratios, -other.ratios, atol=1e-12)


@pytest.mark.parametrize(
    "given",
    [
        {"yardstick_seconds": math.nan},
        {"yardstick_seconds": 0.0},
        {"train_seconds": 0.0},
        {"train_seconds": math.nan},
        {"waiting_share": 2 * DISTURBED},
        {"steps": 0},
        {"status": Status.ERROR},
    ],
    ids=str,
)
def test_seeds_that_were_not_timed_alone_are_left_out(judged: JudgeTime, timed: Timed, given: dict[str, Any]) -> None:
    """What was trained in company, or not at all, has no time of its own, on whichever side."""
    untimed, alone = timed([1.0] * 3, **given), timed([1.0] * SEEDS)
    for ours, theirs in ((untimed + alone[3:], alone), (alone, untimed + alone[3:])):
        found = judged(ours, theirs)
        assert found.outcome is Outcome.PASS
        assert f"({SEEDS - 3} seeds;" in found.sentence
    none = judged(untimed, alone)
    assert none.outcome is Outcome.INCONCLUSIVE
    assert none.sentence.startswith("no seed was timed alone and undisturbed on both sides: of ")


def test_a_slowdown_that_is_all_waiting_is_no_pass(judged: JudgeTime, timed: Timed) -> None:
    """What sleeps in every step looks like a machine that others use; the sentence says on which side it waited."""
    found = judged(timed([100.0] * SEEDS, waiting_share=0.99), timed([1.0] * SEEDS))
    told = f"of {SEEDS}, {SEEDS} had to wait here, and 0 in the baseline"
    assert (found.outcome.code, found.sentence.endswith(told)) == (3, True)


def test_without_a_seed_in_common_no_time_is_compared(judged: JudgeTime, trial_of: Callable[..., Trial]) -> None:
    """The sentence says so."""
    assert judged([trial_of(0)], [trial_of(1)]).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_too_few_seeds_for_a_time_name_the_number_that_would_do(judged: JudgeTime, timed: Timed, factor: float) -> None:
    """All of ten on one side have a probability of 2/1024, whatever their size."""
    found = judged(timed([factor] * 10), timed([1.0] * 10))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence.endswith("; so few can show nothing, 11 could")
    assert judged(timed([factor] * 11), timed([1.0] * 11)).outcome is not Outcome.INCONCLUSIVE


Run = Callable[..., RunRecord]


@pytest.fixture(scope="module")
def cells(timed: Timed, run_of: Run) -> Run:
    """Make a run of several cells, each of which took its multiple of a common time, and what was timed first."""

    def make(factors: Sequence[float], *, first: Sequence[float] = (), **given: Any) -> RunRecord:
        def trials(of: Sequence[float]) -> list[Trial]:
            return [t for n, f in enumerate(of) for t in timed(spread(f), case=f"case {n}", **given)]

        return replace(run_of(trials(factors)), first=run_of(trials(first)).trials)

    return make


def together(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the verdict about the times of all cells."""
    return next((v for v in verdicts if v.case == ALL), None)


def test_a_slowdown_too_small_for_a_cell_shows_in_all_of_them(cells: Run) -> None:
    """A twentieth more in each of a hundred cells: none is called slower, all together are."""
    baseline, slower = cells([1.0] * 100), cells([1.05] * 100)
    verdicts = judge_times(slower, {"cpu": baseline})
    alone = {v.outcome for v in verdicts if v.case != ALL}
    found = together(verdicts)
    assert alone == {Outcome.PASS}
    assert found is not None
    assert (found.outcome, found.dtype, found.device) == (Outcome.REGRESSED, ALL, "cpu")
    assert found.sentence.startswith("1.05 times the baseline's time a step, 1.05 to 1.05 (100 cells;")
    even = together(judge_times(baseline, {"cpu": baseline}))
    assert even is not None
    assert even.outcome is Outcome.PASS


@pytest.mark.parametrize(("number", "told"), [(1, False), (12, False), (13, True)])
def test_too_few_cells_together_are_not_told(cells: Run, number: int, told: bool) -> None:
    """Twelve on one side are chance at a twenty-fourth of a hundredth; the cells have their own verdicts."""
    run = cells([1.0] * number)
    assert (together(judge_times(run, {"cpu": run})) is not None) is told


def test_what_disturbed_one_cell_counts_once(cells: Run) -> None:
    """Cells are what is counted, not their seeds: a third of them twice as slow is no slowdown of all."""
    found = together(judge_times(cells([2.0] * 10 + [1.0] * 20), {"cpu": cells([1.0] * 30)}))
    assert found is not None
    assert found.outcome is Outcome.PASS


def test_cells_that_are_timed_again_are_judged_by_it(cells: Run) -> None:
    """Each by its own second time; all together only if every one has one."""
    slow, even = cells([1.5] * 13), cells([1.0] * 13)
    again = judge_times(replace(slow, again=even.trials), {"cpu": even})
    assert {v.outcome for v in again} == {Outcome.PASS}
    some = judge_times(replace(slow, again=cells([1.0]).trials), {"cpu": even})
    found = together(some)
    assert found is not None
    assert found.outcome is Outcome.REGRESSED
    assert [v.outcome for v in some][:2] == [Outcome.PASS, Outcome.REGRESSED]


def test_a_slowdown_in_accepted_steps_is_seen(cells: Run) -> None:
    """Each step is too small to be called one; from the first accepted baseline on it is large."""
    crept = cells([1.01] * 100, first=[0.95] * 100)
    found = together(judge_times(cells([1.02] * 100), {"cpu": crept}))
    assert found is not None
    assert found.outcome is Outcome.REGRESSED
    assert "; but since it was first accepted: 1.07 times the baseline's time a step" in found.sentence
    level = together(judge_times(cells([1.02] * 100), {"cpu": cells([1.01] * 100, first=[1.01] * 100)}))
    assert level is not None
    assert level.outcome is Outcome.PASS


@pytest.mark.parametrize("others", [0, 30])
def test_a_cell_that_creeps_alone_is_seen(cells: Run, others: int) -> None:
    """A fifth more with each acceptance is a pass each time, and from the first on it is not; the others pass."""
    rest = [1.0] * others
    for step, outcome in ((1, Outcome.PASS), (2, Outcome.REGRESSED), (5, Outcome.REGRESSED)):
        before = cells([1.2 ** (step - 1), *rest], first=[1.0, *rest])
        creeping, *steady = judge_times(cells([1.2**step, *rest]), {"cpu": before})
        told = f"; but since it was first accepted: {1.2**step:.3g} times the baseline's time a step"
        assert creeping.sentence.startswith("1.2 times the baseline's time a step")
        assert (creeping.outcome, told in creeping.sentence) == (outcome, outcome is Outcome.REGRESSED)
        assert {v.outcome for v in steady} <= {Outcome.PASS}


def test_a_slowdown_is_told_once(cells: Run) -> None:
    """What regressed against the baseline needs no other reason; what became quicker is no creep."""
    for now, outcome in ((2.0, Outcome.REGRESSED), (0.5, Outcome.IMPROVED)):
        (found,) = judge_times(cells([now]), {"cpu": cells([1.0], first=[0.2])})
        assert (found.outcome, "first accepted" in found.sentence) == (outcome, False)


def test_a_creep_is_seen_where_the_baseline_has_no_time(cells: Run) -> None:
    """As of a baseline whose seeds were all disturbed."""
    before = cells([1.0], first=[1.0])
    disturbed = replace(before, trials=before.trials.assign(waiting_share=2 * DISTURBED))
    (found,) = judge_times(cells([2.0]), {"cpu": disturbed})
    assert (found.outcome, "but since it was first accepted: 2 times" in found.sentence) == (Outcome.REGRESSED, True)


def test_a_creep_that_is_not_there_the_second_time_is_none(cells: Run) -> None:
    """A burst of other work lasts no second time, whichever baseline it is held against."""
    before, now = cells([1.2], first=[1.0]), cells([1.44])
    (found,) = judge_times(replace(now, again=cells([1.1]).trials), {"cpu": before})
    assert found.outcome is Outcome.PASS


def test_times_of_another_machine_are_not_compared(cells: Run, machine: Machine) -> None:
    """Not even a hundredfold difference, of a cell or of all; the sentence says what differs."""
    elsewhere = replace(cells([100.0] * 3), machine=replace(machine, cores=4))
    found = judge_times(elsewhere, {"cpu": cells([1.0] * 3)})
    assert {(v.outcome, v.sentence, v.code) for v in found} == {
        (Outcome.INCOMPARABLE, "times of another machine: cores 4 (baseline: 2)", 0)
    }
    assert len(found) == 3
