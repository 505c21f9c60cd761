"""Where a trajectory first left its baseline: the first question that is answered with no."""

from __future__ import annotations

import numpy as np

from suite.judge.pairs import Pairs, same_bits
from suite.judge.tolerance import AFAR, EPSILON, ROUNDING, Tolerance
from suite.judge.verdict import Stage
from suite.observe import Array, root, scale

CAST_EXACTLY = ("float64", "float32")
"""Dtypes that hold float32 data as the case gives them: their bits are comparable on any machine and any torch.

Of the documented cases, plain kernels and AVX-512 give the same bits of data in all.
"""


def find_stage(pairs: Pairs, tolerance: Tolerance, dtype: str, *, exact: bool) -> tuple[Stage, int]:
    """Return the stage and the recorded step; ``exact`` compares bits, else within tolerance."""
    apart = _other_bits(pairs) if exact else farther(pairs, tolerance)
    start = max(ROUNDING, EPSILON[dtype])

    def same(part: str, digest: str, relative: float) -> bool:
        return _equal(pairs, part, digest) if exact else _near(pairs, part, relative)

    answers = {
        Stage.INITIALISATION: same("start", "init_digest", start),
        Stage.DATA: same("data", "data_digest", start) and (dtype not in CAST_EXACTLY or pairs.same("data_digest")),
        Stage.FORWARD: not apart[:, 0].any(),
        Stage.BACKWARD: same("gradient", "gradient_digest", tolerance.gradient),
        Stage.UPDATE: same("update", "update_digest", tolerance.update),
    }
    for stage, kept in answers.items():
        if not kept:
            return stage, 0
    if apart.any():
        return Stage.LATER, int(pairs.steps[apart].min())
    ended = not exact or pairs.same("final_digest")
    return (Stage.NONE, 0) if ended else (Stage.LATER, int(pairs.steps[:, -1].max()))


def _other_bits(pairs: Pairs) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return ~same_bits(*pairs.curves)


def farther(pairs: Pairs, tolerance: Tolerance) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell which losses lie beyond their tolerance: ``(seeds, points)``."""
    beyond: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = np.abs(excess(pairs, tolerance)) > 1.0
    return beyond


def excess(pairs: Pairs, tolerance: Tolerance) -> Array:
    """Return how far each loss lies above its baseline (below: negative), in units of the tolerance.

    A loss that is finite on one side only counts as infinitely far; else none is where the tolerance is too vague.
    """
    ours, theirs = pairs.curves
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = (root(ours) - root(theirs)) / (tolerance.at(pairs.steps) * scale(theirs))
    distance[(ours == theirs) | tolerance.vague(pairs.steps)] = 0.0
    finite, once = np.isfinite(ours), np.isfinite(theirs)
    distance[~finite & once] = np.inf
    distance[finite & ~once] = -np.inf
    result: Array = np.where(~finite & ~once, 0.0, distance)
    return result


def too_far(pairs: Pairs, tolerance: Tolerance) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell which losses lie higher than any stray's may, whatever way it went: ``(seeds, points)``.

    That is several times the largest loss of the baseline, and several times as far as any of its probes was moved.
    """
    ours, theirs = map(root, pairs.curves)
    largest = theirs[np.isfinite(theirs)].max(initial=0.0)
    with np.errstate(invalid="ignore"):
        moved = theirs + np.maximum(tolerance.afar, tolerance.at(pairs.steps)) * scale(pairs.curves[1])
        higher: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = ours > np.maximum(AFAR * largest, moved)
    return higher & np.isfinite(ours)


MEASURES = ("norm", "projection")


def _equal(pairs: Pairs, part: str, digest: str) -> bool:
    """Tell whether digest, norm and projection are equal; the digest of a start is from before it was cast."""
    measured = (same_bits(*pairs.column(f"{part}_{name}")) for name in MEASURES)
    return pairs.same(digest) and all(bool(same.all()) for same in measured)


def _near(pairs: Pairs, part: str, relative: float) -> bool:
    """Tell whether norm and projection are equal but for so much of the norm, for every seed."""
    size = np.abs(pairs.column(f"{part}_norm")[1])
    for name in MEASURES:
        ours, theirs = pairs.column(f"{part}_{name}")
        with np.errstate(invalid="ignore"):
            near = (np.abs(ours - theirs) <= relative * size) | same_bits(ours, theirs)
        if not near.all():
            return False
    return True
