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
from suite.records.faults import named
from suite.records.lawful import unlawful_machine, unlawful_manifest
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, read_json
from suite.records.own import stands
from suite.records.read import read_table
from suite.records.rows import as_csv, frame_of
from suite.records.schema import AGAIN, CELL, CURVES, FIRST, GRAPHS, KEY, OBSERVATIONS, PROBES, TRIALS, VERDICTS
from suite.trial import Manifest, RunRecord

CellKey = tuple[str, str, str, str]
"""Case, device, dtype and mode."""


def read_run(folder: Path) -> RunRecord:
    """Read a run's folder, every file checked against its schema; nothing in it is executed.

    Raises:
        SuiteError: naming file, row and column of what is damaged.
    """
    with reading(folder):
        if not folder.is_dir():
            raise SuiteError(f"{folder}: no such run folder")
    manifest = read_manifest(folder)
    trials = read_table(folder / TRIALS.file, TRIALS)
    raise_all(f"{folder / TRIALS.file}: {fault}" for fault in _unplanned(trials, manifest))
    if manifest.complete:
        remedy = "accept a whole run" if manifest.accepted else f"complete it with: suite run --resume --out {folder}"
        faults = missing(trials, manifest)
        raise_all(f"{folder / TRIALS.file}: {what}, though {MANIFEST_FILE} says complete; {remedy}" for what in faults)
    return RunRecord(
        manifest=manifest,
        machine=read_machine(folder, manifest),
        trials=trials,
        curves=read_table(folder / CURVES.file, CURVES),
        observations=read_table(folder / OBSERVATIONS.file, OBSERVATIONS),
        probes=read_table(folder / PROBES.file, PROBES),
        graphs=read_table(folder / GRAPHS.file, GRAPHS),
        first=read_table(folder / FIRST.file, FIRST) if manifest.accepted else FIRST.empty,
        again=read_table(folder / AGAIN.file, AGAIN) if stands(folder / AGAIN.file) else AGAIN.empty,
    )


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
    planned = {(c.case, c.device, c.dtype, c.mode): range(c.first_seed, c.first_seed + c.seeds) for c in manifest.cells}
    strangers = []
    for cell, rows in trials[list(KEY)].groupby(list(CELL)):
        known = planned.get(cast("CellKey", cell), range(0))
        strangers += rows[~rows["seed"].between(known.start, known.stop - 1)].index[:1].to_list()
    for row in sorted(strangers)[:1]:
        case, device, dtype, _, seed = trials[list(KEY)].iloc[row]
        yield f"row {row + 2}: seed {seed} of {_label(case, device, dtype)} is not planned in {MANIFEST_FILE}"


def missing(trials: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Say how many planned seeds have no trial, of the first cell that lacks any; nothing, if none does."""
    planned = {(c.case, c.device, c.dtype, c.mode): c.seeds for c in manifest.cells}
    if len(trials) == sum(planned.values()):
        return
    held = trials.groupby(list(CELL), observed=True, sort=False).size().to_dict()
    lacking = {cell: seeds - held.get(cell, 0) for cell, seeds in planned.items() if held.get(cell, 0) < seeds}
    for (case, device, dtype, mode), count in islice(lacking.items(), 1):
        label = f"{_label(case, device, dtype)} ({named(mode)})"
        told = f"{count} of {planned[case, device, dtype, mode]} seeds of {label}"
        yield (
            f"{told}, and seeds of {len(lacking) - 1} more cells, are missing"
            if len(lacking) > 1
            else f"{told} are missing"
        )


def _label(case: str, device: str, dtype: str) -> str:
    return f"{named(case)}[{named(device)}-{named(dtype)}]"


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
