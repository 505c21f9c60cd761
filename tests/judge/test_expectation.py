"""What a case expects is judged over its seeds alone, clause by clause, and each sentence says what was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from suite.clause import Clause
from suite.judge import Outcome, Stage, Verdict
from suite.judge.expectation import judge_cell, judge_clause, told_bounds
from suite.judge.statistics import counts_allowed, too_rare
from suite.trial import RunRecord, Status, Trial

ALPHA = 0.001
INF = math.inf


def observed(**columns: Sequence[float]) -> pd.DataFrame:
    """Return observations, seeds down and names across; the first seed is 10."""
    table = pd.DataFrame({name.replace("_", " "): list(values) for name, values in columns.items()}, dtype="float64")
    return table.set_axis(pd.RangeIndex(10, 10 + len(table), name="seed"))


def elements(rows: Sequence[Sequence[float]]) -> pd.DataFrame:
    """Return the elements of one observation ``w``: ``(seeds, elements)``."""
    table = pd.DataFrame(rows, dtype="float64")
    return table.set_axis([f"w[{place}]" for place in range(len(rows[0]))], axis=1).set_axis(
        pd.RangeIndex(10, 10 + len(rows), name="seed"), axis=0
    )


def clause(low: float | list[float] = -INF, high: float | list[float] = INF, **given: Any) -> Clause:
    """Return a clause about ``w`` with the same bounds in every dtype."""
    bounds = tuple(end if isinstance(end, list) else [end] for end in (low, high))
    return Clause(**({"observation": "w", "bounds": {"*": bounds}} | given))


def judged(the_clause: Clause, table: pd.DataFrame, dtype: str = "float64") -> tuple[Outcome, str]:
    """Judge a clause over a cell's observations."""
    return judge_clause(the_clause, dtype, table, alpha=ALPHA)


@given(values=st.lists(st.floats(), min_size=1, max_size=6), ends=st.tuples(st.floats(-10, 10), st.floats(-10, 10)))
def test_every_seed_must_lie_within_its_bounds(values: list[float], ends: tuple[float, float]) -> None:
    """By hand: low ≤ value ≤ high for all; NaN lies nowhere, infinities only in bounds that reach them."""
    low, high = sorted(ends)
    holds = all(low <= value <= high for value in values)
    outcome, _ = judged(clause(low, high), observed(w=values))
    assert outcome is (Outcome.PASS if holds else Outcome.BROKEN)


@pytest.mark.parametrize(
    ("low", "high", "value", "outcome"),
    [
        (1.0, 2.0, 1.0, Outcome.PASS),
        (1.0, 2.0, 2.0, Outcome.PASS),
        (1.0, 2.0, math.nextafter(1.0, 0.0), Outcome.BROKEN),
        (1.0, 2.0, math.nextafter(2.0, 3.0), Outcome.BROKEN),
        (1.0, INF, INF, Outcome.PASS),
        (-INF, 1.0, -INF, Outcome.PASS),
        (-INF, 1.0, INF, Outcome.BROKEN),
        (-INF, INF, math.nan, Outcome.BROKEN),
        (0.0, 0.0, -0.0, Outcome.PASS),
    ],
)
def test_the_ends_belong_to_the_bounds(low: float, high: float, value: float, outcome: Outcome) -> None:
    """Exactly at an end passes; one unit in the last place beyond it does not."""
    assert judged(clause(low, high), observed(w=[1.5 if low < 1.5 < high else value, value]))[0] is outcome


def test_a_pass_tells_the_span_that_was_seen() -> None:
    """From the smallest to the largest, or the only value, with what was allowed."""
    assert judged(clause(4.95, 5.05), observed(w=[5.0, 4.99, 5.02])) == (
        Outcome.PASS,
        "w is 4.99 to 5.02, 4.95 to 5.05 allowed",
    )
    assert judged(clause(5.0, 5.0), observed(w=[5.0, 5.0])) == (Outcome.PASS, "w is 5, exactly 5 allowed")


