"""Times and losses as github-action-benchmark takes them for its tool ``customSmallerIsBetter``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from suite.judge.statistics import median_interval
from suite.observe import Array
from suite.report.cells import Cell, cells_of, median
from suite.report.escape import as_json, plain
from suite.report.judged import JudgedRun

DOUBT = 0.05
"""Probability that an interval does not hold the median."""

Row = dict[str, str | float]


def benchmark_json(judged: JudgedRun) -> str:
    """Return an array of two figures a cell: the median time of a step, and the median final loss.

    What is no finite number has no row, since the tool would take it for the best of all.
    """
    return as_json([row for cell in cells_of([judged]) for row in _rows(cell)])


def _rows(cell: Cell) -> Iterator[Row]:
    times = cell.microseconds.to_numpy()
    timed = times[np.isfinite(times)]
    if len(timed) and math.isfinite(median(timed)):
        yield _time(cell, timed)
    if math.isfinite(cell.median_loss):
        yield _loss(cell)


def _time(cell: Cell, times: Array) -> Row:
    low, high, confidence = median_interval(times, DOUBT)
    return {
        "name": _name(cell, "time"),
        "unit": "µs a step",
        "value": median(times),
        "range": f"{low:.4g} to {high:.4g}",
        "extra": _extra(f"median of {len(times)} seeds; the range holds it with {confidence:.1%}", cell),
    }


def _loss(cell: Cell) -> Row:
    seeds = 0 if cell.main is None else len(cell.main.trials)
    return {
        "name": _name(cell, "final loss"),
        "unit": "loss",
        "value": cell.median_loss,
        "extra": _extra(f"median of {seeds} seeds", cell),
    }


def _name(cell: Cell, what: str) -> str:
    return plain(f"{cell.case.name}[{cell.device}-{cell.dtype}] {what}")


def _extra(what: str, cell: Cell) -> str:
    model = cell.machine.devices[cell.trained_on].model
    return plain(f"{what}; torch {cell.machine.torch} on {model}")
