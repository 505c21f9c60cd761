"""One run's folder: written as trials finish, completed after an interruption, read back."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from suite.errors import SuiteError, raise_all
from suite.machine import Machine, differences
from suite.records.atomic import append_text, cut_to_whole_rows, reading, replace_text, writing
from suite.records.lawful import unlawful_machine, unlawful_manifest
from suite.records.lock import only_writer
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, read_json, write_json
from suite.records.own import check_own, stands
from suite.records.read import read_table
from suite.records.schema import (
    AGAIN,
    CELL,
    CURVES,
    FIRST,
    GRAPHS,
    KEY,
    OBSERVATIONS,
    PROBES,
    SCHEMA_VERSION,
    TRIALS,
    VERDICTS,
    Table,
    check,
)
from suite.trial import Manifest, RunRecord, Trial

TABLES = (CURVES, OBSERVATIONS, PROBES, GRAPHS, TRIALS)
"""In the order in which they are written: a trial counts once its row in the last one stands."""

CellKey = tuple[str, str, str, str]
"""Case, device, dtype and mode."""

TrialKey = tuple[str, str, str, str, int]
"""Case, device, dtype, mode and seed."""


class Recorder:
    """Writes one run's folder; at every moment it holds complete rows only."""

    def __init__(self, folder: Path, manifest: Manifest, machine: Machine) -> None:
        """Begin a new run in ``folder``.

        Raises:
            SuiteError: if the folder holds a run already, or cannot be written.
        """
        with writing(folder):
            if (folder / MANIFEST_FILE).exists():
                raise SuiteError(f"{folder}: holds a run already; give another --out, or --resume to complete it")
            folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.manifest = folder, manifest
        self.done: set[TrialKey] = set()
        for table in TABLES:
            replace_text(folder / table.file, as_csv(table.empty))
        write_json(folder / MACHINE_FILE, machine)
        write_json(folder / MANIFEST_FILE, manifest)

    @classmethod
    def resume(cls, folder: Path, manifest: Manifest, machine: Machine) -> Recorder:
        """Go on with the run in ``folder``: drop what a kill left half done, and keep the rest.

        Raises:
            SuiteError: if it holds no run, or one that was planned otherwise or on another machine.
        """
        begun = _manifest(folder)
        if (begun.cases, begun.cells) != (manifest.cases, manifest.cells):
            raise SuiteError(f"{folder}: was planned otherwise; resume it with the cases and options that began it")
        _check_same_machine(folder, _machine(folder, begun), machine)
        recorder = object.__new__(cls)
        recorder.folder, recorder.manifest = folder, replace(begun, complete=False)
        for table in TABLES:
            check_own(folder / table.file)
            cut_to_whole_rows(folder / table.file)
        recorder.done = recorder._drop_halves()
        return recorder

    def _drop_halves(self) -> set[TrialKey]:
        """Drop curves and observations whose trial was never written; return the trials that were."""
        trials = read_table(self.folder / TRIALS.file, TRIALS)
        recorded = pd.MultiIndex.from_frame(trials[list(KEY)])
        for table in TABLES[:-1]:
            rows = read_table(self.folder / table.file, table)
            whole = pd.MultiIndex.from_frame(rows[list(KEY)]).isin(recorded)
            if not whole.all():
                replace_text(self.folder / table.file, as_csv(rows[whole]))
        return set(map(tuple, trials[list(KEY)].itertuples(index=False, name=None)))

    def append(self, trials: Sequence[Trial]) -> None:
        """Record finished trials; their rows in ``trials.csv`` are written last.

        Raises:
            SuiteError: if a row does not fulfil the schema, or the folder cannot be written.
        """
        for table, rows in frames(self.manifest.run, trials).items():
            append_text(self.folder / table, as_csv(rows, header=False))

    def finish(self) -> None:
        """Put the rows in the plan's order, whatever order they came in, and mark the run complete."""
        order = {
            (cell.case, cell.device, cell.dtype, cell.mode): place for place, cell in enumerate(self.manifest.cells)
        }
        for table in TABLES:
            rows = read_table(self.folder / table.file, table)
            place = pd.MultiIndex.from_frame(rows[list(CELL)]).map(order)
            ordered = rows.assign(_place=place).sort_values(["_place", "seed"], kind="stable").drop(columns="_place")
            if not ordered.index.is_monotonic_increasing:
                replace_text(self.folder / table.file, as_csv(ordered))
        self.manifest = replace(self.manifest, complete=True)
        write_json(self.folder / MANIFEST_FILE, self.manifest)


@contextmanager
def sole_recorder(folder: Path, manifest: Manifest, machine: Machine, *, resume: bool) -> Iterator[Recorder]:
    """Begin a run, or go on with one, and keep all others from writing to its folder until it ends.

    Raises:
        SuiteError: as :class:`Recorder` does, or because someone writes to the folder already.
    """
    if resume:
        _manifest(folder)  # which tells where there is nothing to resume
    else:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder, patience=0.0):
        yield Recorder.resume(folder, manifest, machine) if resume else Recorder(folder, manifest, machine)


