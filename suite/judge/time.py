"""Aspect three: time against the baseline, in units of the yardstick, seed by seed, and over all cells together.

Two processes on one machine differ a little for as long as they live; something else may have the processor for the
length of a whole cell; and a machine that does everything slower does not do it all by as much. So evidence is not
enough: a slowdown counts from a size that such luck hardly reaches, the smaller the more cells share it, and the larger
the more the yardstick itself has changed. What looks slower or faster may be timed once more, which then decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from suite.judge.pairs import CellTables, Pairs
from suite.judge.statistics import median_interval, trials_needed
from suite.judge.verdict import ALL, Aspect, Judgement, Outcome, Verdict, verdict_of
from suite.machine import differences
from suite.observe import Array
from suite.plan import EAGER
from suite.trial import DISTURBED, CellKey, PlannedCell, RunRecord, device_type, key_of

SLOWER = 0.25
"""Smallest slowdown of one cell that is called one: a quarter more time a step.

Cells of unchanged runs stood up to a half apart, where a burst of other work met one; that lasts no second time.
"""
LEAST_SLOWER = 0.02
"""Smallest of many cells together, however many.

The medians of all documented cells, of eleven unchanged runs of a minute, each a fresh process, stood up to 4.2 %
apart, 1.5 % (standard deviation), on cores that others used too. Of these 110 comparisons none was called slower; half
would have shown a slowdown of 4.5 %, and nineteen of twenty one of 7.3 %. Timing each cell in three rounds over the
length of a run, or beside a yardstick of other work (allocating, compiling, numpy, walking through memory), was no
steadier.
"""
LAGGING = 0.35
"""Share of the yardstick's own change by which times may have changed more, or less, than it.

On a machine whose other work made the yardstick take up to 27 % longer, unchanged runs took up to 6 % more yardsticks.
"""


@dataclass(frozen=True, kw_only=True)
class Times:
    """All times of a run beside those of its baselines."""

    run: RunRecord
    baselines: Mapping[str, RunRecord]
    """Accepted runs by type of device."""
    again: Mapping[CellKey, CellTables]
    """Cells that were timed once more."""
    budget: float
    """Of false alarms: half for the cells, a quarter for them since they were first accepted, the rest together."""

    def verdicts(self, timed: Sequence[tuple[PlannedCell, Pairs]]) -> Iterator[Verdict]:
        """Judge each cell that was timed, and all those of each device together."""
        cells: dict[str, list[Timings]] = {}
        for cell, pairs in timed:
            differs = self._differs(cell.device)
            if differs:
                judgement = Judgement(outcome=Outcome.INCOMPARABLE, sentence=f"times of another machine: {differs}")
            else:
                again = self.again.get(key_of(cell))
                timings = Timings(pairs=pairs, again=replace(pairs, ours=again) if again else None)
                cells.setdefault(cell.device, []).append(timings)
                judgement = self._alone(timings, len(timed))
            yield verdict_of(cell, Aspect.TIME, judgement)
        for device, of_device in cells.items():
            yield from self._together(device, of_device, alpha=self.budget / 8 / len(cells))

    def _alone(self, timings: Timings, cells: int) -> Judgement:
        """Judge one of so many cells, beside the baseline and the first accepted one."""
        judgement = judge_time(timings.sample, timings.second, alpha=self.budget / 2 / cells)
        first = timings.first
        return crept(judgement, judge_time(first.sample, first.second, alpha=self.budget / 4 / cells))

    def _differs(self, device: str) -> str:
        """Say what differs between the machines of run and baseline, if times cannot be compared."""
        baseline = self.baselines[device_type(device)]
        return differences(self.run.machine.timing_facts(device), baseline.machine.timing_facts(device))

    def _together(self, device: str, cells: Sequence[Timings], *, alpha: float) -> Iterator[Verdict]:
        """Judge all cells of a device, if there are enough of them, beside the baseline and the first accepted one."""
        if sum(len(timings.sample.ratios) > 0 for timings in cells) < max(2, trials_needed(0.0, 0.5, alpha)):
            return
        judgement, creep = (judge_together(of, alpha=alpha) for of in (cells, [timings.first for timings in cells]))
        every = PlannedCell(case=ALL, device=device, dtype=ALL, mode=EAGER, first_seed=0, seeds=0, short=True)
        yield verdict_of(every, Aspect.TIME, crept(judgement, creep))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Times beside the baseline's."""

    ratios: Array
    """Logarithms of the time a step, in yardsticks, over the baseline's: one a seed of one cell, or one a cell."""
    shift: float
    """Logarithm of the yardstick over the baseline's, in the median: how otherwise the machine was."""
    cells: int = 1
    lacking: str = " alone and undisturbed on both sides"
    """What no seed was, where there is no ratio."""


@dataclass(frozen=True, kw_only=True)
class Timings:
    """One cell's times beside its baseline's, and, if it was timed again, a second time."""

    pairs: Pairs
    again: Pairs | None

    @cached_property
    def sample(self) -> Sample:
        """Return the first time."""
        return sample_of(self.pairs)

    @cached_property
    def second(self) -> Sample | None:
        """Return the second time."""
        return sample_of(self.again) if self.again else None

    @property
    def first(self) -> Timings:
        """Return the same beside what was timed when the cell was first accepted."""
        again = self.again.with_first() if self.again else None
        return Timings(pairs=self.pairs.with_first(), again=again)


