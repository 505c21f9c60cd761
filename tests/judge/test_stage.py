"""The stage is the first question answered with no: start, data, first loss, first gradient, first update, later."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge import Stage
from suite.judge.pairs import Pairs
from suite.judge.stage import find_stage
from suite.judge.tolerance import EPSILON, ROUNDING, Tolerance
from suite.trial import Trial

ALLOWED = Tolerance(steps=(0,), losses=np.array([0.01]), gradient=0.01, update=0.01, strays=0.0)
SMALL, LARGE = 1.005, 1.1
"""Factors within the tolerance and beyond it; a start and data are allowed the rounding of a draw alone."""

QUESTIONS = {
    Stage.INITIALISATION: ("init_digest", "start"),
    Stage.DATA: ("data_digest", "data"),
    Stage.FORWARD: (None, None),
    Stage.BACKWARD: ("gradient_digest", "gradient"),
    Stage.UPDATE: ("update_digest", "update"),
}
IN_ORDER = [*QUESTIONS, Stage.LATER]


def moved(trial: Trial, stage: Stage, factor: float) -> Trial:
    """Return the trial as it would be, had it left its baseline at one stage alone, by a factor."""
    if stage is Stage.LATER:
        return replace(trial, final_loss=trial.final_loss * factor)
    if stage is Stage.FORWARD:
        first = trial.first_loss * factor
        return replace(trial, first_loss=first, curve=((0, first), *trial.curve[1:]))
    digest, part = QUESTIONS[stage]
    changed: dict[str, Any] = {name: getattr(trial, name) * factor for name in (f"{part}_norm", f"{part}_projection")}
    return replace(trial, **(changed | {str(digest): "other"}))


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return the baseline's trials."""
    return [trial_of(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def stage_of(trials: list[Trial], pairs_of: Callable[..., Pairs]) -> Callable[..., tuple[Stage, int]]:
    """Find the stage at which changed trials left the baseline."""

    def find(changed: list[Trial], *, exact: bool) -> tuple[Stage, int]:
        return find_stage(pairs_of(changed, trials), ALLOWED, "float32", exact=exact)

    return find


@pytest.mark.parametrize("exact", [True, False])
def test_what_never_left_has_no_stage(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], exact: bool
) -> None:
    """Equal trials are equal in every respect."""
    assert stage_of(trials, exact=exact) == (Stage.NONE, 0)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("stage", IN_ORDER)
@pytest.mark.parametrize("exact", [True, False])
def test_one_seed_that_leaves_names_the_stage(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], exact: bool, stage: Stage, seed: int
) -> None:
    """Each stage is reached, by any seed; a loss that leaves at the end alone left at the last step."""
    changed = [moved(trial, stage, LARGE) if trial.seed == seed else trial for trial in trials]
    assert stage_of(changed, exact=exact) == (stage, 3 if stage is Stage.LATER else 0)


@pytest.mark.parametrize("factor", [LARGE, 1 / LARGE])
@pytest.mark.parametrize("stage", IN_ORDER)
def test_more_and_less_are_both_differences(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stage: Stage, factor: float
) -> None:
    """A norm or a loss beyond its tolerance has left, in whichever direction."""
    assert stage_of([moved(trial, stage, factor) for trial in trials], exact=False)[0] is stage


@pytest.mark.parametrize("stage", IN_ORDER)
def test_rounding_is_no_stage(trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stage: Stage) -> None:
    """Other kernels give other digests; within the tolerance of norms and losses nothing has left."""
    drawn = stage in {Stage.INITIALISATION, Stage.DATA}
    changed = [moved(trial, stage, 1.0 + ROUNDING / 2 if drawn else SMALL) for trial in trials]
    assert stage_of(changed, exact=False)[0] is (stage if stage is Stage.DATA else Stage.NONE)
    assert stage_of(changed, exact=True)[0] is stage


@pytest.mark.parametrize("stage", [stage for stage in QUESTIONS if stage is not Stage.FORWARD])
def test_another_direction_of_the_same_size_is_a_difference(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stage: Stage
) -> None:
    """A gradient with one sign turned has the same norm; its projection is another."""
    name = f"{QUESTIONS[stage][1]}_projection"
    turned: dict[str, Any] = {name: -getattr(trials[1], name)}
    assert stage_of([trials[0], replace(trials[1], **turned), trials[2]], exact=False) == (stage, 0)


@pytest.mark.parametrize("measure", ["norm", "projection"])
@pytest.mark.parametrize("stage", [stage for stage in QUESTIONS if stage is not Stage.FORWARD])
def test_a_measure_alone_is_a_difference_of_bits(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stage: Stage, measure: str
) -> None:
    """Where bits count, one unit in the last place of a norm is a difference, as where a cast rounds otherwise."""
    name = f"{QUESTIONS[stage][1]}_{measure}"
    nudged: list[dict[str, Any]] = [{name: math.nextafter(getattr(trial, name), math.inf)} for trial in trials]
    changed = [replace(trial, **nudge) for trial, nudge in zip(trials, nudged, strict=True)]
    assert stage_of(changed, exact=True) == (stage, 0)


