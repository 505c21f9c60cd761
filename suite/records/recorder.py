"""A run's folder as it is written: trial by trial as they finish, and completed after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from suite.errors import SuiteError, raise_all
from suite.machine import Machine, differences
from suite.records.atomic import replace_own, writing
from suite.records.belonging import Mask, Places, Register
from suite.records.folder import missing, read_machine, read_manifest
from suite.records.grow import append_text, cut_to_whole_rows, is_torn
from suite.records.lawful import unlawful_machine, unlawful_manifest
from suite.records.lock import only_writer
from suite.records.lost import Recorded
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, as_json, write_json
from suite.records.own import read_own, stands
from suite.records.read import read_table
from suite.records.rows import TABLES, as_csv, frames
from suite.records.schema import AGAIN, CELL, CURVES, KEY, TRIALS, VERDICTS, Table
from suite.sketch import Sketch
from suite.trial import Manifest, Trial, key_of

TrialKey = tuple[str, str, str, str, int]
"""Case, device, dtype, mode and seed."""


Check = Callable[[pd.DataFrame], None]
"""Refuses to go on with a run, given the trials that it holds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """What an interrupted run holds."""

    tables: dict[Table, pd.DataFrame]
    places: dict[Table, Places]
    """The trial of each row; -1, if that was never recorded."""
    kept: Mask
    """Tells of each trial whether it lost no rows."""

    @property
    def trials(self) -> pd.DataFrame:
        """Return the trials that are kept."""
        return self.tables[TRIALS][self.kept]


class Recorder:
    """Writes one run's folder; at every moment it holds complete rows only."""

    def __init__(self, folder: Path, manifest: Manifest, machine: Machine) -> None:
        """Begin a new run in ``folder``.

        Raises:
            SuiteError: if the folder holds a run already, or cannot be written, or what is to be done would not be
                read again; nothing is written then.
        """
        _check_readable(folder, manifest, machine)
        with writing(folder):
            if (folder / MANIFEST_FILE).exists():
                raise SuiteError(f"{folder}: holds a run already; give another --out, or --resume to complete it")
            folder.mkdir(parents=True, exist_ok=True)
        raise_all(f"{left}: is of a run whose {MANIFEST_FILE} is gone; give another --out" for left in _left(folder))
        self.folder, self.manifest = folder, manifest
        self.done: set[TrialKey] = set()
        for table in TABLES:
            replace_own(folder / table.file, as_csv(table.empty))
        write_json(folder / MACHINE_FILE, machine)
        write_json(folder / MANIFEST_FILE, manifest)

    @classmethod
    def resume(cls, folder: Path, manifest: Manifest, machine: Machine, *, check: Check = lambda _: None) -> Recorder:
        """Go on with the run in ``folder``: drop what a kill left half done, and keep the rest.

        ``check`` is shown the trials that are kept before anything is written; what it raises leaves all as it was.

        Raises:
            SuiteError: if it holds no run, or one that was planned otherwise or on another machine.
        """
        begun = read_manifest(folder)
        if begun.accepted is not None:
            raise SuiteError(f"{folder}: is a baseline, which is replaced and not resumed; accept a whole run")
        if _asked(begun) != _asked(manifest):
            raise SuiteError(f"{folder}: was planned otherwise; resume it with the cases and options that began it")
        _check_same_machine(folder, read_machine(folder, begun), machine)
        recorder = object.__new__(cls)
        recorder.folder, recorder.manifest = folder, begun
        torn = {table for table in TABLES if is_torn(folder / table.file)}
        found = _find(folder, begun, torn)
        check(found.trials)
        for table in torn:
            recorder._reopen()
            cut_to_whole_rows(folder / table.file)
        recorder.done = recorder._keep_whole(found)
        return recorder

    def _reopen(self) -> None:
        """Say on the disk that the run is not complete any more, before it is less than it was."""
        if self.manifest.complete:
            self.manifest = replace(self.manifest, complete=False)
            write_json(self.folder / MANIFEST_FILE, self.manifest)

    def _keep_whole(self, found: _Found) -> set[TrialKey]:
        """Drop every trial that lost rows, and all rows of trials that are not recorded; return the trials kept."""
        if any(missing(found.trials, self.manifest)):
            self._reopen()
        for table in reversed(TABLES):  # trials first: whatever is left of the others is dropped by the next to resume
            whole = np.append(found.kept, False)[found.places[table]]
            if not whole.all():
                replace_own(self.folder / table.file, as_csv(found.tables[table][whole]))
        return set(map(tuple, found.trials[list(KEY)].itertuples(index=False, name=None)))

    def append(self, trials: Sequence[Trial]) -> None:
        """Record finished trials; their rows in ``trials.csv`` are written last.

        Raises:
            SuiteError: if a row does not fulfil the schema, or the folder cannot be written.
        """
        for table, rows in frames(self.manifest.run, trials).items():
            append_text(self.folder / table, as_csv(rows, header=False))

    def finish(self) -> None:
        """Put the rows in the plan's order, whatever order they came in, and mark the run complete."""
        order = {key_of(cell): place for place, cell in enumerate(self.manifest.cells)}
        for table in TABLES:
            rows = read_table(self.folder / table.file, table)
            place = pd.MultiIndex.from_frame(rows[list(CELL)]).map(order)
            ordered = rows.assign(_place=place).sort_values(["_place", "seed"], kind="stable").drop(columns="_place")
            if not ordered.index.is_monotonic_increasing:
                replace_own(self.folder / table.file, as_csv(ordered))
        self.manifest = replace(self.manifest, complete=True)
        write_json(self.folder / MANIFEST_FILE, self.manifest)