def test_a_break_names_the_first_seed_and_element_outside() -> None:
    """The element, its seed, its value, its own bounds, and how many seeds are outside."""
    table = elements([[1.0, 2.0], [1.0, 9.0], [8.0, 9.0]])
    assert judged(clause([0.5, 1.5], [1.5, 2.5]), table) == (
        Outcome.BROKEN,
        "w[1] of seed 11 is 9; 1.5 to 2.5 was expected (2 of 3 seeds outside)",
    )


def test_bounds_are_those_of_the_dtype() -> None:
    """Each dtype has its own, else those of any other; where nothing is expected, nothing can be said."""
    by_dtype = replace(clause(), bounds={"float64": ([1.0], [2.0]), "*": ([0.0], [9.0])})
    table = observed(w=[5.0])
    assert judged(by_dtype, table, "float64")[0] is Outcome.BROKEN
    assert judged(by_dtype, table, "float16")[0] is Outcome.PASS
    only = replace(clause(), bounds={"float64": ([1.0], [2.0])})
    assert judged(only, table, "float16") == (Outcome.INCONCLUSIVE, "w: no seed to look at")


@pytest.mark.parametrize(("inside", "outcome"), [(True, Outcome.PASS), (False, Outcome.BROKEN)])
def test_a_group_is_judged_alone(inside: bool, outcome: Outcome) -> None:
    """The seeds in the group, or those outside it, and no others."""
    table = observed(w=[1.0, 7.0, 1.0], dead=[1.0, 0.0, 1.0])
    found, sentence = judged(clause(0.0, 2.0, group="dead", inside=inside), table)
    assert found is outcome
    assert f" among {'' if inside else 'not '}dead" in sentence


@pytest.mark.parametrize(("inside", "dead"), [(True, 0.0), (False, 1.0)])
def test_a_group_without_a_seed_cannot_be_judged(inside: bool, dead: float) -> None:
    """That is no pass; the sentence names the group."""
    told = f"w: no seed among {'' if inside else 'not '}dead to look at"
    table = observed(w=[1.0, 1.0], dead=[dead, dead])
    assert judged(clause(0.0, 2.0, group="dead", inside=inside), table) == (Outcome.INCONCLUSIVE, told)


@pytest.mark.parametrize(("there", "told"), [(1.0, "w of seed 2 is 1, 0 to 2 allowed"), (0.0, "w: seed 2 is not here")])
def test_one_seed_is_no_group(there: float, told: str) -> None:
    """What is expected of a single seed is told of that seed, and so is that it was not trained."""
    table = observed(w=[1.0, 1.0], **{"seed 2": [0.0, there]})
    assert judged(clause(0.0, 2.0, group="seed 2"), table)[1] == told


@pytest.mark.parametrize(
    "table", [observed(), observed(v=[1.0]), observed(w=[1.0]).iloc[:0]], ids=["none", "other", "empty"]
)
@pytest.mark.parametrize("group", ["", "dead"])
def test_what_was_not_looked_at_cannot_be_judged(table: pd.DataFrame, group: str) -> None:
    """Neither a missing observation nor a missing group is an error, and neither is a pass."""
    assert judged(clause(0.0, 2.0, group=group), table)[0] is Outcome.INCONCLUSIVE


def test_bounds_that_do_not_fit_the_elements_are_told() -> None:
    """One bound is for all elements; any other number must be theirs."""
    table = elements([[1.0, 2.0]])
    told = "w has 2 elements; 3 bounds are given"
    assert judged(clause([0.0] * 3, [9.0] * 3), table) == (Outcome.BROKEN, told)
    assert judged(clause(0.0, 9.0), table)[0] is Outcome.PASS


def test_elements_of_another_observation_are_not_taken_for_ones_own() -> None:
    """``w`` is neither ``weight`` nor ``w at start``."""
    table = observed(w=[1.0], weight=[9.0], w_at_start=[9.0])
    assert judged(clause(0.0, 2.0), table)[0] is Outcome.PASS


HALF = clause(1.0, 1.0, summary="share", share=(0.5, 0.5))