def crept(judgement: Judgement, creep: Judgement) -> Judgement:
    """Return what was judged, or a slowdown since the first accepted time that the present baseline does not show."""
    if creep.outcome is not Outcome.REGRESSED or judgement.outcome not in {Outcome.PASS, Outcome.INCONCLUSIVE}:
        return judgement
    sentence = f"{judgement.sentence}; but since it was first accepted: {creep.sentence}"
    return Judgement(outcome=Outcome.REGRESSED, sentence=sentence)


def gathered(samples: Sequence[Sample]) -> Sample:
    """Return the medians of cells as one sample: what disturbed one cell counts once."""
    timed = [sample for sample in samples if len(sample.ratios)]
    return Sample(
        ratios=np.array([np.median(sample.ratios) for sample in timed]),
        shift=float(np.median([sample.shift for sample in timed])) if timed else 0.0,
        cells=len(timed),
    )


def judge_together(cells: Sequence[Timings], *, alpha: float) -> Judgement:
    """Judge times of many cells together; by a second time only if every one has one."""
    second = [timings.second for timings in cells if timings.second is not None]
    again = gathered(second) if len(second) == len(cells) else None
    return judge_time(gathered([timings.sample for timings in cells]), again, alpha=alpha)


def judge_time(first: Sample, again: Sample | None, *, alpha: float) -> Judgement:
    """Judge times of one cell or of many together.

    A slowdown needs evidence and size: the whole interval beyond the threshold. A second sample, if there is one,
    decides where the first shows a difference.
    """
    found = _judged(first, alpha)
    if found.outcome not in {Outcome.REGRESSED, Outcome.IMPROVED} or again is None:
        return found
    second = _judged(again, alpha)
    decided = second.outcome in {found.outcome, Outcome.INCONCLUSIVE}
    outcome = second.outcome if decided else Outcome.PASS
    return Judgement(outcome=outcome, sentence=f"{found.sentence}; timed again: {second.sentence}")


def threshold(cells: int, shift: float = 0.0) -> float:
    """Return the logarithm of the smallest slowdown of so many cells together that is called one."""
    return math.log1p(max(LEAST_SLOWER, SLOWER / math.sqrt(cells))) + LAGGING * abs(shift)


def _factor(logarithm: float) -> float:
    """Return what this is the logarithm of; infinity, if it is more than any float: files may hold any times."""
    with np.errstate(over="ignore"):
        return float(np.exp(logarithm))


def _judged(sample: Sample, alpha: float) -> Judgement:
    if not len(sample.ratios):
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence=f"no seed was timed{sample.lacking}")
    middle, least = float(np.median(sample.ratios)), threshold(sample.cells, sample.shift)
    low, high, confidence = median_interval(sample.ratios, alpha)
    counted = f"{len(sample.ratios)} {'cells' if sample.cells > 1 else 'seeds'}"
    told = (
        f"{_factor(middle):.3g} times the baseline's time a step, {_factor(low):.3g} to {_factor(high):.3g} "
        f"({counted}; the yardstick took {_factor(sample.shift):.3g} times as long)"
    )
    if confidence < 1.0 - alpha:
        needed = trials_needed(0.0, 0.5, alpha)
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence=f"{told}; so few can show nothing, {needed} could")
    if low > least:
        return Judgement(outcome=Outcome.REGRESSED, sentence=told)
    if high < -least:
        return Judgement(outcome=Outcome.IMPROVED, sentence=told)
    seen = _factor(least + max(middle - low, high - middle)) - 1.0
    return Judgement(outcome=Outcome.PASS, sentence=f"{told}; a slowdown of {seen:.0%} would have been seen")


def sample_of(pairs: Pairs) -> Sample:
    """Return a cell's times beside its baseline's, for seeds timed alone and undisturbed on both sides."""
    (ours, yours), (mine, theirs) = (_in_yardsticks(pairs, side) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios, shifts = np.log(ours) - np.log(mine), np.log(yours) - np.log(theirs)
    timed = np.isfinite(ratios)
    if not timed.any():
        return Sample(ratios=ratios[timed], shift=0.0, lacking=_lacking(pairs))
    return Sample(ratios=ratios[timed], shift=float(np.median(shifts[timed])))


def _lacking(pairs: Pairs) -> str:
    """Say why no seed of a cell has a time beside its baseline's: what waits may have become slower, too."""
    ours, theirs = (int((side > DISTURBED).sum()) for side in pairs.column("waiting_share"))
    return (
        f" alone and undisturbed on both sides: of {len(pairs.seeds)}, {ours} had to wait here, and {theirs} in the "
        "baseline"
    )


def _in_yardsticks(pairs: Pairs, side: int) -> tuple[Array, Array]:
    """Return each seed's time a step in yardsticks, and the yardstick's own, in seconds: ``(seeds,)`` each."""
    names = ("train_seconds", "yardstick_seconds", "steps", "seeds_together", "waiting_share")
    columns = {name: pairs.column(name)[side] for name in names}
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = columns["train_seconds"] / (columns["steps"] * columns["seeds_together"])
        cost: Array = np.where(columns["waiting_share"] > DISTURBED, np.nan, seconds / columns["yardstick_seconds"])
    return cost, columns["yardstick_seconds"]