def _find(folder: Path, manifest: Manifest, torn: Collection[Table]) -> _Found:
    """Read what an interrupted run holds, half rows left out; nothing is written.

    A kill tears a table only where the same trials' curves, which are written before, are not recorded either.
    """
    tables = {table: read_table(folder / table.file, table, torn=table in torn) for table in TABLES}
    recorded = Recorded(register=Register(tables[TRIALS]), manifest=manifest)
    places = {table: recorded.register.places(rows) for table, rows in tables.items()}
    killed = not manifest.complete and bool((places[CURVES] < 0).any())
    return _Found(tables=tables, places=places, kept=~recorded.lost(places, () if killed else torn))


@contextmanager
def sole_recorder(
    folder: Path, manifest: Manifest, machine: Machine, *, resume: bool, check: Check = lambda _: None
) -> Iterator[Recorder]:
    """Begin a run, or go on with one that passes ``check``, and keep all others from writing to its folder meanwhile.

    Raises:
        SuiteError: as :class:`Recorder` does, or because someone writes to the folder already.
    """
    if resume:
        read_manifest(folder)  # which tells where there is nothing to resume
    else:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder, patience=0.0):
        yield Recorder.resume(folder, manifest, machine, check=check) if resume else Recorder(folder, manifest, machine)


def _check_readable(folder: Path, manifest: Manifest, machine: Machine) -> None:
    """Refuse to write what would be refused on reading, when all of it is trained."""
    told = {MANIFEST_FILE: unlawful_manifest(manifest), MACHINE_FILE: unlawful_machine(machine)}
    raise_all(f"{folder / file}: {fault}" for file, faults in told.items() for fault in faults)
    as_json(folder / MACHINE_FILE, machine)
    as_json(folder / MANIFEST_FILE, manifest)


def _asked(manifest: Manifest) -> tuple[object, ...]:
    """Return what a run was asked to do, without what was seen of its cases when it began."""
    return manifest.cells, [replace(case, drawn=False, sketch=Sketch()) for case in manifest.cases]


def _left(folder: Path) -> Iterator[Path]:
    """Give what a folder without a manifest holds of a run that had one; one that was killed as it began holds none."""
    headers = {folder / table.file: as_csv(table.empty).encode() for table in TABLES}
    yield from (file for file, header in headers.items() if stands(file) and read_own(file) != header)
    yield from (folder / table.file for table in (AGAIN, VERDICTS) if stands(folder / table.file))


def _check_same_machine(folder: Path, begun: Machine, now: Machine) -> None:
    for device in now.devices:
        if begun.timing(device) != now.timing(device):
            what = differences(now.timing_facts(device), begun.timing_facts(device), "then")
            raise SuiteError(f"{folder}: was begun elsewhere, and a run is of one machine: {what}")