@given(trials=st.integers(1, 60), data=st.data())
def test_a_rate_holds_as_long_as_its_count_is_not_too_rare(trials: int, data: st.DataObject) -> None:
    """The exact binomial test at the clause's level decides; where it lets every count pass, nothing was shown."""
    count = data.draw(st.integers(0, trials))
    outcome, _ = judged(HALF, observed(w=[1.0] * count + [0.0] * (trials - count)))
    if too_rare(0, trials, 0.5, 0.5) > ALPHA:
        assert outcome is Outcome.INCONCLUSIVE
    else:
        assert outcome is (Outcome.PASS if too_rare(count, trials, 0.5, 0.5) > ALPHA else Outcome.BROKEN)


def test_too_few_seeds_for_a_rate_name_the_number_that_would_do() -> None:
    """Ten seeds, all of them dead, have a probability of 2/1024 at a half, eleven half of that."""
    told = "w in 10 of 10 seeds, expected rate 0.5; no count of so few would have been wrong, of 11 some would"
    assert judged(HALF, observed(w=[1.0] * 10)) == (Outcome.INCONCLUSIVE, told)
    assert judged(HALF, observed(w=[1.0] * 11))[0] is Outcome.BROKEN


@pytest.mark.parametrize("share", [(0.0, 0.0), (1.0, 1.0)])
def test_never_and_always_need_one_seed(share: tuple[float, float]) -> None:
    """One exception is enough."""
    strict = clause(1.0, 1.0, summary="share", share=share)
    assert judged(strict, observed(w=[share[0]]))[0] is Outcome.PASS
    assert judged(strict, observed(w=[1.0 - share[0]]))[0] is Outcome.BROKEN


def test_a_rate_that_says_nothing_holds() -> None:
    """From never to always, whatever the number of seeds."""
    anything = clause(1.0, 1.0, summary="share", share=(0.0, 1.0))
    told = "w in 1 of 1 seeds, expected rate 0 to 1; nothing would have been caught"
    assert judged(anything, observed(w=[1.0])) == (Outcome.PASS, told)


@pytest.mark.parametrize("count", [0, 1, 39, 40])
def test_a_rate_that_does_not_hold_tells_count_and_probability(count: int) -> None:
    """Too few is as wrong as too many."""
    least, most = counts_allowed(40, 0.5, 0.5, ALPHA)
    p = too_rare(count, 40, 0.5, 0.5)
    told = f"w in {count} of 40 seeds, expected rate 0.5 (p = {p:.1e}; {least} to {most} allowed)"
    assert judged(HALF, observed(w=[1.0] * count + [0.0] * (40 - count))) == (Outcome.BROKEN, told)


def test_a_rate_that_holds_tells_what_would_have_been_caught() -> None:
    """A pass states its power: of 40 seeds, 10 to 30 may; with 95 %, a rate of 0.14 gives fewer, one of 0.86 more."""
    assert counts_allowed(40, 0.5, 0.5, ALPHA) == (10, 30)
    told = "w in 20 of 40 seeds, expected rate 0.5; a rate below 0.14 or above 0.86 would have been caught"
    assert judged(HALF, observed(w=[1.0, 0.0] * 20)) == (Outcome.PASS, told)


def test_a_rate_with_one_end_tells_one_side() -> None:
    """Nobody is more often inside than always."""
    often = clause(1.0, 1.0, summary="share", share=(0.5, 1.0))
    assert judged(often, observed(w=[1.0] * 40))[1].endswith("; a rate below 0.14 would have been caught")


def test_a_rate_counts_seeds_whose_every_element_lies_within() -> None:
    """One element outside is enough not to count; bounds other than a plain yes are told, as is a range of rates."""
    between = clause(0.0, 1.0, summary="share", share=(0.25, 0.75))
    rows = [[0.5, 0.5], [0.5, 2.0], [math.nan, 0.5], [0.0, 1.0]] * 10
    outcome, sentence = judged(between, elements(rows))
    assert outcome is Outcome.PASS
    assert sentence.startswith("w 0 to 1 in 20 of 40 seeds, expected rate 0.25 to 0.75")


MEDIAN = clause(1.0, 2.0, summary="quantile", quantile=0.5)


