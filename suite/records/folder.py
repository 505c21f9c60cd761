"""A run's folder as it is read, and what is added to it once it is complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import pandas as pd

from suite.errors import SuiteError, raise_all
from suite.machine import Machine
from suite.records.atomic import reading, replace_own
from suite.records.belonging import ACROSS, Register, of_other_data, scattered, strays, without_strays
from suite.records.faults import label, named, short
from suite.records.lawful import unlawful_machine, unlawful_manifest
from suite.records.lost import Recorded
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, read_json
from suite.records.own import stands
from suite.records.read import read_table
from suite.records.rows import as_csv, frame_of
from suite.records.schema import (
    AGAIN,
    CELL,
    CURVES,
    FIRST,
    GRAPHS,
    KEY,
    OBSERVATIONS,
    PROBES,
    TRIALS,
    VERDICTS,
    Table,
)
from suite.trial import CellKey, Manifest, RunRecord, key_of


def read_run(folder: Path) -> RunRecord:
    """Read a run's folder, every file checked against its schema; nothing in it is executed.

    Raises:
        SuiteError: naming file, row and column of what is damaged.
    """
    with reading(folder):
        if not folder.is_dir():
            raise SuiteError(f"{folder}: no such run folder")
    manifest = read_manifest(folder)
    trials = _read_trials(folder, manifest)
    machine = read_machine(folder, manifest)
    tables = _read_others(folder, Recorded(register=Register(trials), manifest=manifest))
    return RunRecord(
        manifest=manifest,
        machine=machine,
        trials=trials,
        curves=tables[CURVES],
        observations=tables[OBSERVATIONS],
        probes=tables[PROBES],
        graphs=tables[GRAPHS],
        first=read_table(folder / FIRST.file, FIRST) if manifest.accepted else FIRST.empty,
        again=read_table(folder / AGAIN.file, AGAIN) if stands(folder / AGAIN.file) else AGAIN.empty,
    )


def _read_trials(folder: Path, manifest: Manifest) -> pd.DataFrame:
    """Read the trials of a run: those that were planned, and all of them if it is complete."""
    trials = read_table(folder / TRIALS.file, TRIALS)
    raise_all(
        f"{folder / TRIALS.file}: {fault}" for fault in (*_unplanned(trials, manifest), *_others(trials, manifest))
    )
    if manifest.complete:
        remedy = _completing(folder, manifest)
        raise_all(f"{folder / TRIALS.file}: {what}, {remedy}" for what in missing(trials, manifest))
        raise_all(f"{folder / TRIALS.file}: {fault}" for fault in of_other_data(Register(trials)))
    return trials


def _completing(folder: Path, manifest: Manifest) -> str:
    """Say how a run that lost something becomes what it says that it is."""
    remedy = "accept a whole run" if manifest.accepted else f"complete it with: suite run --resume --out {folder}"
    return f"though {MANIFEST_FILE} says complete; {remedy}"


def _read_others(folder: Path, recorded: Recorded) -> dict[Table, pd.DataFrame]:
    """Read the rows of a run's trials: all of them if it is complete, and no others.

    Rows that no trial has are what a kill leaves of an interrupted run; in a run that is over they are a fault.
    """
    tables = {table: read_table(folder / table.file, table) for table in ACROSS}
    places = {table: recorded.register.places(rows) for table, rows in tables.items()}
    if recorded.manifest.complete or recorded.manifest.accepted:
        raise_all(f"{folder / t.file}: {fault}" for t in tables for fault in strays(tables[t], places[t]))
    tables = {table: without_strays(rows, places[table]) for table, rows in tables.items()}
    places = {table: found[found >= 0] for table, found in places.items()}
    raise_all(
        f"{folder / table.file}: {fault}"
        for table, rows in tables.items()
        for fault in scattered(table, rows, places[table], recorded.register)
    )
    if recorded.manifest.complete:
        remedy = _completing(folder, recorded.manifest)
        lost = {table: int(recorded.lost_from(table, found).sum()) for table, found in places.items()}
        every = len(recorded.trials)
        raise_all(
            f"{folder / table.file}: rows of {count:,} of {every:,} trials are missing, {remedy}"
            for table, count in lost.items()
            if count
        )
    return tables


def read_manifest(folder: Path) -> Manifest:
    """Read what a run set out to do, which must declare every case that it planned to train."""
    manifest = read_json(folder / MANIFEST_FILE, Manifest)
    raise_all(f"{folder / MANIFEST_FILE}: {fault}" for fault in unlawful_manifest(manifest))
    for case in sorted({cell.case for cell in manifest.cells} - {case.name for case in manifest.cases}):
        raise SuiteError(f"{folder / MANIFEST_FILE}: cases: {named(case)} is missing, which cells plan for")
    return manifest


def read_machine(folder: Path, manifest: Manifest) -> Machine:
    """Read the machine of a run, which must know every device that the run planned to train on."""
    machine = read_json(folder / MACHINE_FILE, Machine)
    raise_all(f"{folder / MACHINE_FILE}: {fault}" for fault in unlawful_machine(machine))
    for device in map(named, sorted({cell.device for cell in manifest.cells} - set(machine.devices))):
        raise SuiteError(f"{folder / MACHINE_FILE}: devices: {device} is missing, which {MANIFEST_FILE} plans for")
    return machine


def _unplanned(trials: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Find the first trial that the run never planned."""
    planned = {key_of(cell): range(cell.first_seed, cell.first_seed + cell.seeds) for cell in manifest.cells}
    strangers = []
    for cell, rows in trials[list(KEY)].groupby(list(CELL)):
        known = planned.get(cast("CellKey", cell), range(0))
        strangers += rows[~rows["seed"].between(known.start, known.stop - 1)].index[:1].to_list()
    for row in sorted(strangers)[:1]:
        case, device, dtype, _, seed = trials[list(KEY)].iloc[row]
        yield f"row {row + 2}: seed {seed} of {label(case, device, dtype)} is not planned in {MANIFEST_FILE}"


