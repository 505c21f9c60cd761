"""Aspect three: time against the baseline, in units of the yardstick, seed by seed, and over all cells together.

Two processes on one machine differ a little for as long as they live, and something else may have the processor for the
length of a whole cell. So evidence is not enough: a slowdown counts from a size that such luck hardly reaches, the
smaller the more cells share it; and what looks slower or faster may be timed once more, which then decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from suite.judge.pairs import CellKey, CellTables, Pairs, key_of
from suite.judge.statistics import median_interval, trials_needed
from suite.judge.verdict import ALL, Aspect, Judgement, Outcome, Verdict, verdict_of
from suite.machine import differences
from suite.observe import Array
from suite.plan import EAGER
from suite.trial import DISTURBED, PlannedCell, RunRecord, device_type

SLOWER = 0.25
"""Smallest slowdown of one cell that is called one: a quarter more time a step.

Cells of unchanged runs stood up to a third apart, where a burst of other work met one; that lasts no second time.
"""
LEAST_SLOWER = 0.02
"""Smallest of many cells together, however many.

All documented cells of six unchanged runs, each a fresh process, stood at most 1.8 % apart (0.9 %, standard deviation).
"""


@dataclass(frozen=True, kw_only=True)
class Times:
    """All times of a run beside those of its baselines."""

    run: RunRecord
    baselines: Mapping[str, RunRecord]
    """Accepted runs by type of device."""
    again: Mapping[CellKey, CellTables]
    """Cells that were timed once more."""
    alpha: float

    def verdicts(self, timed: Sequence[tuple[PlannedCell, Pairs]]) -> Iterator[Verdict]:
        """Judge each cell that was timed, and all those of each device together."""
        ratios: dict[str, list[tuple[Array, Array, Array, Array]]] = {}
        for cell, pairs in timed:
            differs = self._differs(cell.device)
            if differs:
                judgement = Judgement(outcome=Outcome.INCOMPARABLE, sentence=f"times of another machine: {differs}")
            else:
                first, again = self._twice(cell, pairs)
                ratios.setdefault(cell.device, []).append((first, again, *self._twice(cell, pairs.with_first())))
                judgement = judge_time(first, again, alpha=self.alpha)
            yield verdict_of(cell, Aspect.TIME, judgement)
        for device, cells in ratios.items():
            if len(cells) > 1:
                yield self._together(device, cells)

    def _differs(self, device: str) -> str:
        """Say what differs between the machines of run and baseline, if times cannot be compared."""
        baseline = self.baselines[device_type(device)]
        return differences(self.run.machine.timing_facts(device), baseline.machine.timing_facts(device))

    def _twice(self, cell: PlannedCell, pairs: Pairs) -> tuple[Array, Array]:
        """Return a cell's ratios, and those of the second time, if there was one."""
        again = self.again.get(key_of(cell))
        return log_ratios(pairs), log_ratios(replace(pairs, ours=again)) if again else np.empty(0)

    def _together(self, device: str, cells: Sequence[tuple[Array, Array, Array, Array]]) -> Verdict:
        """Judge all cells of a device; a second time only if every one of them was timed again."""
        first, again, crept, crept_again = (np.concatenate(side) for side in zip(*cells, strict=True))
        whole = all(len(second) for _, second, *_ in cells)
        judgement = judge_time(first, again if whole else None, alpha=self.alpha, cells=len(cells))
        creep = judge_time(crept, crept_again if whole else None, alpha=self.alpha, cells=len(cells))
        if judgement.outcome is Outcome.PASS and creep.outcome is Outcome.REGRESSED:
            sentence = f"{judgement.sentence}; but since it was first accepted: {creep.sentence}"
            judgement = Judgement(outcome=Outcome.REGRESSED, sentence=sentence)
        every = PlannedCell(case=ALL, device=device, dtype=ALL, mode=EAGER, first_seed=0, seeds=len(first), short=True)
        return verdict_of(every, Aspect.TIME, judgement)


def judge_time(first: Array, again: Array | None, *, alpha: float, cells: int = 1) -> Judgement:
    """Judge logarithms of time ratios, one a seed, of one cell or of many together.

    A slowdown needs evidence and size: the whole interval beyond the threshold. ``again`` holds the ratios of a second
    run, if there is one; it decides where the first shows a difference.
    """
    if not len(first):
        return Judgement(outcome=Outcome.INCOMPARABLE, sentence="no seed was timed alone and undisturbed on both sides")
    found = _judged(first, alpha, cells)
    if found.outcome not in {Outcome.REGRESSED, Outcome.IMPROVED} or again is None or not len(again):
        return found
    second = _judged(again, alpha, cells)
    outcome = found.outcome if second.outcome is found.outcome else Outcome.PASS
    return Judgement(outcome=outcome, sentence=f"{found.sentence}; timed again: {second.sentence}")


def threshold(cells: int) -> float:
    """Return the smallest slowdown of so many cells together that is called one."""
    return max(LEAST_SLOWER, SLOWER / math.sqrt(cells))


def _judged(ratios: Array, alpha: float, cells: int) -> Judgement:
    middle, least = float(np.median(ratios)), math.log1p(threshold(cells))
    low, high, confidence = median_interval(ratios, alpha)
    told = (
        f"{math.exp(middle):.3g} times the baseline's time a step, {math.exp(low):.3g} to {math.exp(high):.3g} "
        f"({len(ratios)} seeds{f' of {cells} cells' if cells > 1 else ''})"
    )
    if confidence < 1.0 - alpha:
        needed = trials_needed(0.0, 0.5, alpha)
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence=f"{told}; so few can show nothing, {needed} could")
    if low > least:
        return Judgement(outcome=Outcome.REGRESSED, sentence=told)
    if high < -least:
        return Judgement(outcome=Outcome.IMPROVED, sentence=told)
    seen = math.expm1(least + max(middle - low, high - middle))
    return Judgement(outcome=Outcome.PASS, sentence=f"{told}; a slowdown of {seen:.0%} would have been seen")


def log_ratios(pairs: Pairs) -> Array:
    """Return the log of train time over yardstick time a step, over the baseline's, for seeds timed undisturbed."""
    ours, theirs = (_in_yardsticks(pairs, side) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Array = np.log(ours) - np.log(theirs)
    return ratios[np.isfinite(ratios)]


def _in_yardsticks(pairs: Pairs, side: int) -> Array:
    names = ("train_seconds", "yardstick_seconds", "steps", "seeds_together", "waiting_share")
    columns = {name: pairs.column(name)[side] for name in names}
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = columns["train_seconds"] / (columns["steps"] * columns["seeds_together"])
        cost: Array = np.where(columns["waiting_share"] > DISTURBED, np.nan, seconds / columns["yardstick_seconds"])
    return cost
