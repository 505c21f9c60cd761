"""float64 as the arbiter between two that differ: the one that is nearer to it is not the one that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import CellTables, Pairs
from suite.judge.stage import farther
from suite.judge.statistics import too_rare
from suite.judge.tolerance import tolerance_from
from suite.observe import Array, root

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


ARBITER = "float64"
"""The dtype that decides between two of another that differ; it is no arbiter of itself."""

FAR = 1.5
"""How many times as far from float64 as the baseline's the median seed must lie, to be called less exact.

Between AVX-512 and plain kernels it was 1.00 in all documented cases whose seeds differ.
"""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """Which side lies nearer to its own float64, for most of the seeds that were asked about."""

    nearer: int
    """Seeds for which ours does."""
    farther: int
    """Seeds for which the baseline does."""
    ratio: float
    """Distance of our median seed over that of the baseline's."""
    alpha: float

    @property
    def decided(self) -> bool:
        """Tell whether so many lie on one side that chance would hardly do it."""
        return too_rare(self.nearer, self.nearer + self.farther, 0.5, 0.5) <= self.alpha

    @property
    def is_nearer(self) -> bool:
        """Tell whether ours lies nearer, beyond chance."""
        return self.decided and self.nearer > self.farther

    @property
    def is_less_exact(self) -> bool:
        """Tell whether ours lies farther, beyond chance and by much."""
        return self.decided and self.nearer < self.farther and self.ratio >= FAR

    @property
    def sentence(self) -> str:
        """Say so."""
        most, side = max((self.nearer, "nearer to"), (self.farther, "farther from"))
        seeds = self.nearer + self.farther
        return f"{side} float64 than the baseline for {most} of {seeds} seeds, at {self.ratio:.3g} times the distance"


@dataclass(frozen=True, kw_only=True)
class Arbiter:
    """The same case on the same device in float64, on both sides."""

    ours: CellTables
    baseline: CellTables

    def opinion(self, pairs: Pairs, seeds: Flags, alpha: float) -> Opinion | None:
        """Compare the flagged seeds with their float64; seeds that all went one way count once.

        None where nothing can be said: of most of them, the two float64 differ by as much themselves, or by more than
        their tolerance. What went elsewhere in float64, too, is no matter of rounding.
        """
        exact = Pairs(self.ours, self.baseline)
        if not np.array_equal(exact.seeds, pairs.seeds) or not np.array_equal(exact.steps, pairs.steps):
            return None
        asked, seeds = seeds, seeds & ~_left(exact)
        if 2 * seeds.sum() <= asked.sum():
            return None
        sides = (_apart(*curves)[seeds] for curves in zip(pairs.curves, exact.curves, strict=True))
        apart = np.unique(np.column_stack([*sides, _apart(*exact.curves)[seeds]]), axis=0)
        ours, theirs, moved = apart[apart[:, 0] != apart[:, 1]].T
        clear = moved < np.maximum(ours, theirs)
        if 2 * clear.sum() <= len(clear):
            return None
        ours, theirs = ours[clear], theirs[clear]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = float(np.median(ours) / np.median(theirs))
        nearer = int((ours < theirs).sum())
        return Opinion(nearer=nearer, farther=len(ours) - nearer, ratio=ratio, alpha=alpha)


def _left(exact: Pairs) -> Flags:
    """Tell which seeds left their tolerance in float64, or lie where it is too vague; none, if it was not measured."""
    tolerance = tolerance_from(exact.probes, ARBITER, same_start=exact.same("init_digest"))
    if tolerance is None:
        return np.zeros(len(exact.seeds), dtype=np.bool_)
    left: Flags = np.asarray((farther(exact, tolerance) | tolerance.vague(exact.steps)).any(axis=1))
    return left


def _apart(ours: Array, theirs: Array) -> Array:
    """Return the largest distance of two curves, by the roots of their losses: ``(seeds,)``; NaN is infinite."""
    with np.errstate(invalid="ignore"):
        distance = np.where(ours == theirs, 0.0, np.abs(root(ours) - root(theirs)))
    largest: Array = np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max(axis=1)
    return largest
