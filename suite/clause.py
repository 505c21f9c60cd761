"""What must hold of one observation, as plain data.

It travels with the run, so that a run can be judged again by someone who has neither the case file nor torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ANY_DTYPE = "*"
PerDtype = Any  # a number, an array of numbers, or a mapping from dtype to either
Interval = tuple[list[float], list[float]]


@dataclass(frozen=True, kw_only=True)
class Clause:
    """What must hold of one observation.

    ``every``: each seed's value lies within the bounds. ``share``: the probability that a seed's
    value does lies within ``share``. ``quantile``: that quantile over the seeds does.
    """

    observation: str
    bounds: dict[str, Interval]
    """Lowest and highest value by dtype (``*``: any other), one number or one per element."""
    summary: Literal["every", "share", "quantile"] = "every"
    quantile: float | None = None
    share: tuple[float, float] | None = None
    group: str = ""
    """Name of an observation that is 1 for the seeds meant; empty for all."""
    inside: bool = True
    """False: the seeds outside the group are meant."""
    claims: tuple[str, ...] = ()
    """The claims that this shows; empty for all claims of its case."""

    def within(self, dtype: str) -> Interval | None:
        """Return the bounds for ``dtype``, or None where nothing is expected in it."""
        return self.bounds.get(dtype, self.bounds.get(ANY_DTYPE))

    def shows(self, claim: str, cited: Sequence[str]) -> bool:
        """Tell whether it shows a claim, of all those that its case cites."""
        return claim in (self.claims or cited)

    @property
    def seeds_meant(self) -> str:
        """Name the seeds that the clause is about: " among dead", " among not dead", " of seed 2" or nothing."""
        if self._one_seed:
            return f" of {self.group}"
        return f" among {'' if self.inside else 'not '}{self.group}" if self.group else ""

    @property
    def nobody(self) -> str:
        """Say that none of those seeds is there: "no seed among dead to look at", "seed 2 is not here"."""
        return f"{self.group} is not here" if self._one_seed else f"no seed{self.seeds_meant} to look at"

    @property
    def _one_seed(self) -> bool:
        return self.inside and re.fullmatch(r"seed \d+", self.group) is not None


def interval(near: PerDtype, atol: PerDtype, low: PerDtype, high: PerDtype) -> dict[str, Interval]:
    """Gather bounds by dtype from ``near`` ± ``atol`` or from ``low`` and ``high``.

    Each may be a number, an array, or a mapping from dtype to one; a dtype that a mapping
    leaves out is one in which nothing is expected.

    Raises:
        ValueError: if neither pair, or both, are given, or if no dtype is left.
    """
    if (near is None) != (atol is None) or (near is None) == (low is None and high is None):
        raise ValueError("give near and atol, or low and/or high")
    maps = [set(v) for v in (near, atol, low, high) if isinstance(v, Mapping)]
    dtypes = set.intersection(*maps) if maps else {ANY_DTYPE}
    if not dtypes:
        raise ValueError("the bounds by dtype have no dtype in common")
    return {dtype: _bounds(*(_in(v, dtype) for v in (near, atol, low, high))) for dtype in sorted(dtypes)}


def _in(value: PerDtype, dtype: str) -> Any:
    return value[dtype] if isinstance(value, Mapping) else value


def _bounds(near: Any, atol: Any, low: Any, high: Any) -> Interval:
    if near is not None:
        centre = np.asarray(near, dtype=np.float64)
        low, high = centre - atol, centre + atol
    ends = np.broadcast_arrays(-np.inf if low is None else low, np.inf if high is None else high)
    lowest, highest = (np.atleast_1d(end).ravel().astype(float).tolist() for end in ends)
    return lowest, highest
