"""One run's folder: written as trials finish, completed after an interruption, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from suite.errors import SuiteError
from suite.machine import Machine, differences
from suite.records.atomic import append_text, cut_to_whole_lines, replace_text, writing
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, read_json, write_json
from suite.records.schema import CELL, CURVES, KEY, OBSERVATIONS, SCHEMA_VERSION, TRIALS, VERDICTS, Table, check, read_table
from suite.trial import Manifest, RunRecord, Trial

TABLES = (CURVES, OBSERVATIONS, TRIALS)
"""In the order in which they are written: a trial counts once its row in the last one stands."""

TrialKey = tuple[str, str, str, str, int]
"""Case, device, dtype, mode and seed."""


class Recorder:
    """Writes one run's folder; at every moment it holds complete rows only."""

    def __init__(self, folder: Path, manifest: Manifest, machine: Machine) -> None:
        """Begin a new run in ``folder``.

        Raises:
            SuiteError: if the folder holds a run already, or cannot be written.
        """
        if (folder / MANIFEST_FILE).exists():
            raise SuiteError(f"{folder}: holds a run already; give another --out, or --resume to complete it")
        self.folder, self.manifest = folder, manifest
        self.done: set[TrialKey] = set()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            replace_text(folder / table.file, as_csv(table.empty()))
        write_json(folder / MACHINE_FILE, machine)
        write_json(folder / MANIFEST_FILE, manifest)

    @classmethod
    def resume(cls, folder: Path, manifest: Manifest, machine: Machine) -> Recorder:
        """Go on with the run in ``folder``: drop what a kill left half done, and keep the rest.

        Raises:
            SuiteError: if it holds no run, or one that was planned otherwise or on another machine.
        """
        begun = read_json(folder / MANIFEST_FILE, Manifest)
        if (begun.cases, begun.cells) != (manifest.cases, manifest.cells):
            raise SuiteError(f"{folder}: was planned otherwise; resume it with the cases and options that began it")
        _check_same_machine(folder, read_json(folder / MACHINE_FILE, Machine), machine)
        recorder = object.__new__(cls)
        recorder.folder, recorder.manifest = folder, replace(begun, complete=False)
        for table in TABLES:
            cut_to_whole_lines(folder / table.file)
        recorder.done = recorder._drop_halves()
        return recorder

    def _drop_halves(self) -> set[TrialKey]:
        """Drop curves and observations whose trial was never written; return the trials that were."""
        trials = read_table(self.folder / TRIALS.file, TRIALS)
        recorded = pd.MultiIndex.from_frame(trials[list(KEY)])
        for table in (CURVES, OBSERVATIONS):
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
    rows = {
        CURVES: [{**_key(t), "step": step, "loss": loss} for t in trials for step, loss in t.curve],
        OBSERVATIONS: [{**_key(t), "name": name, "value": value} for t in trials for name, value in t.observations],
        TRIALS: [vars(t) | {"schema": SCHEMA_VERSION, "run": run, "status": str(t.status)} for t in trials],
    }
    return {table.file: check(_frame(table, rows[table]), table, table.file) for table in TABLES}


def _key(trial: Trial) -> dict[str, Any]:
    return {"schema": SCHEMA_VERSION, **{name: getattr(trial, name) for name in KEY}}


def _frame(table: Table, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(table.columns)).astype(table.columns)


def in_memory(manifest: Manifest, machine: Machine, trials: Sequence[Trial]) -> RunRecord:
    """Return what a folder with these trials would be read back as."""
    tables = frames(manifest.run, trials)
    return RunRecord(
        manifest=manifest,
        machine=machine,
        trials=tables[TRIALS.file],
        curves=tables[CURVES.file],
        observations=tables[OBSERVATIONS.file],
    )


def as_csv(rows: pd.DataFrame, *, header: bool = True) -> str:
    text: str = rows.to_csv(index=False, header=header, lineterminator="\n", na_rep="nan")
    return text


def read_run(folder: Path) -> RunRecord:
    """Read a run's folder, every file checked against its schema; nothing in it is executed.

    Raises:
        SuiteError: naming file, row and column of what is damaged.
    """
    if not folder.is_dir():
        raise SuiteError(f"{folder}: no such run folder")
    return RunRecord(
        manifest=read_json(folder / MANIFEST_FILE, Manifest),
        machine=read_json(folder / MACHINE_FILE, Machine),
        trials=read_table(folder / TRIALS.file, TRIALS),
        curves=read_table(folder / CURVES.file, CURVES),
        observations=read_table(folder / OBSERVATIONS.file, OBSERVATIONS),
    )


def write_verdicts(folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write ``verdicts.csv``; each row has the columns of a verdict.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    frame = _frame(VERDICTS, [{"schema": SCHEMA_VERSION, **row} for row in rows])
    replace_text(folder / VERDICTS.file, as_csv(check(frame, VERDICTS, VERDICTS.file)))
