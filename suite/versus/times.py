"""What the turns tell: cell by cell, and over all cells of a device together.

Two processes of one and the same Python differ for as long as they live: memory lies elsewhere. Their times of one cell
stood 1 to 2 % apart, those of all documented cells together 1 % (standard deviations, on two cores that up to eight
processes shared). So evidence is not enough: a difference counts from a size that such luck hardly reaches, and where a
first sample shows one, a second, of fresh processes, decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from suite.judge.judge import FALSE_ALARMS
from suite.judge.statistics import median_interval
from suite.judge.verdict import ALL, Aspect, Outcome, Verdict
from suite.observe import Array
from suite.plan import EAGER

CELL_SLOWER = 0.08
"""Smallest slowdown of one cell that is called one."""
LEAST_SLOWER = 0.02
"""Smallest of all cells together, however many: the luck of each is its own, so that what they share is smaller."""

Key = tuple[str, str, str]
"""Case, device and dtype; or ``ALL``, device and ``ALL``."""
Ratios = Mapping[Key, Array]
"""Logarithms of B's time a step over A's, by cell, one a pair: ``(rounds,)`` each."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was timed."""

    first: Ratios
    second: Ratios = field(default_factory=dict)
    """Of fresh processes, for what looked slower or faster in the first."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """B's time a step in units of A's, for one cell or for all of a device."""

    ratio: float
    """Median over the pairs."""
    low: float
    high: float
    """Ends of its sign-test interval."""
    pairs: int
    verdict: Verdict


def look_again(first: Ratios) -> set[Key]:
    """Return the cells that are to be timed again: those that look changed; all of a device, if they do together."""
    changed = {key for key, ratios in {**first, **pooled(first)}.items() if _looks_changed(ratios, first, key)}
    return {key for key in first if changed & {key, (ALL, key[1], ALL)}}


def judge_times(sample: Sample) -> dict[Key, Timing]:
    """Judge every cell, and all cells of each device together; all these tests share one budget of false alarms."""
    first, second = ({**ratios, **pooled(ratios)} for ratios in (sample.first, sample.second))
    alpha = FALSE_ALARMS / max(1, len(first))
    return {
        key: _judge(key, second[key] if _looks_changed(ratios, sample.first, key) else ratios, sample.first, alpha)
        for key, ratios in first.items()
    }


def pooled(ratios: Ratios) -> dict[Key, Array]:
    """Return the ratios of all cells of each device together, where there are several."""
    on = {device: [found for key, found in ratios.items() if key[1] == device] for _, device, _ in ratios}
    return {(ALL, device, ALL): np.concatenate(cells) for device, cells in on.items() if len(cells) > 1}


def threshold(key: Key, cells: Iterable[Key]) -> float:
    """Return the smallest slowdown of a cell, or of all cells of a device, that is called one."""
    together = sum(cell[1] == key[1] for cell in cells) if key[0] == ALL else 1
    return max(LEAST_SLOWER, CELL_SLOWER / math.sqrt(together))


def _looks_changed(ratios: Array, cells: Iterable[Key], key: Key) -> bool:
    return bool(abs(np.median(ratios)) > math.log1p(threshold(key, cells)))


def _judge(key: Key, ratios: Array, cells: Iterable[Key], alpha: float) -> Timing:
    middle, least = float(np.median(ratios)), math.log1p(threshold(key, cells))
    low, high, confidence = median_interval(ratios, alpha)
    outcome, tail = Outcome.PASS, f"a slowdown of {math.expm1(least + middle - low):.1%} would have been seen"
    if confidence < 1.0 - alpha:
        outcome, tail = Outcome.INCONCLUSIVE, f"too few to tell; give --rounds {enough(alpha)}"
    elif low > least:
        outcome, tail = Outcome.REGRESSED, f"slower by more than {math.expm1(least):.1%}, twice over"
    elif high < -least:
        outcome, tail = Outcome.IMPROVED, f"faster by more than {math.expm1(least):.1%}, twice over"
    ratio, ends = math.exp(middle), (math.exp(low), math.exp(high))
    told = f"{ratio:.3f} times A's time a step, {ends[0]:.3f} to {ends[1]:.3f} ({len(ratios)} pairs)"
    case, device, dtype = key
    verdict = Verdict(
        case=case,
        device=device,
        dtype=dtype,
        mode=EAGER,
        aspect=Aspect.TIME,
        outcome=outcome,
        sentence=f"{told}; {tail}",
    )
    return Timing(ratio=ratio, low=ends[0], high=ends[1], pairs=len(ratios), verdict=verdict)


def enough(alpha: float) -> int:
    """Return the smallest number of pairs that can give evidence at level ``alpha``: all on one side."""
    return math.ceil(1.0 - math.log2(alpha))
