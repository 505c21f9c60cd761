"""Aspect two: the loss against the baseline, in the first tier that applies: bits, tolerance, distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import DIGESTS, Pairs, same_bits
from suite.judge.stage import find_stage
from suite.judge.tolerance import ROUNDING, Tolerance, tolerance_for
from suite.judge.verdict import Outcome, Stage
from suite.observe import Array


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """An outcome with its stage and its sentence, before it is put beside its cell."""

    outcome: Outcome
    sentence: str
    stage: Stage = Stage.NONE


def judge_loss(pairs: Pairs, dtype: str, *, same_machine: bool, differs: str, alpha: float) -> Judgement:
    """Judge one cell's losses against its baseline's.

    ``same_machine`` says that the fingerprints are equal, so that bits must be; ``differs`` says
    what differs otherwise.
    """
    if not len(pairs.seeds):
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence="no seed was trained on both sides")
    if same_machine and _bits_equal(pairs):
        return Judgement(outcome=Outcome.PASS, sentence=f"{len(pairs.seeds)} seeds, bit for bit the baseline")
    if not _any_same_start(pairs):
        return _by_distribution(pairs, differs, alpha)
    tolerance = tolerance_for(dtype, same_start=pairs.same("init_digest"))
    return _by_tolerance(pairs, tolerance, same_machine=same_machine, differs=differs)


def _any_same_start(pairs: Pairs) -> bool:
    """Tell whether any seed starts from the same draw, up to rounding; if none does, the stream is another."""
    ours, theirs = pairs.column("init_norm")
    return bool((np.abs(ours - theirs) <= ROUNDING * np.abs(theirs)).any())


def _bits_equal(pairs: Pairs) -> bool:
    return all(pairs.same(digest) for digest in DIGESTS) and bool(same_bits(*pairs.curves).all())


def _by_tolerance(pairs: Pairs, tolerance: Tolerance, *, same_machine: bool, differs: str) -> Judgement:
    """Judge every recorded loss, on the way and final, seed by seed."""
    excess = _excess(pairs, tolerance)
    allowed = tolerance.strays_among(len(pairs.seeds))
    stage, step = find_stage(pairs, tolerance, exact=same_machine)
    where = f"left the baseline at stage {stage}" + (f", step {step}" if stage is Stage.LATER else "")
    if _beyond(excess) > allowed:
        return Judgement(outcome=Outcome.REGRESSED, stage=stage, sentence=f"{_worst(pairs, excess)}; {where}")
    if _beyond(-excess) > allowed:
        return Judgement(outcome=Outcome.IMPROVED, stage=stage, sentence=f"{_worst(pairs, -excess)}; {where}")
    largest = _within(excess, allowed)
    if same_machine:
        return Judgement(outcome=Outcome.CHANGED, stage=stage, sentence=f"same machine, other bits: {where}; {largest}")
    return Judgement(outcome=Outcome.PASS, sentence=f"{largest} ({differs})")


def _beyond(excess: Array) -> int:
    """Count the seeds with a loss above its tolerance."""
    return int((excess > 1.0).any(axis=1).sum())


def _within(excess: Array, allowed: int) -> str:
    """Say how much of the tolerance the seeds use, strays apart."""
    used = np.abs(excess).max(axis=1)
    strays = int((used > 1.0).sum())
    most = used[used <= 1.0].max(initial=0.0)
    told = f"losses of {len(used) - strays} seeds use at most {most:.0%} of their tolerance"
    return f"{told}; {strays} went another way, {allowed} may" if strays else told


def _excess(pairs: Pairs, tolerance: Tolerance) -> Array:
    """Return how far each loss lies above its baseline (below: negative), in units of the tolerance.

    A loss that is finite on one side only counts as infinitely far.
    """
    ours, theirs = pairs.curves
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = (ours - theirs) / tolerance.allowed(theirs, theirs[:, 0])
    distance[ours == theirs] = 0.0
    finite, once = np.isfinite(ours), np.isfinite(theirs)
    distance[~finite & once] = np.inf
    distance[finite & ~once] = -np.inf
    result: Array = np.where(~finite & ~once, 0.0, distance)
    return result


def _worst(pairs: Pairs, excess: Array) -> str:
    """Name the loss that lies farthest out: its seed, its step, both values and the allowance."""
    seed, point = np.unravel_index(int(excess.argmax()), excess.shape)
    ours, theirs = (side[seed, point] for side in pairs.curves)
    outside = _beyond(excess)
    moment = "final loss" if point == len(pairs.steps) - 1 else f"loss at step {pairs.steps[point]}"
    return (
        f"{moment} of seed {pairs.seeds[seed]} is {ours:.6g}, baseline {theirs:.6g}: {excess[seed, point]:.3g} times "
        f"the tolerance ({outside} of {len(pairs.seeds)} seeds beyond it)"
    )


def _by_distribution(pairs: Pairs, differs: str, alpha: float) -> Judgement:
    """Judge two samples that started elsewhere: another random stream."""
    from scipy.stats import mannwhitneyu

    ours, theirs = (np.where(np.isfinite(side), side, np.inf) for side in pairs.column("final_loss"))
    test = mannwhitneyu(ours, theirs, alternative="two-sided")
    p = float(test.pvalue)
    told = f"another random stream ({differs}): medians {np.median(ours):.4g} and {np.median(theirs):.4g}, p = {p:.2g}"
    if p > alpha:
        return Judgement(outcome=Outcome.PASS, stage=Stage.INITIALISATION, sentence=f"{told}; no difference shown")
    worse = test.statistic > len(ours) * len(theirs) / 2
    outcome = Outcome.REGRESSED if worse else Outcome.IMPROVED
    return Judgement(outcome=outcome, stage=Stage.INITIALISATION, sentence=told)