def test_each_seed_has_its_own_number_of_steps(
    trials: list[Trial], pairs_of: Callable[..., Pairs], trial_of: Callable[..., Trial]
) -> None:
    """One that is followed for longer has points that the others lack, and differs at its own steps."""
    longer = trial_of(0, steps=9, curve=(*trials[0].curve, (8, 0.25)))
    theirs, ours = [longer, *trials[1:]], [replace(longer, curve=(*trials[0].curve, (8, 0.5))), *trials[1:]]
    for exact in (True, False):
        assert find_stage(pairs_of(theirs, theirs), ALLOWED, "float32", exact=exact) == (Stage.NONE, 0)
        assert find_stage(pairs_of(ours, theirs), ALLOWED, "float32", exact=exact) == (Stage.LATER, 8)
        ended = [trials[0], moved(trials[1], Stage.LATER, LARGE), trials[2]]
        both = [longer, *ended[1:]], theirs
        assert find_stage(pairs_of(*both), ALLOWED, "float32", exact=exact) == (Stage.LATER, 3)


@given(stages=st.sets(st.sampled_from(IN_ORDER), min_size=1), exact=st.booleans())
@settings(max_examples=12)
def test_the_first_stage_is_named(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stages: set[Stage], exact: bool
) -> None:
    """Whatever differs after it follows from it."""
    changed = trials
    for stage in stages:
        changed = [moved(trial, stage, LARGE) for trial in changed]
    assert stage_of(changed, exact=exact)[0] is min(stages, key=IN_ORDER.index)


@pytest.mark.parametrize("stage", [stage for stage in QUESTIONS if stage is not Stage.FORWARD])
def test_a_digest_alone_is_a_difference_of_bits(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], stage: Stage
) -> None:
    """Two different sets of numbers may have one norm; the digest tells them apart."""
    changed = [moved(trial, stage, 1.0) for trial in trials]
    assert stage_of(changed, exact=True) == (stage, 0)
    assert stage_of(changed, exact=False)[0] is (stage if stage is Stage.DATA else Stage.NONE)


@pytest.mark.parametrize(
    ("dtype", "stage"),
    [
        ("float64", Stage.DATA),
        ("float32", Stage.DATA),
        ("bfloat16", Stage.FORWARD),
        ("float16", Stage.FORWARD),
    ],
)
def test_data_have_their_own_bits_on_every_torch(
    trials: list[Trial], pairs_of: Callable[..., Pairs], dtype: str, stage: Stage
) -> None:
    """An ulp of the data that the first loss shows is no fault of the forward pass; a cast to less may round it."""
    nudged = [moved(moved(t, Stage.DATA, 1.0 + EPSILON["float32"]), Stage.FORWARD, LARGE) for t in trials]
    assert find_stage(pairs_of(nudged, trials), ALLOWED, dtype, exact=False) == (stage, 0)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("point", "step"), [(1, 1), (2, 2)])
def test_the_first_recorded_step_that_differs_is_named(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]], exact: bool, point: int, step: int
) -> None:
    """Of all seeds, the earliest step counts."""

    def from_point(trial: Trial, first: int) -> Trial:
        curve = tuple((mark, loss * (LARGE if mark >= first else 1.0)) for mark, loss in trial.curve)
        return replace(trial, curve=curve, final_loss=trial.final_loss * LARGE)

    changed = [trials[0], from_point(trials[1], 2), from_point(trials[2], point)]
    assert stage_of(changed, exact=exact) == (Stage.LATER, step)


def test_parameters_that_end_otherwise_are_a_difference_of_bits(
    trials: list[Trial], stage_of: Callable[..., tuple[Stage, int]]
) -> None:
    """Equal losses all the way are not yet equal networks."""
    changed = [replace(trial, final_digest="other") for trial in trials]
    assert stage_of(changed, exact=True) == (Stage.LATER, 3)
    assert stage_of(changed, exact=False) == (Stage.NONE, 0)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_divergence_on_one_side_is_where_they_part(
    trials: list[Trial],
    stage_of: Callable[..., tuple[Stage, int]],
    pairs_of: Callable[..., Pairs],
    exact: bool,
    loss: float,
) -> None:
    """A loss that is not finite on one side alone is no rounding; on both sides it is no difference."""
    diverged = [replace(t, curve=(*t.curve[:2], (2, loss)), final_loss=loss) for t in trials]
    assert stage_of(diverged, exact=exact) == (Stage.LATER, 2)
    assert find_stage(pairs_of(trials, diverged), ALLOWED, "float32", exact=exact) == (Stage.LATER, 2)
    assert find_stage(pairs_of(diverged, diverged), ALLOWED, "float32", exact=exact) == (Stage.NONE, 0)


def test_two_ways_to_diverge_are_one_within_tolerance(trials: list[Trial], pairs_of: Callable[..., Pairs]) -> None:
    """An infinite loss here and an undefined one there have both diverged; only their bits differ."""
    ways = [[replace(t, final_loss=loss) for t in trials] for loss in (math.inf, math.nan)]
    assert find_stage(pairs_of(*ways), ALLOWED, "float32", exact=False) == (Stage.NONE, 0)
    assert find_stage(pairs_of(*ways), ALLOWED, "float32", exact=True) == (Stage.LATER, 3)


def test_undefined_norms_on_both_sides_are_equal(trials: list[Trial], pairs_of: Callable[..., Pairs]) -> None:
    """A gradient that overflowed on both sides is the same gradient."""
    undefined = [replace(trial, gradient_norm=math.nan, update_norm=math.inf) for trial in trials]
    for exact in (True, False):
        assert find_stage(pairs_of(undefined, undefined), ALLOWED, "float32", exact=exact) == (Stage.NONE, 0)
        assert find_stage(pairs_of(undefined, trials), ALLOWED, "float32", exact=exact) == (Stage.BACKWARD, 0)
