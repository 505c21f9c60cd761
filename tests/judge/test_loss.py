"""A loss is judged in the first tier that applies: bits, then tolerance, then distribution; more is worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge import Outcome, Stage
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import Pairs
from suite.judge.statistics import counts_allowed
from suite.judge.tolerance import EPSILON, ROUNDING, SHORT
from suite.judge.verdict import Judgement
from suite.plan import DTYPES
from suite.trial import LOSS, Status, Trial

ALPHA = 0.001
WITHIN, BEYOND = 0.5, 2.0
"""Distances from the baseline, in units of the tolerance."""
POINTS = (0, 1, 2, 3)
"""Steps of the recorded losses; the last is the final one."""

JudgeLoss = Callable[..., Judgement]


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs]) -> JudgeLoss:
    """Judge trials against their baseline's, on the same machine unless said otherwise."""

    def judge(ours: Sequence[Trial], theirs: Sequence[Trial], *, same_machine: bool = True) -> Judgement:
        differs = "" if same_machine else "threads 4 (baseline: 1)"
        pairs = pairs_of(ours, theirs)
        return judge_loss(pairs, Terms(dtype=ours[0].dtype, same_machine=same_machine, differs=differs, alpha=ALPHA))

    return judge


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return the baseline's trials."""
    return [trial_of(seed) for seed in range(3)]


Moved = Callable[..., Trial]


@pytest.fixture(scope="module")
def moved(allowed_for: Callable[[Trial], float]) -> Moved:
    """Return the trial with the root of one loss moved by so many units of its tolerance."""

    def move(trial: Trial, point: int, units: float) -> Trial:
        root = math.copysign(abs(at(trial, point)) ** 0.5, at(trial, point)) + units * allowed_for(trial)
        return with_loss(trial, point, math.copysign(root**2, root))

    return move


def at(trial: Trial, point: int) -> float:
    """Return the loss at one of the recorded points."""
    return trial.final_loss if point == POINTS[-1] else trial.curve[point][1]


def with_loss(trial: Trial, point: int, loss: float) -> Trial:
    """Return the trial with another loss at one of the recorded points."""
    if point == POINTS[-1]:
        return replace(trial, final_loss=loss)
    curve = tuple((step, loss if step == point else old) for step, old in trial.curve)
    return replace(trial, curve=curve, first_loss=curve[0][1])


def changing(trials: Sequence[Trial], seed: int, change: Callable[[Trial], Trial]) -> list[Trial]:
    """Return the trials with that of one seed changed."""
    return [change(trial) if trial.seed == seed else trial for trial in trials]


def test_equal_bits_on_equal_machines_pass(judged: JudgeLoss, trials: list[Trial]) -> None:
    """The first tier: every digest and every loss."""
    told = "3 seeds, bit for bit the baseline"
    assert judged(trials, trials) == Judgement(outcome=Outcome.PASS, sentence=told)


def test_equal_bits_on_different_machines_pass(judged: JudgeLoss, trials: list[Trial]) -> None:
    """The sentence says what differs, and that nothing came of it."""
    found = judged(trials, trials, same_machine=False)
    assert (found.outcome, found.stage) == (Outcome.PASS, Stage.NONE)
    assert found.sentence == "losses of 3 seeds use at most 0% of their tolerance (threads 4 (baseline: 1))"


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize(
    ("digest", "stage"),
    [
        ("init_digest", Stage.INITIALISATION),
        ("data_digest", Stage.DATA),
        ("gradient_digest", Stage.BACKWARD),
        ("update_digest", Stage.UPDATE),
        ("final_digest", Stage.LATER),
    ],
)
def test_any_digest_of_any_seed_is_a_change(
    judged: JudgeLoss, trials: list[Trial], digest: str, stage: Stage, seed: int
) -> None:
    """On equal machines bits must be equal; within tolerance they are changed, and the stage is named."""
    changed: dict[str, Any] = {digest: "other"}
    found = judged(changing(trials, seed, lambda t: replace(t, **changed)), trials)
    assert (found.outcome, found.stage) == (Outcome.CHANGED, stage)
    assert found.sentence.startswith(f"same machine, other bits: left the baseline at stage {stage}")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1, -1])
