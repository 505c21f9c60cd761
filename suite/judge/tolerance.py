"""How far a loss may stand from its baseline where bits may differ: other kernels, other rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.observe import Array


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Allowed distance of a loss from its baseline: ``relative · |baseline| + absolute · first loss``."""

    relative: float
    absolute: float

    def allowed(self, baseline: Array, first: Array) -> Array:
        """Return the allowance for each loss: ``(seeds, points)`` and ``(seeds,)`` to ``(seeds, points)``."""
        scale = np.nan_to_num(np.abs(first), nan=0.0, posinf=0.0)[:, None]
        result: Array = self.relative * np.abs(baseline) + self.absolute * scale
        return result


TOLERANCES = {
    "float64": Tolerance(relative=1e-9, absolute=1e-14),
    "float32": Tolerance(relative=5e-5, absolute=4e-6),
    "bfloat16": Tolerance(relative=0.1, absolute=0.015),
    "float16": Tolerance(relative=0.04, absolute=0.004),
}
"""By dtype, for all cases alike: about ten times what plain kernels with four threads moved a loss away from AVX-512
with one, on any documented case, at any recorded step (absolute: 4e-16, 4e-7, 1.4e-3 and 3.4e-4 of the first loss)."""

DRAWN = "float32"
"""What initial parameters are drawn in, whatever they are cast to."""
ROUNDING = 4 * float(np.finfo(DRAWN).eps)
"""Relative distance of norms up to which two draws are one random stream, rounded by other kernels."""


def tolerance_for(dtype: str, *, same_start: bool) -> Tolerance:
    """Return the tolerance in ``dtype``; a start that other kernels rounded otherwise asks for float32's at least."""
    own, drawn = TOLERANCES[dtype], TOLERANCES[DRAWN]
    if same_start:
        return own
    return Tolerance(relative=max(own.relative, drawn.relative), absolute=max(own.absolute, drawn.absolute))
