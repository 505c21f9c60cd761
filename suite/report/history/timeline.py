"""History as lines for a terminal, within 80 columns, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from textwrap import wrap

import pandas as pd
from tabulate import tabulate

from suite.report.escape import as_json, plain
from suite.report.history.series import FEWEST, FIGURES, Change, as_rows, cells_of, changes_of
from suite.report.table import json_text

WIDTH = 80
RUN_NAME, VERSION = 26, 17
"""Columns for the name of a run and for torch's version; a longer one goes on in the next line."""
LONGEST = 100
"""Characters of either that are shown."""
DAY = len("2026-01-01")
FIGURE_DIGITS = {"median_final_loss": ".4g", "dead_rate": ".3g", "microseconds_a_step": ".4g", "log_yardsticks": ".3f"}
HEADERS = ("#", "date", "seeds", "final loss", "dead", "µs a step", "ln yardsticks")
MARK = "> "
"""Before the first figure of a new stretch."""

TOO_FEW = f"too few runs to tell a change from luck: {FEWEST} are needed"


def history_lines(history: pd.DataFrame) -> Iterator[str]:
    """Give the runs by number, then a table a cell in order of date, changes marked and told below it."""
    key = ["run", "started"]
    accepted = history.groupby(key)["accepted"].transform("any")
    runs = history.assign(accepted=accepted).drop_duplicates(key)
    numbers = {key: place for place, key in enumerate(zip(runs["run"], runs["started"], strict=True), start=1)}
    yield from _runs(runs)
    for label, points in cells_of(history):
        changes = changes_of(points)
        yield from ("", plain(label))
        yield from _table(points, numbers, changes)
        if len(points) < FEWEST:
            yield f"  {TOO_FEW}"
        for change in changes:
            yield from wrap(plain(told(change)), WIDTH, initial_indent="  ", subsequent_indent="    ")


def _runs(runs: pd.DataFrame) -> list[str]:
    """Return the table of runs: what the numbers stand for."""
    columns = [runs[name].tolist() for name in ("started", "run", "torch", "accepted")]
    rows = [
        [number, plain(started[: DAY + 6]).replace("T", " "), *map(plain, map(_cut, names)), "yes" if accepted else ""]
        for number, (started, *names, accepted) in enumerate(zip(*columns, strict=True), start=1)
    ]
    headers = ["#", "started", "run", "torch", "accepted"]
    return tabulate(rows, headers, disable_numparse=True, maxcolwidths=[None, None, RUN_NAME, VERSION]).splitlines()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _table(points: pd.DataFrame, numbers: dict[tuple[str, str], int], changes: Sequence[Change]) -> list[str]:
    """Return the points of one cell, one line a run."""
    marked = {(change.figure, change.after_run, change.after_started) for change in changes}
    rows = []
    for point in points.to_dict("records"):
        run = (point["run"], point["started"])
        figures = [
            MARK * ((name, *run) in marked) + _figure(point[name], digits) for name, digits in FIGURE_DIGITS.items()
        ]
        rows.append([numbers[run], plain(point["started"][:DAY]), point["seeds"], *figures])
    align = ["right", "left", *["right"] * 5]
    return [f"  {line}" for line in tabulate(rows, HEADERS, disable_numparse=True, colalign=align).splitlines()]


def _figure(value: float, digits: str) -> str:
    return "" if math.isnan(value) else format(value, digits)


def told(change: Change) -> str:
    """Say what moved, by how much, and between which runs."""
    between = f"between {_cut(change.before_run)} (torch {_cut(change.before_torch)}) and {_cut(change.after_run)}"
    also = f"; {'; '.join(change.also)}" if change.also else ""
    return f"{_moved(change)} {between} (torch {_cut(change.after_torch)}){also}"


def _moved(change: Change) -> str:
    before, after, moved = change.before, change.after, change.moved
    if change.figure == "log_yardsticks":
        return (
            f"time: the median moved from {math.exp(before):.4g} to {math.exp(after):.4g} yardsticks, {moved:.3g}-fold,"
        )
    return f"{FIGURES[change.figure]}: the median moved from {before:.4g} to {after:.4g}, by {moved:+.3g},"


def history_json(history: pd.DataFrame) -> str:
    """Return every point, every change, and the cells of which there are too few runs to tell, as JSON."""
    cells = list(cells_of(history))
    changes = [change for _, points in cells for change in changes_of(points)]
    whole = {
        "points": json.loads(json_text(history)),
        "changes": json.loads(json_text(as_rows(changes).drop(columns="also"))),
        "too_few": [label for label, points in cells if len(points) < FEWEST],
    }
    for row, change in zip(whole["changes"], changes, strict=True):
        row["also"] = list(change.also)
    return as_json(whole)