def test_within_tolerance_is_a_change_here_and_a_pass_elsewhere(
    judged: JudgeLoss, moved: Moved, trials: list[Trial], point: int, dtype: str, sign: int
) -> None:
    """Other bits on the same machine are shown; on another machine they are expected."""
    theirs = [replace(trial, dtype=dtype) for trial in trials]
    ours = changing(theirs, 1, lambda t: moved(t, point, sign * WITHIN))
    assert judged(ours, theirs).outcome is Outcome.CHANGED
    assert judged(ours, theirs).stage is (Stage.LATER if point else Stage.FORWARD)
    elsewhere = judged(ours, theirs, same_machine=False)
    assert (elsewhere.outcome, elsewhere.stage) == (Outcome.PASS, Stage.NONE)
    assert "use at most 50% of their tolerance" in elsewhere.sentence


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("same_machine", [True, False])
def test_beyond_tolerance_more_is_regressed_and_less_later_is_improved(
    judged: JudgeLoss, moved: Moved, trial_of: Callable[..., Trial], point: int, dtype: str, same_machine: bool
) -> None:
    """Every recorded loss counts, in both directions, from one seed more than may stray; the stage is where it left.

    Another first loss is another computation, and no improvement.
    """
    theirs = [trial_of(seed, dtype=dtype) for seed in range(28)]
    strays = counts_allowed(28, 0.0, 1 / (len(theirs) + 2), ALPHA)[1] if dtype in SHORT else 0
    lower = Outcome.IMPROVED if point else Outcome.REGRESSED
    for units, outcome in ((BEYOND, Outcome.REGRESSED), (-BEYOND, lower)):
        moving = [moved(trial, point, units) for trial in theirs]
        before = judged([*moving[:strays], *theirs[strays:]], theirs, same_machine=same_machine)
        assert before.outcome in {Outcome.PASS, Outcome.CHANGED}
        assert before.sentence.count(f"{strays} went another way, {strays} may") == bool(strays)
        found = judged([*moving[: strays + 1], *theirs[strays + 1 :]], theirs, same_machine=same_machine)
        assert found.outcome is outcome
        assert found.stage is (Stage.LATER if point else Stage.FORWARD)
        moment = "final loss" if point == POINTS[-1] else f"loss at step {point}"
        assert found.sentence.startswith(f"{moment} of seed ")
        told = f"2 times the tolerance ({strays + 1} of 28 seeds beyond it); left the baseline at stage"
        assert told in found.sentence


@pytest.mark.parametrize("changed", ["init", "data", "gradient", "update"])
def test_a_lower_loss_after_another_first_step_is_no_improvement(
    judged: JudgeLoss, moved: Moved, trials: list[Trial], changed: str
) -> None:
    """Whatever it ends at, it is not what was accepted."""
    other: dict[str, Any] = {f"{changed}_digest": "other"}
    ours = [replace(moved(trial, 3, -BEYOND), **other) for trial in trials]
    assert judged(ours, trials).outcome is Outcome.REGRESSED


@pytest.mark.parametrize(("seeds", "strayed"), [(1, 1), (3, 2), (7, 3), (20, 1)])
def test_so_few_seeds_that_a_third_may_stray_show_nothing(
    judged: JudgeLoss, moved: Moved, trial_of: Callable[..., Trial], seeds: int, strayed: int
) -> None:
    """It is no pass that seeds of a short dtype went another way, where too many may; within tolerance it is one."""
    theirs = [trial_of(seed, dtype="float16") for seed in range(seeds)]
    found = judged([*(moved(t, 3, BEYOND) for t in theirs[:strayed]), *theirs[strayed:]], theirs)
    few = f"{strayed} of {seeds} seeds went another way; where a third may or did, they tell nothing; 30 seeds could"
    expected = Judgement(outcome=Outcome.INCONCLUSIVE, stage=Stage.LATER, sentence=few)
    if seeds == 20:
        assert found.outcome is Outcome.CHANGED
    else:
        assert found == expected
    assert judged([moved(theirs[0], 3, WITHIN), *theirs[1:]], theirs).outcome is Outcome.CHANGED


