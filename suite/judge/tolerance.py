"""How far a loss may stand from its baseline where bits may differ: other kernels, other rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from suite.observe import Array


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Allowed distance of a loss from its baseline: ``relative · |baseline| + absolute · first loss``."""

    relative: float
    absolute: float
    strays: float = 0.0
    """Share of seeds that may leave it: those that one rounding pushes over a kink, and far away."""

    def strays_among(self, seeds: int) -> int:
        """Return how many of so many seeds may leave it."""
        return math.ceil(self.strays * seeds)

    def allowed(self, baseline: Array, first: Array) -> Array:
        """Return the allowance for each loss: ``(seeds, points)`` and ``(seeds,)`` to ``(seeds, points)``."""
        scale = np.nan_to_num(np.abs(first), nan=0.0, posinf=0.0)[:, None]
        result: Array = self.relative * np.abs(baseline) + self.absolute * scale
        return result


TOLERANCES = {
    "float64": Tolerance(relative=1e-9, absolute=1e-14),
    "float32": Tolerance(relative=5e-5, absolute=4e-6),
    "bfloat16": Tolerance(relative=0.1, absolute=0.015, strays=0.05),
    "float16": Tolerance(relative=0.04, absolute=0.004, strays=0.05),
}
"""By dtype, for all cases alike: measured between AVX-512 with one thread and plain kernels with four.

Losses of the documented cases moved by up to 4e-16, 4e-7, 1.4e-3 and 3.4e-4 of the first loss, at any recorded step;
about ten times that is allowed. In the short dtypes up to two of a hundred seeds went another way round the kink of a
leaky ReLU; five may.
"""

DRAWN = "float32"
"""What initial parameters are drawn in, whatever they are cast to."""
ROUNDING = 4 * float(np.finfo(DRAWN).eps)
"""Relative distance of norms up to which two draws are one random stream, rounded by other kernels."""


def tolerance_for(dtype: str, *, same_start: bool) -> Tolerance:
    """Return the tolerance in ``dtype``; a start that other kernels rounded otherwise asks for float32's at least."""
    own, drawn = TOLERANCES[dtype], TOLERANCES[DRAWN]
    if same_start:
        return own
    relative, absolute = max(own.relative, drawn.relative), max(own.absolute, drawn.absolute)
    return replace(own, relative=relative, absolute=absolute)
