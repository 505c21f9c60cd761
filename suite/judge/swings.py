"""Steps at which rounding alone carries losses as far as they lie: no seed tells anything there, all of them may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import Pairs
from suite.judge.statistics import rank_test, samples_needed
from suite.judge.tolerance import Tolerance
from suite.judge.verdict import Judgement, Outcome, Stage
from suite.observe import Array, root

Places = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How two samples of numbers differ: losses at a step, or how far they moved since the one before."""

    what: str
    ours: float
    theirs: float
    """Medians of both."""
    p: float
    better: bool
    """Ours are losses, and lower."""

    @property
    def sentence(self) -> str:
        """Say so."""
        return f"{self.what} {self.ours:.4g}, of the baseline's {self.theirs:.4g}, p = {self.p:.2g}"


def judge_swings(pairs: Pairs, tolerance: Tolerance, *, alpha: float) -> Judgement | None:
    """Judge what no tolerance can, as two samples at level ``alpha``; None where there is nothing of that.

    It passes if neither losses nor how far they move from one recorded step to the next differ by rank.
    """
    points = np.flatnonzero(tolerance.vague(pairs.steps).any(axis=0))
    if not len(points):
        return None
    begun = f"from step {pairs.steps[0, points[0]]} on, rounding alone takes losses anywhere"
    ours, theirs = _different(pairs)
    level = alpha / (2 * len(points))
    found = [each for each in _differences(ours, theirs, pairs, points) if each.p <= level]
    if found:
        worst = min(found, key=lambda each: (each.better, each.p))
        outcome = Outcome.IMPROVED if worst.better else Outcome.REGRESSED
        return Judgement(outcome=outcome, stage=Stage.LATER, sentence=f"{begun}; {worst.sentence}")
    needed = samples_needed(level)
    if len(ours) < needed:
        few = f"{begun}; of {len(ours)} seeds that differ that shows no difference, of {needed} it could"
        return Judgement(outcome=Outcome.INCONCLUSIVE, stage=Stage.LATER, sentence=few)
    return Judgement(outcome=Outcome.PASS, sentence=f"{begun}, and as samples they show no difference")


def _different(pairs: Pairs) -> tuple[Array, Array]:
    """Return the roots of both sides' losses, of seeds that all went one way once; what is no number is above all."""
    ours, theirs = (np.where(np.isfinite(side), root(side), np.inf) for side in pairs.curves)
    both = np.unique(np.column_stack([ours, theirs]), axis=0)
    return both[:, : ours.shape[1]], both[:, ours.shape[1] :]


def _differences(ours: Array, theirs: Array, pairs: Pairs, points: Places) -> Iterator[Difference]:
    """Compare losses at each of some points, and how far they moved since the point before."""
    for point in points:
        step = pairs.steps[0, point]
        p, larger = rank_test(ours[:, point], theirs[:, point])
        ends = np.median(ours[:, point]), np.median(theirs[:, point])
        told = f"at step {step} the median root of losses is"
        yield Difference(what=told, ours=ends[0], theirs=ends[1], p=p, better=larger < 0.5)
        if point:
            moves = _moves(ours, point), _moves(theirs, point)
            middles = np.median(moves[0]), np.median(moves[1])
            told = f"since the point before step {step} the median root of losses moved by"
            p = rank_test(*moves)[0]
            yield Difference(what=told, ours=middles[0], theirs=middles[1], p=p, better=False)


def _moves(roots: Array, point: int) -> Array:
    """Return how far roots of losses moved since the point before; two that are no number did not move."""
    with np.errstate(invalid="ignore"):
        moved: Array = np.nan_to_num(np.abs(roots[:, point] - roots[:, point - 1]), nan=0.0, posinf=np.inf)
    return moved