def straying(trial_of: Callable[..., Trial], *, probed: int, strays: int, by: float, seeds: int) -> list[Trial]:
    """Return trials of which some were probed, and some of these moved by so much at the end."""
    far = trial_of(0).distances
    strayed = tuple((part, step, by if (part, step) == (LOSS, 3) else distance) for part, step, distance in far)
    given = [strayed] * strays + [far] * (probed - strays) + [()] * (seeds - probed)
    return [trial_of(seed, dtype="float32", distances=distances) for seed, distances in enumerate(given)]


@pytest.mark.parametrize("same_machine", [True, False])
@pytest.mark.parametrize(("up", "down", "calm"), [(12, 12, True), (24, 0, False), (0, 24, True), (22, 2, False)])
def test_strays_that_went_one_way_are_no_chance(
    judged: JudgeLoss,
    moved: Moved,
    trial_of: Callable[..., Trial],
    up: int,
    down: int,
    calm: bool,
    same_machine: bool,
) -> None:
    """As many may stray as the baseline's probes did, and as many of them up as down."""
    theirs = straying(trial_of, probed=28, strays=4, by=0.5, seeds=100)
    ways = [BEYOND] * up + [-BEYOND] * down + [0.0] * (100 - up - down)
    plain = [trial_of(trial.seed, dtype="float32") for trial in theirs]
    ours = [moved(trial, 2, units) if units else trial for trial, units in zip(plain, ways, strict=True)]
    found = judged(ours, theirs, same_machine=same_machine)
    assert found.outcome is ((Outcome.CHANGED if same_machine else Outcome.PASS) if calm else Outcome.REGRESSED)


@pytest.mark.parametrize(("by", "loss", "calm"), [(0.5, 9.0, True), (0.5, 1e6, False), (1e3, 1e6, True)])
def test_a_stray_goes_no_farther_than_the_baseline_knows(
    judged: JudgeLoss, trial_of: Callable[..., Trial], by: float, loss: float, calm: bool
) -> None:
    """Several times the largest of its losses, or several times as far as its own strays went."""
    theirs = straying(trial_of, probed=28, strays=4, by=by, seeds=100)
    found = judged([with_loss(theirs[0], 3, loss), *theirs[1:]], theirs)
    assert found.outcome is (Outcome.CHANGED if calm else Outcome.REGRESSED)


def test_without_a_probe_there_is_no_tolerance(judged: JudgeLoss, moved: Moved, trial_of: Callable[..., Trial]) -> None:
    """Equal bits need none; anything else cannot be judged."""
    theirs = [trial_of(seed, distances=()) for seed in range(3)]
    assert judged(theirs, theirs).outcome is Outcome.PASS
    found = judged([replace(t, final_digest="other") for t in theirs], theirs)
    assert found.outcome is Outcome.INCOMPARABLE
    assert found.sentence.startswith("the baseline holds no probe")


def test_one_seed_that_is_worse_outweighs_all_that_are_better(
    judged: JudgeLoss, moved: Moved, trials: list[Trial]
) -> None:
    """Nothing is averaged away."""
    better = [moved(trial, 3, -10 * BEYOND) for trial in trials]
    found = judged([*better[:2], moved(trials[2], 3, BEYOND)], trials)
    assert found.outcome is Outcome.REGRESSED
    assert found.sentence.startswith("final loss of seed 2 is ")


def test_the_loss_that_lies_farthest_out_is_told(judged: JudgeLoss, moved: Moved, trials: list[Trial]) -> None:
    """Its seed, its step, both values, and how many seeds lie beyond."""
    ours = [moved(trials[0], 3, 3.0), moved(trials[1], 2, 7.0), trials[2]]
    found = judged(ours, trials)
    mine, yours = ours[1].curve[2][1], trials[1].curve[2][1]
    told = (
        f"loss at step 2 of seed 1 is {mine:.6g}, baseline {yours:.6g}: 7 times the tolerance (2 of 3 seeds beyond it)"
    )
    assert found.sentence == f"{told}; left the baseline at stage later, step 2"