@pytest.mark.parametrize(
    ("below", "above", "undefined", "outcome"),
    [
        (0, 0, 0, Outcome.PASS),
        (15, 15, 0, Outcome.PASS),
        (16, 0, 0, Outcome.BROKEN),
        (0, 16, 0, Outcome.BROKEN),
        (12, 0, 3, Outcome.PASS),
        (13, 0, 3, Outcome.BROKEN),
        (0, 13, 3, Outcome.BROKEN),
    ],
)
def test_a_median_is_judged_not_its_seeds(below: int, above: int, undefined: int, outcome: Outcome) -> None:
    """Of 20 seeds, 15 may lie on one side of a median, at a level of 1/100; 16 may not. NaN lies on both sides."""
    values = [-INF] * below + [INF] * above + [math.nan] * undefined
    table = observed(w=values + [1.5] * (20 - len(values)))
    assert judge_clause(MEDIAN, "float64", table, alpha=0.02)[0] is outcome


@given(
    values=st.lists(st.floats(-1.0, 4.0), min_size=1, max_size=40), q=st.floats(0.0, 1.0), alpha=st.floats(1e-6, 0.5)
)
def test_a_quantile_is_two_rates(values: list[float], q: float, alpha: float) -> None:
    """Below its lowest value lies a share of at most q, above its highest one of at most 1 − q: exact tests."""
    upto = clause(1.0, 2.0, summary="quantile", quantile=q)
    below, above = sum(v < 1.0 for v in values), sum(v > 2.0 for v in values)
    n = len(values)
    wrong = (
        binomtest(below, n, q, alternative="greater").pvalue <= alpha / 2
        or binomtest(above, n, 1.0 - q, alternative="greater").pvalue <= alpha / 2
    )
    assert (judge_clause(upto, "float64", observed(w=values), alpha=alpha)[0] is Outcome.BROKEN) == wrong


def test_a_quantile_tells_its_value() -> None:
    """With what it is of, over how many seeds, what was allowed, and how many seeds may lie on either side."""
    told = "median of w over 30 seeds is 1.5, 1 to 2 allowed (10 seeds lie below, 10 above; 24 and 24 may)"
    assert judged(MEDIAN, observed(w=[-9.0, 1.5, 9.0] * 10)) == (Outcome.PASS, told)
    upper = clause(-INF, 2.0, summary="quantile", quantile=0.75)
    told = "0.75-quantile of w over 30 seeds is 9; at most 2 was expected (0 seeds lie below, 20 above; 29 and 16 may)"
    assert judged(upper, observed(w=[1.0, 9.0, 9.0] * 10)) == (Outcome.BROKEN, told)


def test_too_few_seeds_for_a_quantile_name_the_number_that_would_do() -> None:
    """Ten on one side of a median may be chance, eleven not; a bound on one side asks for that side's."""
    told = "median of w over 10 seeds is 9; so few can show nothing, 11 could"
    assert judged(MEDIAN, observed(w=[9.0] * 10)) == (Outcome.INCONCLUSIVE, told)
    assert judged(MEDIAN, observed(w=[9.0] * 11))[0] is Outcome.BROKEN
    upper = clause(-INF, 2.0, summary="quantile", quantile=0.25)
    told = "0.25-quantile of w over 10 seeds is 1; so few can show nothing, 27 could"
    assert judged(upper, observed(w=[1.0] * 10)) == (Outcome.INCONCLUSIVE, told)


def test_many_elements_share_one_level() -> None:
    """Of a thousand medians that lie where they should, none is called broken: each is asked a thousandth as often."""
    values = np.random.default_rng(0).uniform(0.0, 2.0, (40, 1000))
    medians = clause(1.0, 2.0, summary="quantile", quantile=0.5)
    wrong = [
        judge_clause(medians, "float64", elements(np.roll(values, k, 1).tolist()), alpha=0.01)[0] for k in range(3)
    ]
    assert wrong == [Outcome.PASS] * 3
    apart = [judge_clause(medians, "float64", observed(w=column), alpha=0.01)[0] for column in values.T]
    assert Outcome.BROKEN in apart


