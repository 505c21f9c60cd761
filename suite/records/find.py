"""Find what was recorded under a folder: runs and accepted baselines, which are run folders too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from suite.errors import SuiteError, raise_all
from suite.records.atomic import reading
from suite.records.folder import read_run
from suite.records.lock import HOLDER_FILE, LOCK_FILE
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, read_json
from suite.records.own import stands
from suite.records.rows import TABLES
from suite.records.schema import AGAIN, FIRST, VERDICTS
from suite.trial import Manifest, RunRecord

Found = TypeVar("Found")

DEEPEST = 3
"""How many folders below a place a run may lie."""

FILES = {MANIFEST_FILE, MACHINE_FILE, *(table.file for table in TABLES)}
"""A folder that holds any of these is a run's, whole or not."""
OWN = FILES | {AGAIN.file, FIRST.file, VERDICTS.file, LOCK_FILE, HOLDER_FILE}
"""All that a run's folder, or a baseline's, may have of its own."""


@dataclass(frozen=True, kw_only=True)
class Kept(Generic[Found]):
    """What was found in several runs, and what was not."""

    found: tuple[Found, ...]
    """In the order in which the runs were read."""
    faults: tuple[str, ...]
    """Why some of them could not be read."""
    notes: tuple[str, ...] = ()
    """Which of them were left out, and why."""


def find_runs(places: Sequence[Path]) -> Kept[Path]:
    """Return the run folders among ``places`` and up to three folders below them, each once, in the order of names.

    Links, and folders whose names begin with a dot, are passed over, unless they are asked for. A folder below a place
    that cannot be read is a fault beside what was found.

    Raises:
        SuiteError: naming each place that is no folder or cannot be read.
    """
    faults: list[str] = []
    found: dict[Path, Path] = {}
    refused: list[str] = []
    for place in places:
        try:
            for folder in _below(place, DEEPEST, faults):
                found.setdefault(folder.resolve(), folder)
        except SuiteError as error:
            refused.extend(error.faults)
    raise_all(refused)
    return Kept(found=tuple(found.values()), faults=tuple(faults))


def _below(folder: Path, depth: int, faults: list[str]) -> Iterator[Path]:
    """Give the runs in a folder, and add to the faults what cannot be read below it."""
    with reading(folder):
        if not folder.is_dir():
            raise SuiteError(f"{folder}: no such folder of runs")
        inside = sorted(folder.iterdir())
        shown = [entry for entry in inside if not entry.name.startswith(".") and not entry.is_symlink()]
        folders = [entry for entry in shown if entry.is_dir()]
    if any(entry.name in FILES for entry in inside):
        yield folder
    elif depth:
        for entry in folders:
            try:
                yield from _below(entry, depth - 1, faults)
            except SuiteError as error:
                faults.extend(error.faults)


def read_manifests(folders: Sequence[Path]) -> Kept[tuple[Path, Manifest]]:
    """Read what each run set out to do; a run that was interrupted, or is not over yet, is left out."""
    found: list[tuple[Path, Manifest]] = []
    faults: list[str] = []
    notes: list[str] = []
    for folder in folders:
        try:
            manifest = read_json(folder / MANIFEST_FILE, Manifest)
        except SuiteError as error:
            faults.extend(error.faults)
            continue
        if manifest.complete:
            found.append((folder, manifest))
        else:
            notes.append(f"{folder}: is not complete, and left out; complete it with --resume")
    return Kept(found=tuple(found), faults=tuple(faults), notes=tuple(notes))


def newest(runs: Sequence[tuple[Path, Manifest]], case: str) -> Path | None:
    """Return the folder of the run that began last, of those that planned to train a case; None if none did."""
    planned = [(manifest.started, folder) for folder, manifest in runs if any(c.name == case for c in manifest.cases)]
    return max(planned)[1] if planned else None


def look_through(folders: Sequence[Path], look: Callable[[RunRecord], Found]) -> Kept[Found]:
    """Read complete runs one after the other, each once, and keep of each only what ``look`` returns."""
    whole = read_manifests(folders)
    found: list[Found] = []
    faults = list(whole.faults)
    for folder, _ in whole.found:
        try:
            found.append(look(read_run(folder)))
        except SuiteError as error:
            faults.extend(error.faults)
    return Kept(found=tuple(found), faults=tuple(faults), notes=whole.notes)


def spare_records(option: str, files: Iterable[Path]) -> None:
    """Refuse to write over a record: over a file that a run's folder has of its own.

    Raises:
        SuiteError: naming each such file.
    """
    raise_all(
        f"{option} {file}: is a run's own record, which is not written over; give another name"
        for file in files
        if file.name.lower() in OWN and stands(file.parent / MANIFEST_FILE)
    )