@given(
    units=st.lists(st.tuples(st.sampled_from(POINTS), st.sampled_from([-BEYOND, -WITHIN, WITHIN, BEYOND])), max_size=3),
    same_machine=st.booleans(),
)
@settings(max_examples=15)
def test_the_outcome_is_that_of_the_worst_loss(
    judged: JudgeLoss, moved: Moved, trials: list[Trial], units: list[tuple[int, float]], same_machine: bool
) -> None:
    """Any loss above its band regresses; else any below it improves; and what left is never without a stage."""
    ours = [moved(trial, *move) for trial, move in zip(trials, units, strict=False)] + trials[len(units) :]
    found = judged(ours, trials, same_machine=same_machine)
    largest, smallest = (end([0.0, *(unit for _, unit in units)]) for end in (max, min))
    calm = Outcome.PASS if not same_machine or not units else Outcome.CHANGED
    # On equal machines any other first loss is the first step's; elsewhere only one beyond its tolerance is.
    first = any(point == 0 and (same_machine or abs(unit) == BEYOND) for point, unit in units)
    lower = Outcome.REGRESSED if first else Outcome.IMPROVED
    expected = Outcome.REGRESSED if largest == BEYOND else lower if smallest == -BEYOND else calm
    assert found.outcome is expected
    assert (found.stage is Stage.NONE) == (expected is Outcome.PASS)


@pytest.mark.parametrize("same_machine", [True, False])
@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_divergence_on_one_side_is_beyond_every_tolerance(
    judged: JudgeLoss, trials: list[Trial], loss: float, same_machine: bool
) -> None:
    """One seed that diverges is a regression; one that does no longer is an improvement."""
    diverged = changing(trials, 1, lambda t: with_loss(with_loss(t, 2, loss), 3, loss))
    worse = judged(diverged, trials, same_machine=same_machine)
    better = judged(trials, diverged, same_machine=same_machine)
    assert (worse.outcome, better.outcome) == (Outcome.REGRESSED, Outcome.IMPROVED)
    assert worse.stage is better.stage is Stage.LATER
    assert "inf times the tolerance (1 of 3 seeds beyond it)" in worse.sentence


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_divergence_on_both_sides_is_none(judged: JudgeLoss, trials: list[Trial], loss: float) -> None:
    """What has always diverged is bit for bit the baseline, first loss and all."""
    diverged = [with_loss(with_loss(trial, 0, loss), 3, loss) for trial in trials]
    assert judged(diverged, diverged).outcome is Outcome.PASS
    assert judged(diverged, diverged, same_machine=False).outcome is Outcome.PASS


def test_two_ways_to_diverge_differ_in_bits_alone(judged: JudgeLoss, trials: list[Trial]) -> None:
    """An infinite loss beside an undefined one is no better and no worse."""
    infinite, undefined = ([with_loss(trial, 3, loss) for trial in trials] for loss in (math.inf, math.nan))
    assert judged(infinite, undefined).outcome is Outcome.CHANGED
    assert judged(infinite, undefined, same_machine=False).outcome is Outcome.PASS


def test_a_divergence_of_one_seed_hides_no_other_seed(judged: JudgeLoss, moved: Moved, trials: list[Trial]) -> None:
    """Seeds that diverge on both sides are passed over; the rest is judged as ever."""
    theirs = changing(trials, 0, lambda t: with_loss(t, 3, math.nan))
    ours = changing(theirs, 2, lambda t: moved(t, 3, BEYOND))
    assert judged(ours, theirs).outcome is Outcome.REGRESSED


def at_zero(trial: Trial, *, first: float) -> Trial:
    """Return a trial whose losses after the first are all zero."""
    return replace(trial, first_loss=first, curve=((0, first), (1, 0.0), (2, 0.0)), final_loss=0.0)


