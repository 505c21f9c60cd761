"""Where a trajectory first left its baseline: the first question that is answered with no."""

from __future__ import annotations

import numpy as np

from suite.judge.pairs import Pairs, same_bits
from suite.judge.tolerance import Tolerance
from suite.judge.verdict import Stage


def find_stage(pairs: Pairs, tolerance: Tolerance, *, exact: bool) -> tuple[Stage, int]:
    """Return the stage and the recorded step; ``exact`` compares bits, else norms within tolerance."""
    asked = (
        (Stage.INITIALISATION, "init_digest", "start_norm"),
        (Stage.DATA, "data_digest", "data_norm"),
        (Stage.FORWARD, "", "first_loss"),
        (Stage.BACKWARD, "gradient_digest", "gradient_norm"),
        (Stage.UPDATE, "update_digest", "update_norm"),
    )
    for stage, digest, norm in asked:
        if not (_equal(pairs, digest, norm) if exact else _near(pairs, norm, tolerance)):
            return stage, 0
    step = _first_step(pairs, tolerance, exact=exact)
    return (Stage.NONE, 0) if step is None else (Stage.LATER, step)


def _equal(pairs: Pairs, digest: str, norm: str) -> bool:
    return (not digest or pairs.same(digest)) and bool(same_bits(*pairs.column(norm)).all())


def _near(pairs: Pairs, norm: str, tolerance: Tolerance) -> bool:
    ours, theirs = pairs.column(norm)
    return bool(np.allclose(ours, theirs, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True))


def _first_step(pairs: Pairs, tolerance: Tolerance, *, exact: bool) -> int | None:
    """Return the first recorded step at which any seed's loss differs; the last if only the end does."""
    ours, theirs = pairs.curves
    if exact:
        apart = ~same_bits(ours, theirs).all(axis=0)
    else:
        finite, once = np.isfinite(ours), np.isfinite(theirs)
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(ours - theirs) <= tolerance.allowed(theirs, theirs[:, 0])
        # Within infinity of an infinite baseline lies every loss; only another that is not finite is near it.
        apart = ~np.where(finite & once, near, finite == once).all(axis=0)
    found = np.flatnonzero(apart)
    if len(found):
        return pairs.steps[int(found[0])]
    return pairs.steps[-1] if exact and not pairs.same("final_digest") else None
