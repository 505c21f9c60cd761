"""What trials are recorded as: the rows of each table, and their text."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd

from suite.machine import Machine
from suite.records.schema import (
    AGAIN,
    CURVES,
    FIRST,
    GRAPHS,
    KEY,
    OBSERVATIONS,
    PROBES,
    SCHEMA_VERSION,
    TRIALS,
    Table,
    check,
)
from suite.trial import Manifest, RunRecord, Trial

TABLES = (CURVES, OBSERVATIONS, PROBES, GRAPHS, TRIALS)
"""In the order in which they are written: a trial counts once its row in the last one stands."""


def frames(run: str, trials: Sequence[Trial]) -> dict[str, pd.DataFrame]:
    """Return the rows that trials are recorded as, by file, in the order in which they are written.

    Raises:
        SuiteError: if a row does not fulfil its table's schema.
    """
    points = [point for t in trials for point in t.curve]
    seen = [observation for t in trials for observation in t.observations]
    far = [distance for t in trials for distance in t.distances]
    drawn = [point for t in trials for point in t.graphs]
    columns = {
        CURVES: _about(trials, [len(t.curve) for t in trials], step=_each(points, 0), loss=_each(points, 1)),
        OBSERVATIONS: _about(trials, [len(t.observations) for t in trials], name=_each(seen, 0), value=_each(seen, 1)),
        PROBES: _about(
            trials, [len(t.distances) for t in trials], part=_each(far, 0), step=_each(far, 1), distance=_each(far, 2)
        ),
        GRAPHS: _about(
            trials,
            [len(t.graphs) for t in trials],
            **{n: _each(drawn, k) for k, n in enumerate(("name", "form", "x", "y"))},
        ),
        TRIALS: {name: [getattr(t, name, None) for t in trials] for name in TRIALS.columns} | {"run": run},
    }
    return {table.file: frame_of(table, columns[table]) for table in TABLES}


def _about(trials: Sequence[Trial], rows: Sequence[int], **columns: Sequence[Any]) -> dict[str, Any]:
    """Put each trial's key before so many rows of its own."""
    return {name: np.repeat(np.array([getattr(t, name) for t in trials], object), rows) for name in KEY} | columns


def _each(pairs: Sequence[tuple[Any, ...]], place: int) -> list[Any]:
    return [pair[place] for pair in pairs]


def frame_of(table: Table, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of these columns, the schema's version before them.

    Raises:
        SuiteError: if a row does not fulfil the table's schema.
    """
    whole = {**columns, "schema": SCHEMA_VERSION}
    frame = pd.DataFrame({name: whole[name] for name in table.columns})
    return check(frame.astype(table.columns), table, table.file) if len(frame) else table.empty


def in_memory(manifest: Manifest, machine: Machine, trials: Sequence[Trial]) -> RunRecord:
    """Return what a folder with these trials would be read back as."""
    tables = frames(manifest.run, trials)
    return RunRecord(
        manifest=manifest,
        machine=machine,
        trials=tables[TRIALS.file],
        curves=tables[CURVES.file],
        observations=tables[OBSERVATIONS.file],
        probes=tables[PROBES.file],
        graphs=tables[GRAPHS.file],
        first=FIRST.empty,
        again=AGAIN.empty,
    )


class _Lines(StringIO):
    """Takes rows that end in CR LF and ends them in LF."""

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def as_csv(rows: pd.DataFrame, *, header: bool = True) -> str:
    """Return the table as text that reads back as it is; ``header`` False gives its rows only."""
    lines = _Lines()
    # Before Python 3.13, csv.writer quotes a lone CR in a text only if its own line ends hold one.
    writer = csv.writer(lines, lineterminator="\r\n")
    if header:
        writer.writerow(rows.columns)
    writer.writerows(zip(*(rows[name].tolist() for name in rows.columns), strict=True))
    return lines.getvalue()
