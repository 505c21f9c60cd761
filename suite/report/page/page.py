"""Runs and their verdicts as one page: self-contained, and opened from disk without a network.

Whatever came from files is text there: the template escapes it, and no script but the page's own may run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from suite.judge import Outcome, exit_code
from suite.records.atomic import replace_text
from suite.report import scaling as growth
from suite.report import table
from suite.report.cells import Cell
from suite.report.escape import plain
from suite.report.judged import JudgedRun
from suite.report.page.figures import Album
from suite.report.page.network import RADIUS, drawing_of
from suite.report.page.view import DOES_NOT, HOLDS, NOT_TRAINED, CaseView, cases_of, columns_of, standing, standing_out
from suite.report.ranking import SHOWN_FIRST, closing, counted
from suite.report.table import in_words
from suite.trial import RunRecord, Status

NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.]")
"""What a name has that a place on the page has not: there its number stands."""

ON = {True: "on", False: "off"}

LINKED = 8
"""Cells that a line names; of more, their number."""

TONES = {HOLDS: "pass", DOES_NOT: "broken", NOT_TRAINED: "error"}
"""Outcomes as which claims' standings are coloured; any other is as one that is skipped."""

TONES_OF_ALL = {0: "pass", 1: "regressed", 3: "inconclusive"}
"""Outcomes as which the page's head is coloured, by exit code."""


def page_of(judged: Sequence[JudgedRun]) -> str:
    """Return the page of some runs, with what was judged of each."""
    cases, runs = cases_of(judged), [side.run for side in judged]
    grown = growth.rows_of(runs)
    columns, album = columns_of(cases), Album()
    verdicts, strict = [verdict for side in judged for verdict in side.verdicts], any(side.strict for side in judged)
    environment = Environment(
        loader=PackageLoader("suite.report.page"),
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "drawing_of": drawing_of,
        "figures_of": album.of_cell,
        "facts_of": facts_of,
        "radius": RADIUS,
    }
    environment.globals |= {
        "anchor": anchor,
        "standing": standing,
        "tone": lambda standing: TONES.get(standing, "skipped"),
    }
    return environment.get_template("page.html").render(
        cases=cases,
        columns=columns,
        tone_of_all=TONES_OF_ALL[exit_code(verdicts, strict=strict)],
        headline=sentence(closing(verdicts, strict=strict)),
        counts=counted(verdicts),
        runs=[(about(run), list(notes(run))) for run in runs],
        standing_out=standing_out(judged),
        linked=LINKED,
        documents=by_document(cases),
        tables=list(beside(runs, grown)),
        figures=list(album.of_growth(grown)),
        choices=choices(cases, columns),
    )


def harmless(value: object) -> object:
    """Return what the page shows in the place of a value: text without what would turn its direction, or be hidden."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def write_page(file: Path, judged: Sequence[JudgedRun]) -> None:
    """Write the page of some runs, whole or not at all.

    Raises:
        SuiteError: if the file cannot be written.
    """
    replace_text(file, page_of(judged))


def anchor(*words: str) -> str:
    """Return a place on the page, named after a case, a device and a dtype, as no other and none of the page's own."""
    return "-".join(["cell", *(NOT_IN_NAMES.sub(lambda char: f"~{ord(char[0]):x}~", word) for word in words)])


def sentence(told: str) -> str:
    """Return a sentence that begins as one."""
    return told[0].upper() + told[1:]


def about(run: RunRecord) -> dict[str, str]:
    """Say what was run, where, and when."""
    manifest, machine = run.manifest, run.machine
    settings = machine.settings
    devices = [
        f"{name}: {device.model} {' '.join(device.details.values())}" for name, device in machine.devices.items()
    ]
    accepted = manifest.accepted
    return {
        "run": manifest.run,
        "started": manifest.started,
        "trained": f"{len(run.trials):,} trials, {len(manifest.cases)} case{'s' * (len(manifest.cases) != 1)}",
        "torch": f"{machine.torch}, NumPy {machine.numpy}, {machine.python}",
        "machine": f"{machine.system}, {machine.cores} cores",
        "devices": "; ".join(devices),
        "settings": f"threads {settings.threads}, TF32 {ON[settings.tf32]}, determinism {ON[settings.deterministic]}",
    } | ({"accepted": f"{accepted.when} by {accepted.who}: {accepted.why}"} if accepted else {})


def notes(run: RunRecord) -> Iterator[str]:
    """Say what a reader must know before believing the rest."""
    planned = sum(cell.seeds for cell in run.manifest.cells)
    if not run.manifest.complete:
        yield f"Interrupted: {len(run.trials):,} of {planned:,} trials were recorded. suite run --resume completes it."
    yield from run.manifest.notes


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table for the page: what its columns are called and which of them hold words, and its fields."""

    heading: str
    headers: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, ...], ...]


def beside(runs: Sequence[RunRecord], grown: pd.DataFrame) -> Iterator[Grid]:
    """Put devices side by side, if there are several, and numbers of seeds, if there are."""
    if sum(len(run.machine.devices) for run in runs) > 1:
        yield _grid("Side by side", table.rows_of(runs), table.COLUMNS, table.WORDS)
    if len(grown):
        yield _grid("From how many seeds on", grown, growth.COLUMNS, growth.WORDS)


def _grid(heading: str, rows: pd.DataFrame, headers: Mapping[str, str], words: Collection[str]) -> Grid:
    shown = in_words(rows)
    return Grid(
        heading=heading,
        headers=tuple((headers[name], name in words) for name in shown.columns),
        rows=tuple(shown.itertuples(index=False, name=None)),
    )


def by_document(cases: Sequence[CaseView]) -> Mapping[str, Sequence[CaseView]]:
    """Put cases under the documents that they are from."""
    found: dict[str, list[CaseView]] = {}
    for case in cases:
        found.setdefault(case.document, []).append(case)
    return found


def choices(cases: Sequence[CaseView], columns: Sequence[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """Return what the cells can be filtered by."""
    met = {cell.outcome for case in cases for cell in case.cells}
    return {
        "device": list(dict.fromkeys(device for device, _ in columns)),
        "dtype": list(dict.fromkeys(dtype for _, dtype in columns)),
        "verdict": [outcome.word for outcome in (*SHOWN_FIRST, Outcome.PASS) if outcome in met],
    }


def facts_of(cell: Cell) -> str:
    """Say in a line how many seeds ended how, and how long a step took."""
    ended = {"dead": len(cell.dead_seeds), "diverged": cell.count(Status.DIVERGED), "failed": cell.count(Status.ERROR)}
    trained = 0 if cell.main is None else len(cell.main.trials)
    told = [f"{trained} of {cell.seeds} seeds" if trained < cell.seeds else f"{trained} seeds"]
    told += [f"{count} {word}" for word, count in ended.items() if count]
    told += [] if math.isnan(cell.median_loss) else [f"median final loss {cell.median_loss:.4g}"]
    if cell.median_time is not None:
        middle, low, high, timed = cell.median_time
        told.append(f"{middle:.0f} µs a step ({low:.0f} to {high:.0f}, {timed} timed)")
    return ", ".join(told)
