"""Baselines: accepted runs, one folder for each type of device."""

from __future__ import annotations

import getpass
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from suite.errors import SuiteError, raise_all
from suite.machine import Machine
from suite.plan import EAGER
from suite.records.atomic import reading, replace_own, writing
from suite.records.faults import label
from suite.records.folder import read_run
from suite.records.lock import only_writer
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, write_json
from suite.records.own import stands
from suite.records.rows import TABLES, as_csv
from suite.records.schema import CELL, FIRST
from suite.trial import Acceptance, Manifest, PlannedCell, RunRecord, Status, device_type, key_of

PATIENCE_SECONDS = 60.0
"""How long accepting waits for another to have done so."""

Stamp = tuple[Path, int, int]
"""Where a baseline lies, its file's number on the disk, and when that was written, in nanoseconds."""


def find_baselines(folder: Path) -> dict[str, RunRecord]:
    """Read the baselines in ``folder`` by type of device; a plain run folder is one for all its devices.

    What another process replaces meanwhile is read again, so that all of a baseline is of one run.

    Raises:
        SuiteError: if one of them is damaged, or they are replaced without end.
    """
    with reading(folder):
        if (folder / MANIFEST_FILE).exists():
            run = read_run(folder)
            return {device_type(device): run for device in run.machine.devices}
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := _glance(folder)) is None:
            if time.monotonic() > end:
                raise SuiteError(f"{folder}: is replaced again and again; try again once that has ended")
    return found


def _glance(folder: Path) -> dict[str, RunRecord] | None:
    """Read all baselines once; None, if one of them was replaced meanwhile."""
    before = _stamps(folder)
    try:
        found = {kind: read_run(place) for kind, place in _places(folder)}
    except SuiteError:
        if _stamps(folder) == before:
            raise
        return None
    return found if _stamps(folder) == before else None


def _stamps(folder: Path) -> list[Stamp]:
    return [_stamp(place / MANIFEST_FILE) for _, place in _places(folder)]


def _stamp(file: Path) -> Stamp:
    try:
        told = file.stat()
    except FileNotFoundError:  # it was moved since it was found
        return file, 0, 0
    return file, told.st_ino, told.st_mtime_ns


def _places(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give each device type's folder; the one before it where a kill fell between two renames."""
    if not folder.is_dir():
        return
    kinds = sorted({place.name.removeprefix(".").removesuffix(".old") for place in folder.iterdir() if place.is_dir()})
    for kind in kinds:
        for place in (folder / kind, _set_aside(folder, kind)):
            if (place / MANIFEST_FILE).exists():
                yield kind, place
                break


def _set_aside(folder: Path, kind: str) -> Path:
    return folder / f".{kind}.old"


def accept(run: RunRecord, folder: Path, *, reason: str, who: str | None = None, drop: bool = False) -> list[Path]:
    """Make a run the baseline, for each type of device that it trained on; return their folders.

    ``drop`` allows cells and seeds of the present baseline to be lost that the run does not hold, and a baseline that
    cannot be read, as one of another schema version.

    Raises:
        SuiteError: if the run was interrupted, seeds failed in it, the reason is empty, cells or seeds would be
            lost, or ``folder`` is a run's own.
    """
    if not reason.strip():
        raise SuiteError("--reason is empty; say why this run is to be trusted from now on")
    if not run.manifest.complete:
        raise SuiteError(f"run {run.manifest.run} was interrupted; complete it with --resume before it is accepted")
    with reading(folder):
        if (folder / MANIFEST_FILE).exists():
            raise SuiteError(f"{folder}: is a run's own folder; give a folder of baselines as --baseline")
    parts = {kind: _part(run, kind) for kind in sorted({device_type(device) for device in run.machine.devices})}
    signed = Acceptance(who=who or _login(), when="", why=reason.strip(), replaced="")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder, patience=PATIENCE_SECONDS):
        return _replace(parts, folder, signed, drop=drop)


def _replace(parts: dict[str, RunRecord], folder: Path, signed: Acceptance, *, drop: bool) -> list[Path]:
    """Put each part in the place of its kind's present baseline, unless cells or seeds would be lost."""
    present = _present(folder, parts, drop=drop)
    if not drop:
        raise_all(fault for part in parts.values() for fault in _untrained(part))
        raise_all(dict.fromkeys(fault for kind in present for fault in _lost(present[kind], parts[kind])))
    accepted = replace(signed, when=datetime.now(UTC).isoformat(timespec="seconds"))
    return [_install(part, folder, kind, accepted, present.get(kind)) for kind, part in parts.items()]


def _present(folder: Path, kinds: Collection[str], *, drop: bool) -> dict[str, RunRecord]:
    """Read the present baselines that would be replaced, and no others; ``drop`` leaves out what cannot be read."""
    found: dict[str, RunRecord] = {}
    faults: list[str] = []
    with reading(folder):
        places = [(kind, place) for kind, place in _places(folder) if kind in kinds]
    for kind, place in places:
        try:
            found[kind] = read_run(place)
        except SuiteError as error:
            faults.extend(error.faults)
    if faults and not drop:
        raise SuiteError(*faults, f"{folder}: replace what cannot be read with --drop")
    return found


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise SuiteError("your login name is not known here; say who accepts the run with --who") from error


