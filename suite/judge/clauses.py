"""What a baseline's cases expected, and a run's expect no longer, or less strictly: no gate may lose that in silence.

A clause may follow from another one: whatever lies within narrower bounds lies within wider ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from suite.clause import Clause, Interval
from suite.judge.expectation import told_bounds
from suite.judge.verdict import Outcome, Verdict

EVERY = (1.0, 1.0)
"""The share that every seed is."""
ELEMENTS = 3
"""Bounds of so many elements are told one by one."""


def with_eased(verdict: Verdict, before: Sequence[Clause], now: Sequence[Clause]) -> Verdict:
    """Return a verdict on expectations that tells what is expected no longer; where all else passes, it is changed."""
    told = "; ".join(eased(before, now, verdict.dtype))
    if not told:
        return verdict
    if verdict.outcome is Outcome.PASS:
        return replace(verdict, outcome=Outcome.CHANGED, sentence=told)
    return replace(verdict, sentence=f"{verdict.sentence}; {told}")


def eased(before: Sequence[Clause], now: Sequence[Clause], dtype: str) -> Iterator[str]:
    """Say of each clause of a baseline that no clause of a run holds to in a dtype what was expected, and what is."""
    for clause in before:
        if clause.within(dtype) is None or any(_follows(clause, other, dtype) for other in now):
            continue
        left = [other for other in now if _same_thing(clause, other) and other.within(dtype) is not None]
        what = " or ".join(dict.fromkeys(told_clause(other, dtype) for other in left)) or "nothing"
        yield f"{clause.observation}: the baseline expected {told_clause(clause, dtype)}; now {what} is expected"


def _same_thing(one: Clause, other: Clause) -> bool:
    """Tell whether two clauses are about the same observation of the same seeds."""
    return (one.observation, one.group, one.inside) == (other.observation, other.group, other.inside)


def _of_every_seed(clause: Clause) -> bool:
    return clause.quantile is None and (clause.share or EVERY) == EVERY


def _follows(clause: Clause, other: Clause, dtype: str) -> bool:
    """Tell whether a clause holds wherever another one does."""
    wide, narrow = clause.within(dtype), other.within(dtype)
    of_all = clause.observation == other.observation and not other.group and _of_every_seed(other)
    if wide is None or narrow is None or not (of_all or _same_thing(clause, other)):
        return False
    if clause.quantile is not None:
        return (other.quantile == clause.quantile or _of_every_seed(other)) and _lie_in(narrow, wide)
    return other.quantile is None and _share_follows(clause, other, wide, narrow)


def _share_follows(clause: Clause, other: Clause, wide: Interval, narrow: Interval) -> bool:
    """Tell whether as large a share of seeds lies within the one bounds, if it does within the others."""
    (low, high), (least, most) = clause.share or EVERY, other.share or EVERY
    enough = low == 0.0 or (low <= least and _lie_in(narrow, wide))
    return enough and (high == 1.0 or (most <= high and _lie_in(wide, narrow)))


def _lie_in(narrow: Interval, wide: Interval) -> bool:
    """Tell whether bounds lie within others, element by element."""
    try:
        lows, highs = (np.broadcast_arrays(*ends) for ends in zip(narrow, wide, strict=True))
    except ValueError:  # of another number of elements
        return False
    return bool((lows[0] >= lows[1]).all() and (highs[0] <= highs[1]).all())


def told_clause(clause: Clause, dtype: str) -> str:
    """Say what a clause expects in a dtype: "4.95 to 5.05 in 0.85 to 0.95 of seeds"."""
    bounds = clause.within(dtype)
    if bounds is None:
        return "nothing"
    most = max(map(len, bounds))
    told = ", ".join(dict.fromkeys(told_bounds(bounds, element) for element in range(min(most, ELEMENTS))))
    more = f" and {most - ELEMENTS} more" if most > ELEMENTS else ""
    return f"{told}{more}{_of_seeds(clause)}{clause.seeds_meant}"


def _of_seeds(clause: Clause) -> str:
    """Say of which seeds bounds are meant, if not of every one."""
    if clause.quantile is not None:
        return f" for the {clause.quantile:g}-quantile"
    if clause.share is None:
        return ""
    low, high = clause.share
    return f" in {low:g} of seeds" if low == high else f" in {low:g} to {high:g} of seeds"
