"""How far a loss may stand from its baseline where bits may differ: measured by the baseline's own probes.

Losses are compared by their roots, in units of the root of the seed's first loss: an output that is moved by a
little moves the root of a square error by as much, however near the end is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from suite.judge.statistics import counts_allowed
from suite.observe import Array
from suite.trial import GRADIENT, LOSS, UPDATE

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}
"""Distance of the next number above 1, by dtype."""

FACTOR = {"float64": 32.0, "float32": 32.0, "bfloat16": 4.0, "float16": 4.0}
"""How many times what moved its probes may move a cell.

Measured on the documented cases between AVX-512 and plain kernels, seeds 0 to 99: a loss moved by up to 1.6, 6.4, 1.2
and 2.5 times as much, strays left out. Probes are moved at some steps, but kernels that compute in the dtype differ at
nearly every one; those of the short dtypes compute in float32, round once, and seldom differ at all.
"""

FLOOR = 2.0
"""Units in the last place that are allowed for, where no probe was moved by so much."""

STRAY = 8.0
"""A probe that was moved so many times as far as half of them is a stray: an ulp took it round a kink the other way."""

VAGUE = 1.0
"""A tolerance that is as large as the root of a first loss tells nothing of a single seed."""

AFAR = 4.0
"""How many times the root of the baseline's largest loss a stray may reach, or how many times as far as a probe go."""

FEW = 30
"""Seeds below which no more than a third may be allowed to stray."""

SHORT = ("bfloat16", "float16")
"""Dtypes in which any cell may have strays, though none of its probes was one."""

DRAWN = "float32"
"""What initial parameters are drawn in, whatever they are cast to."""
ROUNDING = 4 * EPSILON[DRAWN]
"""Relative distance of norms up to which two draws are one random stream, rounded by other kernels."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Allowed distances: of losses in units of the first one's root, of the rest relative to its size."""

    steps: Sequence[int]
    """At which losses were measured."""
    losses: Array
    """Allowed at these steps: ``(steps,)``."""
    gradient: float
    update: float
    strays: float
    """Rate of seeds that may go another way."""
    afar: float = 0.0
    """How far one that does may be moved: several times as far as any probe was, where to a number."""
    gone: float = 0.0
    """Rate of seeds that may go where a loss is no number any more, though the baseline's is one."""

    @property
    def measured(self) -> bool:
        """Tell whether it allows anything but everything: where an ulp takes most probes to infinity, it does not."""
        return bool(np.isfinite(self.losses).all())

    def strays_among(self, seeds: int, alpha: float) -> int:
        """Return how many of so many seeds may leave it."""
        return counts_allowed(seeds, 0.0, self.strays, alpha)[1]

    def tells(self, seeds: int, strayed: int, alpha: float) -> bool:
        """Tell whether it still tells anything of so many seeds: not if a third of them may stray, or did."""
        allowed = self.strays_among(seeds, alpha) if seeds < FEW else 0
        return not strayed or 3 * max(strayed, allowed) <= seeds

    def gone_among(self, seeds: int, alpha: float) -> int:
        """Return how many of so many seeds may end in what is no number, or pass through it."""
        return counts_allowed(seeds, 0.0, self.gone, alpha)[1]

    def at(self, steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Array:
        """Return what is allowed at steps of any shape: the most of what was measured around each."""
        most, last = _around(self.losses), len(self.steps) - 1
        before = np.searchsorted(self.steps, steps, side="right") - 1
        after = np.searchsorted(self.steps, steps, side="left")
        allowed: Array = np.maximum(most[before.clip(0, last)], most[after.clip(0, last)])
        return allowed

    def vague(
        self, steps: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Tell at which steps it is as large as losses are."""
        wide: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = self.at(steps) >= VAGUE
        return wide


def tolerance_from(probes: pd.DataFrame, dtype: str, *, same_start: bool) -> Tolerance | None:
    """Return the tolerance that a cell's probes measured; None without any.

    ``same_start`` False: other kernels rounded the draw, in float32, otherwise.
    """
    if not len(probes):
        return None
    floor = FLOOR * EPSILON[dtype]
    losses = _by_seed(probes, LOSS)
    far = losses.to_numpy()
    half = _around(np.maximum(np.median(far, axis=0), floor))
    strays = (far > STRAY * half).any(axis=1)
    calm = ~strays if not strays.all() else strays
    gone = np.isinf(far).any(axis=1)
    factor = FACTOR[dtype] * (1.0 if same_start else max(1.0, EPSILON[DRAWN] / EPSILON[dtype]))
    gradient, update = (
        factor * max(floor, float(_by_seed(probes, part).to_numpy()[calm].max())) for part in (GRADIENT, UPDATE)
    )
    return Tolerance(
        steps=[int(step) for step in losses.columns],
        losses=factor * np.maximum(far[calm].max(axis=0), floor),
        gradient=gradient,
        update=update,
        strays=_rate(int(strays.sum()), len(far)) if strays.any() or dtype in SHORT else 0.0,
        afar=AFAR * float(far[np.isfinite(far)].max(initial=0.0)),
        gone=_rate(int(gone.sum()), len(far)) if gone.any() else 0.0,
    )


def _by_seed(probes: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return distances with seeds down and steps across; one that was not recorded is infinite."""
    rows = probes[probes["part"] == part]
    wide = rows.pivot_table(index="seed", columns="step", values="distance", dropna=False, observed=True)
    return wide.fillna(np.inf)


def _around(distances: Array) -> Array:
    """Return for each step the largest of its own and its neighbours' distances."""
    padded = np.pad(distances, 1, mode="edge")
    return np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])


def _rate(seen: int, among: int) -> float:
    """Return Laplace's estimate of a rate, which is not 0 where nothing was seen."""
    return (seen + 1) / (among + 2)
