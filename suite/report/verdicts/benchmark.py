"""Times and losses as github-action-benchmark takes them for its tool ``customSmallerIsBetter``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from suite.judge.statistics import median_interval
from suite.plan import EAGER
from suite.report.cells import microseconds_a_step
from suite.report.escape import as_json, plain
from suite.report.judged import JudgedRun
from suite.report.table import rows_of
from suite.trial import RunRecord

DOUBT = 0.05
"""Probability that an interval does not hold the median."""

Row = dict[str, str | float]


def benchmark_json(judged: JudgedRun) -> str:
    """Return an array of two figures a cell: the median time of a step, and the median final loss.

    What is no finite number has no row, since the tool would take it for the best of all.
    """
    return as_json(list(_rows(judged.run)))


def _rows(run: RunRecord) -> Iterator[Row]:
    times = dict(_times(run))
    for cell in rows_of([run]).to_dict("records"):
        found = times.get((cell["case"], cell["device"], cell["dtype"]))
        if found is not None:
            yield _time(cell, found, run)
        if math.isfinite(cell["median_final_loss"]):
            yield _loss(cell, run)


def _times(run: RunRecord) -> Iterator[tuple[Any, pd.Series]]:
    """Give each cell's times of a step, in microseconds: those of its seeds that were timed."""
    eager = run.trials[run.trials["mode"] == EAGER]
    for key, trials in eager.groupby(["case", "device", "dtype"], sort=False, observed=True):
        times = microseconds_a_step(trials)
        timed = times[times.map(math.isfinite)]
        if len(timed):
            yield key, timed


def _time(cell: Mapping[Any, Any], times: pd.Series, run: RunRecord) -> Row:
    low, high, confidence = median_interval(times.to_numpy(), DOUBT)
    return {
        "name": plain(f"{cell['case']}[{cell['device']}-{cell['dtype']}] time"),
        "unit": "µs a step",
        "value": float(times.median()),
        "range": f"{low:.4g} to {high:.4g}",
        "extra": _extra(f"median of {len(times)} seeds; the range holds it with {confidence:.1%}", run, cell),
    }


def _loss(cell: Mapping[Any, Any], run: RunRecord) -> Row:
    return {
        "name": plain(f"{cell['case']}[{cell['device']}-{cell['dtype']}] final loss"),
        "unit": "loss",
        "value": float(cell["median_final_loss"]),
        "extra": _extra(f"median of {cell['seeds']} seeds", run, cell),
    }


def _extra(what: str, run: RunRecord, cell: Mapping[Any, Any]) -> str:
    model = run.machine.devices[cell["device"]].model
    return plain(f"{what}; torch {run.machine.torch} on {model}")
