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
    "float64": Tolerance(relative=1e-9, absolute=1e-13),
    "float32": Tolerance(relative=1e-3, absolute=1e-6),
    "bfloat16": Tolerance(relative=0.1, absolute=0.01),
    "float16": Tolerance(relative=0.05, absolute=0.002),
}
"""By dtype, for all cases alike."""