def test_the_quantile_that_lies_outside_is_the_one_that_is_told() -> None:
    """Of several elements, the first whose own bounds it breaks."""
    medians = clause([0.0, 0.0], [1.0, 2.0], summary="quantile", quantile=0.5)
    told = "median of w[1] over 20 seeds is 5; 0 to 2 was expected (0 seeds lie below, 20 above; 17 and 17 may)"
    assert judged(medians, elements([[0.5, 5.0]] * 20)) == (Outcome.BROKEN, told)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (([1.0], [2.0]), "1 to 2"),
        (([1.0], [1.0]), "exactly 1"),
        (([-INF], [2.0]), "at most 2"),
        (([1.0], [INF]), "at least 1"),
        (([0.0, 1.0], [5.0, 6.0]), "1 to 6"),
        (([0.0], [5.0]), "0 to 5"),
    ],
)
def test_bounds_are_told_in_words(bounds: tuple[list[float], list[float]], told: str) -> None:
    """Each element has its own bounds, or shares the only ones."""
    assert told_bounds(bounds, 1) == told


JudgeCell = Callable[..., Verdict]


@pytest.fixture(scope="module")
def of_cell(run_of: Callable[..., RunRecord]) -> JudgeCell:
    """Judge the only cell of a run made of these trials and clauses."""

    def judge(trials: Sequence[Trial], *clauses: Clause, **planned: Any) -> Verdict:
        run = run_of(trials, clauses=clauses)
        (cell,), (case,) = run.manifest.cells, run.manifest.cases
        return judge_cell(replace(cell, **planned), case, run.trials, run.observations, alpha=ALPHA)

    return judge


def seen(trial_of: Callable[..., Trial], *values: Mapping[str, float], **given: Any) -> list[Trial]:
    """Return trials that left these observations."""
    return [trial_of(seed, observations=tuple(named.items()), **given) for seed, named in enumerate(values)]


