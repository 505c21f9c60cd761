"""What must hold of a run's manifest and machine beyond the kinds of their values, since anyone may have written them.

What passes here can be planned with, drawn, counted and named after: a device's name becomes that of a folder.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from suite.clause import Clause
from suite.machine import Machine
from suite.plan import DTYPES, MODES, SEED_LIMIT
from suite.records.faults import few, named, short
from suite.sketch import MOST_POINTS
from suite.trial import DeclaredCase, Manifest, PlannedCell

DEVICE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(:[0-9]{1,4})?")
"""How torch calls a device."""
MOST_THREADS = 2**16
MOST_STEPS = 2**53
"""Of whole numbers that a float holds exactly."""
LONGEST_NAME = 255
"""Characters of what a folder, or a file, is named after."""
MOST_ROOTS = 1_000
MOST_DEVICES = 64
MOST_LINES = 1_000_000
"""Of claims by clauses by cells: what is judged, and told on a page; a run of the documented cases has some thousands.

A case of which nothing is claimed counts as if one thing were, and each case as one cell more than it has.
"""


def unlawful_manifest(manifest: Manifest) -> Iterator[str]:
    """Give the first of what cannot be so in a manifest, each fault after its path."""
    yield from few(_of_manifest(manifest))


def unlawful_machine(machine: Machine) -> Iterator[str]:
    """Give the first of what cannot be so on a machine, each fault after its path."""
    yield from few(_of_machine(machine))


def _of_manifest(manifest: Manifest) -> Iterator[str]:
    if manifest.accepted is not None and not manifest.complete:
        yield "accepted: found a run that is not complete; accept a whole run"
    if not manifest.run:
        yield "run: found '', expected some text"
    yield from _no_longer("run", manifest.run)
    yield from _at_most("roots", "folders", len(manifest.roots), MOST_ROOTS)
    yield from _at_most("cases", "claims by clauses by cells", _lines(manifest), MOST_LINES)
    for place, case in enumerate(manifest.cases):
        yield from _at(f"cases.{place}", _of_case(case))
    for place, cell in enumerate(manifest.cells):
        yield from _at(f"cells.{place}", _of_cell(cell))
    yield from _twice("cases", [case.name for case in manifest.cases])
    yield from _twice("known_cases", manifest.known_cases)
    for name in sorted({case.name for case in manifest.cases} - set(manifest.known_cases)):
        yield f"known_cases: {named(name)} is missing, which cases declares"
    yield from _twice("skipped", [skip.device for skip in manifest.skipped])
    yield from _twice("cells", [f"{c.case}[{c.device}-{c.dtype}] ({c.mode})" for c in manifest.cells])


def _lines(manifest: Manifest) -> int:
    """Count what is to be told of a run, each clause of each case in each cell, under each claim."""
    cells = Counter(cell.case for cell in manifest.cells)
    return sum(max(1, len(case.claims)) * len(case.clauses) * (1 + cells[case.name]) for case in manifest.cases)


def _of_machine(machine: Machine) -> Iterator[str]:
    yield from _at_most("devices", "devices", len(machine.devices), MOST_DEVICES)
    yield from _within("cores", machine.cores, 1, MOST_THREADS)
    yield from _within("settings.threads", machine.settings.threads, 1, MOST_THREADS)
    for name, device in machine.devices.items():
        yield from _device(f"devices.{named(name)}", name)
        if device.name != name:
            yield f"devices.{named(name)}.name: found {short(device.name)!r}, expected {short(name)!r}"


def _of_case(case: DeclaredCase) -> Iterator[str]:
    if not case.name:
        yield "name: found '', expected some text"
    yield from _no_longer("name", case.name)
    yield from _within("steps", case.steps, 1, MOST_STEPS)
    yield from _within("line", case.line, 1, MOST_STEPS)
    source = PurePosixPath(case.source)
    if source.is_absolute() or len(source.parts) > 2 or ".." in source.parts or "\0" in case.source:
        yield f"source: found {short(case.source)!r}, expected a folder's name and a file's"
    for place, clause in enumerate(case.clauses):
        yield from _at(f"clauses.{place}", _of_clause(clause))
    for place, layer in enumerate(case.sketch.layers):
        yield from _within(f"sketch.layers.{place}.inputs", layer.inputs, 0, MOST_STEPS)
        yield from _within(f"sketch.layers.{place}.outputs", layer.outputs, 0, MOST_STEPS)
    yield from _at_most("sketch.points", "points", len(case.sketch.points), MOST_POINTS)
    for place, point in enumerate(case.sketch.points):
        if not all(map(math.isfinite, point)):
            yield f"sketch.points.{place}: found {point}, expected two finite numbers"


def _of_clause(clause: Clause) -> Iterator[str]:
    if (clause.summary == "quantile") != (clause.quantile is not None):
        yield f"quantile: found {clause.quantile}, which does not go with summary {clause.summary}"
    if (clause.summary == "share") != (clause.share is not None):
        yield f"share: found {clause.share}, which does not go with summary {clause.summary}"
    if clause.quantile is not None and not 0.0 <= clause.quantile <= 1.0:
        yield f"quantile: found {clause.quantile}, expected 0 to 1"
    if clause.share is not None and not _rising(0.0, *clause.share, 1.0):
        yield f"share: found {clause.share}, expected two numbers from 0 to 1, the lower one first"
    if not clause.bounds:
        yield "bounds: found none, expected those of some dtype"
    for dtype, (low, high) in clause.bounds.items():
        if not low or len(low) != len(high) or not all(map(_rising, low, high)):
            yield f"bounds.{named(dtype)}: expected as many lowest values as highest ones, none above its highest"


def _rising(*numbers: float) -> bool:
    return not any(map(math.isnan, numbers)) and all(low <= high for low, high in pairwise(numbers))


def _of_cell(cell: PlannedCell) -> Iterator[str]:
    yield from _device("device", cell.device)
    if cell.dtype not in DTYPES:
        yield f"dtype: found {short(cell.dtype)!r}, expected one of {', '.join(DTYPES)}"
    if cell.mode not in MODES:
        yield f"mode: found {short(cell.mode)!r}, expected one of {', '.join(MODES)}"
    yield from _within("first_seed", cell.first_seed, 0, SEED_LIMIT - 1)
    yield from _within("seeds", cell.seeds, 1, SEED_LIMIT - cell.first_seed)


def _device(path: str, name: str) -> Iterator[str]:
    if DEVICE.fullmatch(name) is None:
        yield f"{path}: found {short(name)!r}, expected a device as torch calls it, as cpu or cuda:0"


def _within(path: str, number: int, least: int, most: int) -> Iterator[str]:
    if not least <= number <= most:
        yield f"{path}: found {_counted(number)}, expected {least} to {_counted(most)}"


def _at_most(path: str, what: str, count: int, most: int) -> Iterator[str]:
    if count > most:
        yield f"{path}: found {count:,} {what}, expected at most {most:,}"


def _no_longer(path: str, name: str) -> Iterator[str]:
    yield from _at_most(path, "characters", len(name), LONGEST_NAME)


def _counted(number: int) -> str:
    return f"{number}" if abs(number) < 10**30 else "a number of more than thirty digits"


def _twice(path: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{path}: {short(name)!r} stands there {count} times"


def _at(path: str, faults: Iterable[str]) -> Iterator[str]:
    yield from (f"{path}.{fault}" for fault in faults)
