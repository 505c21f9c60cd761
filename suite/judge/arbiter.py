"""float64 as the arbiter between two that differ: the one that is nearer to it is not the one that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import CellTables, Pairs
from suite.judge.statistics import too_rare
from suite.observe import Array, root

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What the arbiter says of the seeds that differ."""

    nearer: bool
    """Ours lies nearer to float64 for most of them."""
    decided: bool
    """By so many that chance would hardly do it."""
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Arbiter:
    """The same case on the same device in float64, on both sides."""

    ours: CellTables
    baseline: CellTables

    def told(self, pairs: Pairs, seeds: Flags, alpha: float) -> Opinion | None:
        """Say which side lies nearer to its own float64, for the flagged seeds; None where nothing can be said.

        Nothing can be where the two float64 differ by as much themselves.
        """
        exact = Pairs(self.ours, self.baseline)
        if not np.array_equal(exact.seeds, pairs.seeds) or not np.array_equal(exact.steps, pairs.steps):
            return None
        apart = (_apart(*sides)[seeds] for sides in zip(pairs.curves, exact.curves, strict=True))
        ours, theirs = apart
        nearer, farther = int((ours < theirs).sum()), int((ours > theirs).sum())
        moved = _apart(*exact.curves)[seeds]
        if not nearer + farther or (moved >= np.maximum(ours, theirs)).any():
            return None
        most, side = (nearer, "nearer to") if nearer > farther else (farther, "farther from")
        return Opinion(
            nearer=nearer > farther,
            decided=too_rare(nearer, nearer + farther, 0.5, 0.5) <= alpha,
            sentence=f"{side} float64 than the baseline for {most} of {nearer + farther} seeds",
        )


def _apart(ours: Array, theirs: Array) -> Array:
    """Return the largest distance of two curves, by the roots of their losses: ``(seeds,)``; NaN is infinite."""
    with np.errstate(invalid="ignore"):
        distance = np.where(ours == theirs, 0.0, np.abs(root(ours) - root(theirs)))
    largest: Array = np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max(axis=1)
    return largest