@pytest.mark.parametrize("same_machine", [True, False])
def test_a_loss_of_zero_is_judged_by_the_first_loss(
    judged: JudgeLoss, moved: Moved, trials: list[Trial], same_machine: bool
) -> None:
    """A share of the loss itself would allow nothing there."""
    theirs = [at_zero(trial, first=1.0) for trial in trials]
    found = {
        units: judged([moved(t, 3, units) for t in theirs], theirs, same_machine=same_machine).outcome
        for units in (WITHIN, BEYOND)
    }
    assert found == {WITHIN: Outcome.CHANGED if same_machine else Outcome.PASS, BEYOND: Outcome.REGRESSED}


@pytest.mark.parametrize("same_machine", [True, False])
def test_where_all_losses_were_zero_any_loss_is_worse(
    judged: JudgeLoss, trials: list[Trial], same_machine: bool
) -> None:
    """Nothing is allowed, and nothing is divided by zero; equal zeros pass."""
    theirs = [at_zero(trial, first=0.0) for trial in trials]
    assert judged(theirs, theirs, same_machine=same_machine).outcome is Outcome.PASS
    worse = [with_loss(trial, 3, 5e-324) for trial in theirs]
    assert judged(worse, theirs, same_machine=same_machine).outcome is Outcome.REGRESSED
    assert judged(theirs, worse, same_machine=same_machine).outcome is Outcome.IMPROVED


@pytest.mark.parametrize("first", [0.0, math.inf, math.nan])
@pytest.mark.parametrize("same_machine", [True, False])
def test_a_first_loss_that_measures_nothing_hides_no_other(
    judged: JudgeLoss, trials: list[Trial], first: float, same_machine: bool
) -> None:
    """Where the first loss is 0, or is beyond the dtype, the first that is neither is the unit of all."""
    theirs = [replace(t, first_loss=first, curve=((0, first), (1, 4.0), (2, 2.0)), final_loss=1.0) for t in trials]
    worse, near = ([with_loss(trial, 3, loss) for trial in theirs] for loss in (1.5, 1.0 + 1e-9))
    assert judged(worse, theirs, same_machine=same_machine).outcome is Outcome.REGRESSED
    assert judged(near, theirs, same_machine=same_machine).outcome.code == 0


def test_where_rounding_alone_ends_in_no_number_nothing_is_known(
    judged: JudgeLoss, trial_of: Callable[..., Trial]
) -> None:
    """A tolerance without end would let everything pass."""
    gone = tuple((part, step, math.inf if part == LOSS and step else 1e-6) for part, step, _ in trial_of(0).distances)
    theirs = [trial_of(seed, distances=gone) for seed in range(3)]
    found = judged([with_loss(trial, 3, 1e9) for trial in theirs], theirs)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence.startswith("one unit in the last place takes the baseline's probes from a number to none")


@pytest.mark.parametrize("dtype", SHORT)
def test_a_seed_that_diverges_is_no_stray(judged: JudgeLoss, trial_of: Callable[..., Trial], dtype: str) -> None:
    """Some seeds of a short dtype may go another way; none of its probes went where a loss is no number."""
    theirs = [trial_of(seed, dtype=dtype) for seed in range(28)]
    far, gone = ([with_loss(theirs[0], 3, loss), *theirs[1:]] for loss in (9.0, math.nan))
    assert judged(far, theirs).outcome is Outcome.CHANGED
    found = judged(gone, theirs)
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.LATER)
    assert "final loss of seed 0 is nan" in found.sentence
    straying = tuple(
        (part, step, math.inf if part == LOSS and step else far) for part, step, far in theirs[1].distances
    )
    known = replace(theirs[1], distances=straying)
    assert judged(gone, [theirs[0], known, *theirs[2:]]).outcome is Outcome.CHANGED


def test_a_negative_zero_hides_no_regression(judged: JudgeLoss, moved: Moved, trials: list[Trial]) -> None:
    """Zero and negative zero are equal losses of other bits; what another seed lost is still told."""
    theirs = [at_zero(trials[0], first=0.0), *trials[1:]]
    negative = with_loss(theirs[0], 3, -0.0)
    assert judged([negative, *trials[1:]], theirs).outcome is Outcome.CHANGED
    assert judged([negative, trials[1], moved(trials[2], 3, BEYOND)], theirs).outcome is Outcome.REGRESSED


