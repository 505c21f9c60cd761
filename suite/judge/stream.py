"""Whether two sides drew their starts from one random stream, so that their seeds are pairs, or from two."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from suite.judge.pairs import Pairs
from suite.judge.statistics import NUMBERS, counts_allowed
from suite.judge.tolerance import EPSILON, ROUNDING
from suite.observe import Array

Starts = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""Norm and projection of each seed's start: ``(2, seeds)``."""
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Alike = Callable[[Starts, Starts], Flags]
"""Tells for each pair of starts whether they are alike."""

OTHERS = 32
"""How many other seeds' starts each one is held against, to see how often two are alike by chance."""


def same_stream(pairs: Pairs, dtype: str, alpha: float) -> bool:
    """Tell whether seeds start from their own draw: to the bit, or up to rounding, or all by one factor or step.

    More of them must than of different seeds: where all starts have one size, or are some of a few, they are alike in
    any two streams. That they go along with each other proves nothing: so do those of a stream that is some numbers on.
    """
    digests, starts = _digests(pairs), _measured(pairs)
    if np.equal(*digests).all():
        return True
    placed = _placed(max(ROUNDING, EPSILON[dtype]))
    if all(len(np.unique(side)) == 1 for side in digests):
        return bool(placed(*starts).all())
    fitted = (_sized(_factor(*starts)), _moved(_step(*starts)))
    return (
        _beyond_chance(np.equal, *digests, alpha=alpha, few=True)
        or any(_beyond_chance(alike, *starts, alpha=alpha) for alike in (_sized(1.0), placed))
        or any(_beyond_chance(alike, *starts, alpha=alpha, fitted=1) for alike in fitted)
    )


def _digests(pairs: Pairs) -> Starts:
    """Return a number for each digest of a start, equal ones for equal digests: ``(2, seeds)``."""
    codes, _ = pd.factorize(np.concatenate(pairs.column("init_digest")))
    numbered: Starts = codes.reshape(2, -1).astype(np.float64)
    return numbered


def _measured(pairs: Pairs) -> tuple[Starts, Starts]:
    """Return norms and projections of starts, ours and the baseline's."""
    ours, theirs = zip(pairs.column("init_norm"), pairs.column("start_projection"), strict=True)
    return np.stack(ours), np.stack(theirs)


def _factor(ours: Starts, theirs: Starts) -> float:
    """Return how many times as large as its baseline's the median start is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(ours[0] / theirs[0]))


def _step(ours: Starts, theirs: Starts) -> float:
    """Return by how much the projection of the median start was moved."""
    return float(np.median(ours[1] - theirs[1]))


def _sized(factor: float) -> Alike:
    """Return what tells whether a start is so many times as large as another, up to rounding."""
    return lambda ours, theirs: _near(ours[0], factor * theirs[0], ROUNDING * factor * theirs[0])


def _moved(step: float) -> Alike:
    """Return what tells whether a start is another one to whose parameters the same was added, up to rounding."""
    return lambda ours, theirs: _near(ours[1], theirs[1] + step, ROUNDING * theirs[0])


def _placed(rounding: float) -> Alike:
    """Return what tells whether a start is as large as another and has the same projection, up to rounding."""
    sized = _sized(1.0)
    return lambda ours, theirs: sized(ours, theirs) & _near(ours[1], theirs[1], rounding * theirs[0])


def _near(ours: Array, theirs: Array, allowed: Array) -> Flags:
    with np.errstate(invalid="ignore"):
        near: Flags = np.abs(ours - theirs) <= allowed
    return near


def _beyond_chance(
    alike: Alike, ours: Starts, theirs: Starts, *, alpha: float, fitted: int = 0, few: bool = False
) -> bool:
    """Tell whether more seeds are alike than different seeds are by chance, ``fitted`` of them by choice.

    More than half of them must be, or more than at the largest rate that so many different seeds may have hidden;
    of what hardly ever is, a ``few`` are enough.
    """
    seeds, found = ours.shape[-1], int(alike(ours, theirs).sum()) - fitted
    seen, among = _between_others(alike, ours, theirs)
    rate, hidden = max(1.0 / NUMBERS, seen / max(1, among)), (seen + 1) / (among + 1)
    many = 0 if few else min(seeds // 2, counts_allowed(seeds, 0.0, hidden, alpha)[1])
    return found > max(many, counts_allowed(seeds, 0.0, rate, alpha)[1])


def _between_others(alike: Alike, ours: Starts, theirs: Starts) -> tuple[int, int]:
    """Count the pairs of different seeds that are alike, and all that were looked at."""
    seeds = ours.shape[-1]
    turns = range(1, min(OTHERS, seeds - 1) + 1)
    return sum(int(alike(ours, np.roll(theirs, turn, axis=-1)).sum()) for turn in turns), len(turns) * seeds