def test_a_cell_passes_if_all_its_clauses_do(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """The sentence is that of all clauses; each finding keeps its own."""
    trials = seen(trial_of, {"w": 1.0, "v": 3.0}, {"w": 2.0, "v": 3.0})
    found = of_cell(trials, clause(0.0, 2.0), clause(3.0, 3.0, observation="v"))
    sentences = ["w is 1 to 2, 0 to 2 allowed", "v is 3, exactly 3 allowed"]
    assert (found.outcome, found.sentence) == (Outcome.PASS, "; ".join(sentences))
    assert [(f.clause, f.outcome, f.sentence) for f in found.findings] == [
        (place, Outcome.PASS, sentence) for place, sentence in enumerate(sentences)
    ]
    assert (found.label, found.aspect, found.mode, found.stage) == ("neuron[cpu-float64]", "expectation", "eager", "")


def test_a_cell_without_clauses_passes(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """Nothing is expected of it, and the sentence says so; with or without observations."""
    for trials in (seen(trial_of, {"w": 1.0}), seen(trial_of, {})):
        found = of_cell(trials)
        assert (found.outcome, found.sentence, found.findings) == (Outcome.PASS, "nothing is expected", ())


def test_a_seed_of_which_nothing_is_recorded_is_told(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """What it would have shown is not known, and no pass; what the others break stays broken."""
    trials = seen(trial_of, {"w": 1.0}, {}, {"w": 1.0})
    found = of_cell(trials, clause(0.0, 2.0))
    told = "of 1 of 3 seeds nothing is recorded that was observed; w is 1, 0 to 2 allowed"
    assert (found.outcome, found.sentence) == (Outcome.INCONCLUSIVE, told)
    assert of_cell(trials, clause(5.0, 6.0)).outcome is Outcome.BROKEN
    failed = [trials[0], replace(trials[1], status=Status.ERROR, reason="no"), trials[2]]
    assert of_cell(failed, clause(0.0, 2.0)).outcome is Outcome.ERROR


def test_the_worst_clause_decides(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """Broken outweighs what could not be judged, which outweighs a pass; the others are not told."""
    trials = seen(trial_of, {"w": 1.0, "dead": 0.0})
    broken, empty, kept = clause(5.0, 6.0), clause(0.0, 1.0, group="dead"), clause(0.0, 1.0)
    found = of_cell(trials, kept, empty, broken)
    assert found.outcome is Outcome.BROKEN
    assert found.sentence == "w of seed 0 is 1; 5 to 6 was expected (1 of 1 seeds outside)"
    assert [finding.outcome for finding in found.findings] == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.BROKEN]
    assert of_cell(trials, kept, empty).outcome is Outcome.INCONCLUSIVE
    assert of_cell(trials, kept, empty).sentence == "w: no seed among dead to look at"


def test_a_clause_about_other_dtypes_is_none_of_the_cells(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """It leaves no finding; the others keep their places."""
    other = replace(clause(), bounds={"float16": ([5.0], [6.0])})
    found = of_cell(seen(trial_of, {"w": 1.0}), other, clause(0.0, 2.0))
    assert found.outcome is Outcome.PASS
    assert [finding.clause for finding in found.findings] == [1]


def test_each_element_meets_its_own_bounds_however_many_there_are(
    of_cell: JudgeCell, trial_of: Callable[..., Trial]
) -> None:
    """The tenth element comes after the second, as it was recorded, and not where its name would sort."""
    numbers = [float(place) for place in range(12)]
    trials = seen(trial_of, {f"w[{place}]": number for place, number in enumerate(numbers)})
    assert of_cell(trials, clause(numbers, numbers)).outcome is Outcome.PASS
    assert of_cell(trials, clause(numbers[::-1], numbers[::-1])).outcome is Outcome.BROKEN


@pytest.mark.parametrize("failures", [1, 3])
def test_a_seed_that_could_not_be_trained_is_an_error(
    of_cell: JudgeCell, trial_of: Callable[..., Trial], failures: int
) -> None:
    """Whatever the other seeds show; the most frequent reason is told. A clause about a group is no obstacle."""
    trials = seen(trial_of, *[{"w": 1.0, "dead": 0.0}] * 3)
    failed = [
        replace(t, status=Status.ERROR, reason="rare" if t.seed == 2 and failures > 1 else "no kernel", observations=())
        for t in trials[:failures]
    ]
    found = of_cell([*failed, *trials[failures:]], clause(0.0, 2.0, group="dead", inside=False))
    assert (found.outcome, found.sentence) == (
        Outcome.ERROR,
        f"{failures} of 3 seeds could not be trained: no kernel",
    )


def test_a_divergence_is_no_error(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """A case may expect it; what was seen decides."""
    diverged = seen(trial_of, {"w": INF}, status=Status.DIVERGED, final_loss=INF)
    assert of_cell(diverged, clause(100.0, INF)).outcome is Outcome.PASS
    assert of_cell(diverged, clause(0.0, 100.0)).outcome is Outcome.BROKEN


def test_an_interrupted_cell_cannot_be_judged(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """Fewer seeds than planned are not all of them, however well they did; the remedy is told."""
    found = of_cell(seen(trial_of, {"w": 1.0}, {"w": 1.0}), clause(0.0, 2.0), seeds=5)
    told = "2 of 5 seeds trained; complete the run with --resume"
    assert (found.outcome, found.sentence) == (Outcome.INCONCLUSIVE, told)


ALIKE = "seeds 0 and {second} start alike, and of {seeds} only {differ} differ"


def test_seeds_that_all_start_alike_are_an_error_of_the_environment(
    of_cell: JudgeCell, trial_of: Callable[..., Trial]
) -> None:
    """Whatever the clauses say: what looks like many seeds is one. Two are enough to tell."""
    for seeds in (2, 30):
        trials = [replace(t, init_digest="same") for t in seen(trial_of, *[{"w": 1.0}] * seeds)]
        found = of_cell(trials, clause(0.0, 2.0))
        assert (found.outcome, found.stage) == (Outcome.ERROR, Stage.INITIALISATION)
        assert found.sentence.startswith(ALIKE.format(second=1, seeds=seeds, differ=1))


def test_seeds_that_start_alike_in_pairs_are_one_too(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """As those of a generator that drops the seed's last bit, or its sign."""
    trials = [replace(t, init_digest=f"d{t.seed % 5}") for t in seen(trial_of, *[{"w": 1.0}] * 10)]
    found = of_cell(trials, clause(0.0, 2.0))
    assert found.sentence.startswith(ALIKE.format(second=5, seeds=10, differ=5))


def test_a_coincidence_among_many_seeds_is_chance(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """Two of three thousand float32 numbers may be equal: of 4.5 million pairs about one in eight million is."""
    trials = seen(trial_of, *[{"w": 1.0}] * 3000)
    twice = [*trials[:-1], replace(trials[-1], init_digest=trials[0].init_digest)]
    assert of_cell(twice, clause(0.0, 2.0)).outcome is Outcome.PASS


def test_few_possible_starts_are_judged(of_cell: JudgeCell, trial_of: Callable[..., Trial]) -> None:
    """A weight of plus or minus one, or one of 101 numbers: seeds are drawn, and the sentence says how few differ."""
    for possible in (2, 101):
        drawn = np.random.default_rng(possible).integers(0, possible, 100)
        trials = [replace(t, init_digest=f"d{drawn[t.seed]}") for t in seen(trial_of, *[{"w": 1.0}] * 100)]
        kept, broken = of_cell(trials, clause(0.0, 2.0)), of_cell(trials, clause(5.0, 6.0))
        assert (kept.outcome, broken.outcome, kept.stage) == (Outcome.PASS, Outcome.BROKEN, Stage.NONE)
        told = f" start alike, and of 100 only {len(set(drawn))} differ, as where few starts are possible"
        assert kept.sentence.endswith(told)


@pytest.mark.parametrize(
    "rule",
    [lambda s: s // 2, lambda s: s % 7, lambda s: s // 4, lambda s: (s + 1) // 2],
    ids=["halved", "modulo", "quartered", "shifted"],
)
def test_seeds_that_are_alike_by_rule_are_no_draw(
    of_cell: JudgeCell, trial_of: Callable[..., Trial], rule: Callable[[int], int]
) -> None:
    """However few starts are possible: what a generator drops of a seed shows in how far apart equal ones are."""
    drawn = np.random.default_rng(0).integers(0, 101, 100)
    for starts in (range(100), drawn):
        trials = [replace(t, init_digest=f"d{starts[rule(t.seed)]}") for t in seen(trial_of, *[{"w": 1.0}] * 100)]
        found = of_cell(trials, clause(0.0, 2.0))
        assert (found.outcome, found.stage) == (Outcome.ERROR, Stage.INITIALISATION)
        assert "apart are alike by rule" in found.sentence


def test_the_baseline_tells_how_many_starts_are_possible(
    run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial]
) -> None:
    """Two starts are as good as two of the baseline's, and an error where its all differ, or many of them."""

    def run(possible: int, stream: int) -> RunRecord:
        drawn = np.random.default_rng(stream).integers(0, possible, 100)
        seeds = seen(trial_of, *[{"w": 1.0}] * 100)
        return run_of([replace(t, init_digest=f"d{drawn[t.seed]}") for t in seeds], clauses=[clause(0.0, 2.0)])

    for ours, theirs, outcome in ((2, 2, 0), (101, 101, 0), (2, 10**9, 1), (2, 101, 1), (1, 2, 1)):
        mine = run(ours, 1)
        (cell,), (case,) = mine.manifest.cells, mine.manifest.cases
        given = cell, replace(case, drawn=True), mine.trials, mine.observations
        found = judge_cell(*given, alpha=ALPHA, baseline=run(theirs, 2).trials)
        assert found.outcome is (Outcome.ERROR if outcome else Outcome.PASS)


def test_a_start_that_is_not_drawn_is_the_same_for_all(run_of: Callable[..., RunRecord], trial_of: Any) -> None:
    """As that of a network whose weights are set to zero."""
    run = run_of(
        [replace(t, init_digest="zero") for t in seen(trial_of, *[{"w": 1.0}] * 9)], clauses=[clause(0.0, 2.0)]
    )
    (cell,), (case,) = run.manifest.cells, run.manifest.cases
    given = cell, replace(case, drawn=False), run.trials, run.observations
    assert judge_cell(*given, alpha=ALPHA).outcome is Outcome.PASS