def _check_same_machine(folder: Path, begun: Machine, now: Machine) -> None:
    for device in now.devices:
        if begun.timing(device) != now.timing(device):
            what = differences(now.timing_facts(device), begun.timing_facts(device))
            raise SuiteError(f"{folder}: was begun elsewhere, and a run is of one machine: {what}")


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
    return {table.file: _frame(table, columns[table]) for table in TABLES}


def _about(trials: Sequence[Trial], rows: Sequence[int], **columns: Sequence[Any]) -> dict[str, Any]:
    """Put each trial's key before so many rows of its own."""
    return {name: np.repeat(np.array([getattr(t, name) for t in trials], object), rows) for name in KEY} | columns


def _each(pairs: Sequence[tuple[Any, ...]], place: int) -> list[Any]:
    return [pair[place] for pair in pairs]


def _frame(table: Table, columns: Mapping[str, Any]) -> pd.DataFrame:
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


def read_run(folder: Path) -> RunRecord:
    """Read a run's folder, every file checked against its schema; nothing in it is executed.

    Raises:
        SuiteError: naming file, row and column of what is damaged.
    """
    with reading(folder):
        if not folder.is_dir():
            raise SuiteError(f"{folder}: no such run folder")
    manifest = _manifest(folder)
    trials = read_table(folder / TRIALS.file, TRIALS)
    raise_all(f"{folder / TRIALS.file}: {fault}" for fault in _unplanned(trials, manifest))
    return RunRecord(
        manifest=manifest,
        machine=_machine(folder, manifest),
        trials=trials,
        curves=read_table(folder / CURVES.file, CURVES),
        observations=read_table(folder / OBSERVATIONS.file, OBSERVATIONS),
        probes=read_table(folder / PROBES.file, PROBES),
        graphs=read_table(folder / GRAPHS.file, GRAPHS),
        first=read_table(folder / FIRST.file, FIRST) if manifest.accepted else FIRST.empty,
        again=read_table(folder / AGAIN.file, AGAIN) if stands(folder / AGAIN.file) else AGAIN.empty,
    )


def _manifest(folder: Path) -> Manifest:
    """Read what a run set out to do, which must declare every case that it planned to train."""
    manifest = read_json(folder / MANIFEST_FILE, Manifest)
    raise_all(f"{folder / MANIFEST_FILE}: {fault}" for fault in unlawful_manifest(manifest))
    for case in sorted({cell.case for cell in manifest.cells} - {case.name for case in manifest.cases}):
        raise SuiteError(f"{folder / MANIFEST_FILE}: cases: {case} is missing, which cells plan for")
    return manifest


def _machine(folder: Path, manifest: Manifest) -> Machine:
    """Read the machine of a run, which must know every device that the run planned to train on."""
    machine = read_json(folder / MACHINE_FILE, Machine)
    raise_all(f"{folder / MACHINE_FILE}: {fault}" for fault in unlawful_machine(machine))
    for device in sorted({cell.device for cell in manifest.cells} - set(machine.devices)):
        raise SuiteError(f"{folder / MACHINE_FILE}: devices: {device} is missing, which {MANIFEST_FILE} plans for")
    return machine


def _unplanned(trials: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Find the first trial that the run never planned."""
    planned = {(c.case, c.device, c.dtype, c.mode): range(c.first_seed, c.first_seed + c.seeds) for c in manifest.cells}
    strangers = []
    for cell, rows in trials[list(KEY)].groupby(list(CELL)):
        known = planned.get(cast("CellKey", cell), range(0))
        strangers += rows[~rows["seed"].between(known.start, known.stop - 1)].index[:1].to_list()
    for row in sorted(strangers)[:1]:
        case, device, dtype, _, seed = trials[list(KEY)].iloc[row]
        yield f"row {row + 2}: seed {seed} of {case}[{device}-{dtype}] is not planned in {MANIFEST_FILE}"


def write_again(folder: Path, rows: pd.DataFrame) -> None:
    """Write ``again.csv``: trials that were timed once more, so that whoever reads the run judges as was judged.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    replace_text(folder / AGAIN.file, as_csv(rows))


def write_verdicts(folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write ``verdicts.csv``; each row has the columns of a verdict.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    frame = _frame(VERDICTS, {name: [row[name] for row in rows] for name in VERDICTS.columns if name != "schema"})
    replace_text(folder / VERDICTS.file, as_csv(frame))


def read_verdicts(folder: Path) -> pd.DataFrame:
    """Return what was judged of a run, as ``verdicts.csv`` holds it; no row, if it was never judged.

    Raises:
        SuiteError: if the file is damaged.
    """
    file = folder / VERDICTS.file
    return read_table(file, VERDICTS) if stands(file) else VERDICTS.empty