def test_losses_at_the_end_of_the_floats_are_judged(judged: JudgeLoss, trials: list[Trial]) -> None:
    """A difference that overflows is infinitely far, and not an error."""
    theirs = [with_loss(trial, 3, -1.7e308) for trial in trials]
    assert judged([with_loss(trial, 3, 1.7e308) for trial in trials], theirs).outcome is Outcome.REGRESSED


@pytest.mark.parametrize("same_machine", [True, False])
def test_without_a_seed_in_common_nothing_can_be_said(
    judged: JudgeLoss, trial_of: Callable[..., Trial], same_machine: bool
) -> None:
    """The sentence says so; it is no pass."""
    found = judged([trial_of(0)], [trial_of(1)], same_machine=same_machine)
    assert (found.outcome, found.sentence) == (Outcome.INCONCLUSIVE, "no seed was trained on both sides")


def test_seeds_that_could_not_be_trained_are_not_compared(
    judged: JudgeLoss, trials: list[Trial], trial_of: Callable[..., Trial]
) -> None:
    """The error is told beside what the case expects; the loss is judged over the other seeds, if there are any."""
    failed = [trial_of(t.seed, status=Status.ERROR, final_loss=math.nan, curve=(), init_digest="-") for t in trials]
    assert judged([failed[0], *trials[1:]], trials).sentence == "2 seeds, bit for bit the baseline"
    assert judged(failed, trials).outcome is Outcome.INCONCLUSIVE
    assert judged(failed, failed).outcome is Outcome.INCONCLUSIVE


def test_a_single_seed_is_enough_for_bits_and_tolerance(judged: JudgeLoss, moved: Moved, trials: list[Trial]) -> None:
    """Both are about each seed by itself."""
    one = trials[:1]
    assert judged(one, trials).outcome is Outcome.PASS
    assert judged([moved(one[0], 3, BEYOND)], trials).outcome is Outcome.REGRESSED
    assert judged([moved(one[0], 3, -BEYOND)], trials, same_machine=False).outcome is Outcome.IMPROVED


def rounded_start(trial: Trial, **given: Any) -> Trial:
    """Return the trial with a start that other kernels rounded otherwise."""
    norm = trial.init_norm * (1 + ROUNDING / 2)
    return replace(trial, init_digest="rounded", init_norm=norm, **given)


def test_another_rounding_of_the_start_is_no_other_stream(judged: JudgeLoss, moved: Moved, trials: list[Trial]) -> None:
    """Seed by seed, with a tolerance for a start that was moved by an ulp of the dtype in which it was drawn."""
    found = {}
    for units in (WITHIN, BEYOND):
        theirs = [replace(t, distances=tuple((part, step, 1e-12) for part, step, _ in t.distances)) for t in trials]
        more = EPSILON["float32"] / EPSILON["float64"]
        ours = [rounded_start(moved(theirs[0], 3, units * more)), *theirs[1:]]
        found[units] = judged(ours, theirs, same_machine=False).outcome
    assert found == {WITHIN: Outcome.PASS, BEYOND: Outcome.REGRESSED}


def test_one_seed_of_the_same_stream_is_enough_to_pair_all(judged: JudgeLoss, trials: list[Trial]) -> None:
    """Where any seed starts from its own point, the stream is the same; a seed that does not is at fault."""
    ours = [trials[0], *(replace(t, init_digest="other", init_norm=9.0, final_loss=9.0) for t in trials[1:])]
    found = judged(ours, trials)
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.INITIALISATION)
    assert "another random stream" not in found.sentence


def test_seeds_that_the_baseline_lacks_are_counted(judged: JudgeLoss, trials: list[Trial]) -> None:
    """Nothing is held against them, which must not look as if they had been compared."""
    found = judged(trials, trials[:1])
    assert found == Judgement(
        outcome=Outcome.PASS, sentence="1 seeds, bit for bit the baseline; seeds that the baseline lacks: 2"
    )