def _others(trials: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Find the first trial that is of another run, or of another version of its case."""
    versions = {case.name: case.version for case in manifest.cases}
    for row, run, case, version in trials[["run", "case", "case_version"]].drop_duplicates().itertuples():
        wanted = {"run": (run, manifest.run), "case_version": (version, versions.get(case, version))}
        wrong = [(column, *pair) for column, pair in wanted.items() if pair[0] != pair[1]]
        for column, found, expected in wrong[:1]:
            yield f"row {row + 2}: column {column}: found {short(found)!r}, expected {short(expected)!r}"
            return


def missing(trials: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Say how many planned seeds have no trial, of the first cell that lacks any; nothing, if none does."""
    planned = {key_of(cell): cell.seeds for cell in manifest.cells}
    if len(trials) == sum(planned.values()):
        return
    held = trials.groupby(list(CELL), observed=True, sort=False).size().to_dict()
    lacking = {cell: seeds - held.get(cell, 0) for cell, seeds in planned.items() if held.get(cell, 0) < seeds}
    for (case, device, dtype, mode), count in islice(lacking.items(), 1):
        cell = f"{label(case, device, dtype)} ({named(mode)})"
        told = f"{count} of {planned[case, device, dtype, mode]} seeds of {cell}"
        yield (
            f"{told}, and seeds of {len(lacking) - 1} more cells, are missing"
            if len(lacking) > 1
            else f"{told} are missing"
        )


def write_again(folder: Path, rows: pd.DataFrame) -> None:
    """Write ``again.csv``: trials that were timed once more, so that whoever reads the run judges as was judged.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    replace_own(folder / AGAIN.file, as_csv(rows))


def write_verdicts(folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write ``verdicts.csv``; each row has the columns of a verdict.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    frame = frame_of(VERDICTS, {name: [row[name] for row in rows] for name in VERDICTS.columns if name != "schema"})
    replace_own(folder / VERDICTS.file, as_csv(frame))


def read_verdicts(folder: Path) -> pd.DataFrame:
    """Return what was judged of a run, as ``verdicts.csv`` holds it; no row, if it was never judged.

    Raises:
        SuiteError: if the file is damaged.
    """
    file = folder / VERDICTS.file
    return read_table(file, VERDICTS) if stands(file) else VERDICTS.empty
