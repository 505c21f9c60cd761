"""What a baseline expected and a run does not is told, in words that name both; what is stricter or new is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from suite.clause import Clause
from suite.judge import Aspect, Outcome, exit_code, judge
from suite.judge.clauses import eased
from suite.trial import RunRecord, Trial

NEAR = Clause(observation="w", bounds={"*": ([4.95], [5.05])})
WIDE = replace(NEAR, bounds={"*": ([-45.0], [55.0])})
RARE = replace(NEAR, summary="share", share=(0.2, 0.4))
HALF = replace(NEAR, summary="quantile", quantile=0.5)


def shared(low: float, high: float, clause: Clause = NEAR) -> Clause:
    """Return the clause of a share of seeds."""
    return replace(clause, summary="share", share=(low, high))


def told(before: Clause, *now: Clause, dtype: str = "float32") -> list[str]:
    """Return what is told of one clause of a baseline."""
    return list(eased([before], now, dtype))


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        (NEAR, [], "w: the baseline expected 4.95 to 5.05; now nothing is expected"),
        (NEAR, [WIDE], "w: the baseline expected 4.95 to 5.05; now -45 to 55 is expected"),
        (NEAR, [HALF], "w: the baseline expected 4.95 to 5.05; now 4.95 to 5.05 for the 0.5-quantile is expected"),
        (RARE, [shared(0.1, 0.4)], "in 0.2 to 0.4 of seeds; now 4.95 to 5.05 in 0.1 to 0.4 of seeds is expected"),
        (RARE, [NEAR], "of seeds; now 4.95 to 5.05 is expected"),
        (shared(0.5, 1.0), [shared(0.5, 1.0, WIDE)], "now -45 to 55 in 0.5 to 1 of seeds is expected"),
        (shared(0.0, 0.5, WIDE), [shared(0.0, 0.5)], "now 4.95 to 5.05 in 0 to 0.5 of seeds is expected"),
        (NEAR, [replace(NEAR, group="dead")], "now nothing is expected"),
        (replace(NEAR, group="dead"), [replace(WIDE, group="dead")], "4.95 to 5.05 among dead; now -45 to 55 among"),
        (NEAR, [replace(NEAR, bounds={"float64": ([5.0], [5.0])})], "now nothing is expected"),
        (replace(NEAR, bounds={"*": ([0.0, 0.0], [1.0, 1.0])}), [WIDE], "expected 0 to 1; now -45 to 55 is"),
        (replace(NEAR, bounds={"*": ([1.0] * 5, [math.inf] * 5)}), [], "expected at least 1 and 2 more; now"),
    ],
)
def test_what_is_gone_or_wider_is_told(before: Clause, now: list[Clause], sentence: str) -> None:
    """With what was expected, and what is."""
    (found,) = told(before, *now)
    assert sentence in found


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (NEAR, NEAR),
        (WIDE, NEAR),
        (replace(NEAR, bounds={"float32": ([4.0, 4.0], [6.0, 6.0])}), NEAR),
        (HALF, NEAR),
        (replace(HALF, bounds=WIDE.bounds), HALF),
        (RARE, shared(0.3, 0.3)),
        (shared(0.5, 1.0), NEAR),
        (shared(0.5, 1.0, WIDE), shared(0.6, 0.7)),
        (shared(0.0, 0.5), shared(0.1, 0.4, WIDE)),
        (shared(0.0, 1.0), shared(1.0, 1.0, WIDE)),
        (replace(NEAR, group="dead"), NEAR),
        (replace(NEAR, bounds={"float64": ([5.0], [5.0])}), WIDE),
        (NEAR, replace(NEAR, claims=("X2",))),
    ],
)
def test_what_is_as_strict_or_stricter_is_nothing_to_tell(before: Clause, now: Clause) -> None:
    """A clause that follows from another one is not lost; one of another dtype was none."""
    assert told(before, now) == []
    assert told(before, WIDE, now) == []


@pytest.mark.parametrize("clauses", [(), (WIDE,)])
def test_expectations_that_are_gone_or_wider_do_not_pass_in_silence(
    run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial], clauses: tuple[Clause, ...]
) -> None:
    """The cell's expectation is changed, which fails if asked to; that of a short cell never is, since it has none."""
    trials = [trial_of(seed) for seed in range(20)]
    run, baseline = run_of(trials, clauses=clauses), run_of(trials, clauses=(NEAR,))
    verdicts = judge(run, {"cpu": baseline})
    (found,) = [verdict for verdict in verdicts if verdict.aspect is Aspect.EXPECTATION]
    assert (found.outcome, found.sentence) == (Outcome.CHANGED, *told(NEAR, *clauses, dtype="float64"))
    assert (exit_code(verdicts), exit_code(verdicts, strict=True)) == (0, 1)
    assert {verdict.outcome for verdict in judge(baseline, {"cpu": run})} == {Outcome.PASS}
    short: dict[str, Any] = {"cells": tuple(replace(cell, short=True) for cell in run.manifest.cells)}
    as_short = replace(run, manifest=replace(run.manifest, **short))
    assert exit_code(judge(as_short, {"cpu": baseline}), strict=True) == 0


def test_what_is_broken_stays_broken(run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial]) -> None:
    """What else is wrong is told first."""
    far = Clause(observation="w", bounds={"*": ([9.0], [9.0])})
    trials = [trial_of(seed) for seed in range(20)]
    verdicts = judge(run_of(trials, clauses=(far,)), {"cpu": run_of(trials, clauses=(NEAR,))})
    (found,) = [verdict for verdict in verdicts if verdict.aspect is Aspect.EXPECTATION]
    assert found.outcome is Outcome.BROKEN
    assert found.sentence.endswith("; w: the baseline expected 4.95 to 5.05; now exactly 9 is expected")