def _part(run: RunRecord, kind: str) -> RunRecord:
    """Return what the run left on one type of device."""

    def of_kind(table: pd.DataFrame) -> pd.DataFrame:
        # .loc, since a table without a row would lose its columns.
        return table.loc[[device_type(device) == kind for device in table["device"]]]

    devices = {name: device for name, device in run.machine.devices.items() if device_type(name) == kind}
    cells = tuple(cell for cell in run.manifest.cells if device_type(cell.device) == kind)
    return RunRecord(
        manifest=replace(run.manifest, cells=cells, skipped=()),
        machine=replace(run.machine, devices=devices),
        trials=of_kind(run.trials),
        curves=of_kind(run.curves),
        observations=of_kind(run.observations),
        probes=of_kind(run.probes),
        graphs=run.graphs.iloc[:0],
        again=run.again.iloc[:0],
        first=of_kind(run.trials[run.trials["yardstick_seconds"].notna() & (run.trials["mode"] == EAGER)]),
    )


def _untrained(run: RunRecord) -> Iterator[str]:
    """Name the cells with seeds that could not be trained: later runs would be held against nothing."""
    failed = run.trials[run.trials["status"] == str(Status.ERROR)]
    for (case, device, dtype), rows in failed.groupby(["case", "device", "dtype"], sort=False, observed=True):
        told = f"{len(rows)} of its trials failed, as {rows['reason'].iloc[0]}"
        yield f"{case}[{device}-{dtype}]: {told}; mend it, or allow it with --drop"


def _lost(present: RunRecord, part: RunRecord) -> Iterator[str]:
    """Name the cells of the present baseline that a run does not hold, or of which it holds fewer seeds.

    One that was trained in several modes is named once where the run holds none of them, else with its mode.
    """
    kept = {key_of(cell): cell for cell in part.manifest.cells}
    held = {key[:3] for key in kept}
    for cell in present.manifest.cells:
        name, ours = label(cell.case, cell.device, cell.dtype), kept.get(key_of(cell))
        way = f" ({cell.mode})" if key_of(cell)[:3] in held else ""
        if ours is None:
            yield (
                f"{name}{way} of the present baseline is not in this run "
                "and would be lost; run all of it, or allow it with --drop"
            )
        elif lost := cell.seeds - _shared_seeds(cell, ours):
            yield (
                f"{name}{way}: {lost} of the present baseline's {cell.seeds} seeds are not in this run "
                "and would be lost; run all of them, or allow it with --drop"
            )


def _shared_seeds(one: PlannedCell, other: PlannedCell) -> int:
    """Count the seeds that two cells have in common."""
    end = min(one.first_seed + one.seeds, other.first_seed + other.seeds)
    return max(0, end - max(one.first_seed, other.first_seed))


def _install(part: RunRecord, folder: Path, kind: str, accepted: Acceptance, before: RunRecord | None) -> Path:
    """Write the new baseline beside the old one, then put it in its place by two renames."""
    acceptance = replace(accepted, replaced=before.manifest.run if before else "")
    place, fresh, old = folder / kind, folder / f".{kind}.new", _set_aside(folder, kind)
    _clear(fresh)
    with writing(folder):
        fresh.mkdir(parents=True)
        _write(fresh, replace(part.manifest, accepted=acceptance), part.machine, part)
        replace_own(fresh / FIRST.file, as_csv(_first(part, before) if before else part.first))
        if stands(place):
            _clear(old)
            place.rename(old)
        fresh.rename(place)
    with suppress(SuiteError):  # the new one is in its place by now; the next to accept tries again, and tells
        _clear(old)
    return place


def _clear(place: Path) -> None:
    """Take away a folder, or whatever else lies there; of a link, not what it leads to."""
    with writing(place):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _first(part: RunRecord, before: RunRecord) -> pd.DataFrame:
    """Return what was timed first on this machine: cells keep what they had, unless they compute something else now.

    So a slowdown that comes in small steps, each of them accepted, is seen all the same.
    """
    here = all(
        device in before.machine.devices and before.machine.timing(device) == part.machine.timing(device)
        for device in part.machine.devices
    )
    if not here:
        return part.first
    names = [*CELL, "case_version"]
    now, then = (pd.MultiIndex.from_frame(rows[names].astype(str)) for rows in (part.first, before.first))
    return pd.concat([before.first[then.isin(now)], part.first[~now.isin(then)]]).astype(FIRST.columns)


def _write(folder: Path, manifest: Manifest, machine: Machine, part: RunRecord) -> None:
    tables: Sequence[pd.DataFrame] = (part.curves, part.observations, part.probes, part.graphs, part.trials)
    for table, rows in zip(TABLES, tables, strict=True):
        replace_own(folder / table.file, as_csv(rows))
    write_json(folder / MACHINE_FILE, machine)
    write_json(folder / MANIFEST_FILE, manifest)
