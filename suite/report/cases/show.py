"""One case as lines for a terminal, and as JSON: its portrait, and what is remembered of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import pandas as pd
from tabulate import tabulate

from suite.judge import Outcome
from suite.report.cases.portrait import Portrait
from suite.report.cases.remember import Remembered
from suite.report.escape import as_json, plain
from suite.report.table import json_text

LEAST_WIDTH = 40
LABEL = 12
"""Columns before the text that a label stands beside."""
CELL = ("device", "dtype", "seeds")
FIGURES = ("median_final_loss", "dead_rate", "microseconds_a_step")
HEADERS = ("cell", "seeds", "final loss", "dead", "µs a step", "verdicts")
VERDICTS = 17
"""Columns for verdicts; more go on in the next line."""
VERDICT_COLUMNS = ("aspect", "mode", "verdict", "stage", "sentence")


def portrait_lines(portrait: Portrait, records: Sequence[Remembered]) -> Iterator[str]:
    """Give a case as lines as wide as the terminal, or of 80 columns; declarations and figures are not wrapped."""
    width = max(get_terminal_size().columns, LEAST_WIDTH)
    shapes = ", ".join(f"{name} {shape}" for name, shape in portrait.parameters.items())
    yield from wrap(plain(f"{portrait.case}: {portrait.title}".rstrip(": ")), width)
    yield ""
    labelled = {
        "source": portrait.source or "its file names none",
        "declared": portrait.place,
        "trained": f"{portrait.steps} steps of {portrait.optimizer}, loss {portrait.loss}",
        "data": f"inputs {portrait.inputs}, targets {portrait.targets}",
        "parameters": shapes,
    }
    for label, text in labelled.items():
        yield from _hanging(label, text, width)
    yield from ("", *(f"    {plain(line.expandtabs(4))}".rstrip() for line in portrait.declaration.split("\n")))
    for claim in portrait.claims:
        yield from ("", *_hanging(claim.id, claim.says, width), *_expected(claim.expected, width))
    if portrait.expected:
        yield from ("", "expected", *_expected(portrait.expected, width))
    for record in records:
        yield from ("", *_record(record, portrait, width))
    if not records:
        yield from ("", *wrap("no baseline and no run holds it; train it with: suite run", width))


def _hanging(label: str, text: str, width: int) -> list[str]:
    """Return text beside its label, wrapped."""
    return wrap(plain(text), width, initial_indent=f"{plain(label):<{LABEL - 1}} ", subsequent_indent=" " * LABEL)


def _expected(expected: Sequence[str], width: int) -> Iterator[str]:
    indent = " " * LABEL
    for told in expected:
        yield from wrap(plain(told), width, initial_indent=f"{indent}- ", subsequent_indent=f"{indent}  ")


def _record(record: Remembered, portrait: Portrait, width: int) -> Iterator[str]:
    """Give what one run holds of the case: where it comes from, and a line for each device and dtype."""
    why = f"; {record.why}" if record.why else ""
    yield from wrap(plain(f"{record.what}: {record.run}, {record.started}, torch {record.torch}{why}"), width)
    if record.version != portrait.version:
        yield from wrap("of another version of the case, which computed something else", width)
    rows = [_row(record, point) for point in record.points.to_dict("records")]
    align, widths = ["left", *["right"] * 4, "left"], [None] * 5 + [VERDICTS]
    table = tabulate(rows, HEADERS, disable_numparse=True, colalign=align, maxcolwidths=widths, tablefmt="plain")
    yield from (f"  {line}".rstrip() for line in table.splitlines())


def _row(record: Remembered, point: dict[Any, Any]) -> list[str]:
    figures = ["" if pd.isna(point[name]) else f"{point[name]:.4g}" for name in FIGURES]
    cell = plain(f"{point['device']}-{point['dtype']}")
    return [cell, str(point["seeds"]), *figures, plain(_summary(verdicts_of(record, point)))]


def verdicts_of(record: Remembered, point: dict[Any, Any]) -> list[dict[str, str]]:
    """Return what was judged of the case on one device in one dtype."""
    rows: list[dict[Any, Any]] = record.verdicts.to_dict("records")
    here = [row for row in rows if (row["device"], row["dtype"]) == (point["device"], point["dtype"])]
    return [{name: str(row[name]) for name in VERDICT_COLUMNS} for row in here]


def _summary(verdicts: Sequence[dict[str, str]]) -> str:
    """Say "pass", or what is no pass, each once."""
    others = [f"{v['aspect']} {v['verdict']}" for v in verdicts if v["verdict"] != Outcome.PASS.word]
    return ", ".join(dict.fromkeys(others)) or ("pass" if verdicts else "")


def portrait_json(portrait: Portrait, records: Sequence[Remembered]) -> str:
    """Return the same as JSON, figures in full."""
    kept = [
        {name: getattr(record, name) for name in ("what", "run", "started", "torch", "why", "version")}
        for record in records
    ]
    for row, record in zip(kept, records, strict=True):
        cells = json.loads(json_text(record.points[[*CELL, *FIGURES]]))
        row["cells"] = [cell | {"verdicts": verdicts_of(record, cell)} for cell in cells]
    return as_json({**asdict(portrait), "records": kept})
