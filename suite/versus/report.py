"""A sitting as people and programs read it: what differs, a row a cell, and the verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from suite.errors import SuiteError
from suite.judge import Aspect
from suite.judge.pairs import Pairs, by_cell
from suite.judge.verdict import ALL
from suite.machine import differences
from suite.report import table as tables
from suite.report.escape import as_json, markdown, plain
from suite.report.ranking import rank
from suite.report.verdicts.files import verdict_json
from suite.report.verdicts.markdown import verdict_markdown
from suite.report.verdicts.terminal import verdict_lines
from suite.trial import CellKey
from suite.versus.judged import Judged
from suite.versus.sitting import Sitting
from suite.versus.times import Key

COLUMNS = {
    "case": "case",
    "dtype": "dtype",
    "device": "device",
    "losses": "losses",
    "stage": "stage",
    "largest_difference": "largest difference",
    "time": "time",
    "time_ratio": "B's time / A's",
    "time_low": "from",
    "time_high": "to",
    "pairs": "pairs",
}
"""Columns of the table, by their names in CSV: what Markdown calls them."""
WORDS = ("case", "dtype", "device", "losses", "stage", "time")
"""Columns that hold words; the others hold figures."""


def tabulated(sitting: Sitting, judged: Judged) -> pd.DataFrame:
    """Return one row a cell: how its losses came out, and the largest difference of a final loss; and its times."""
    pairs = _pairs(sitting)
    keys = dict.fromkeys((cell.case, cell.device, cell.dtype) for cell in sitting.records[1].manifest.cells)
    rows = [_row(key, judged, [found for cell, found in pairs.items() if cell[:3] == key]) for key in keys]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pairs(sitting: Sitting) -> dict[CellKey, Pairs]:
    theirs, ours = map(by_cell, sitting.records)
    return {key: Pairs(tables, theirs[key]) for key, tables in ours.items()}


def _row(key: Key, judged: Judged, pairs: list[Pairs]) -> dict[str, object]:
    case, device, dtype = key
    losses = [v for v in judged.verdicts if v.aspect is Aspect.LOSS and (v.case, v.device, v.dtype) == key]
    worst = min(losses, key=lambda verdict: rank(verdict.outcome))
    row = {
        "case": case,
        "dtype": dtype,
        "device": device,
        "losses": worst.outcome.word,
        "stage": str(worst.stage),
        "largest_difference": max(map(_largest_difference, pairs)),
    }
    timing = judged.timings.get(key)
    if timing is None:
        return row
    figures = {"time_ratio": timing.ratio, "time_low": timing.low, "time_high": timing.high, "pairs": timing.pairs}
    return row | {"time": timing.verdict.outcome.word} | figures


def _largest_difference(pairs: Pairs) -> float:
    """Return how far final losses lie apart at most: without end where one side only is a number."""
    ours, theirs = pairs.column("final_loss")
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours - theirs)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return float(np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart)).max(initial=0.0))


def told_machines(sitting: Sitting) -> Iterator[str]:
    """Say what the two sides are, and what differs between them, device by device."""
    theirs, ours = (record.machine for record in sitting.records)
    for device in ours.devices:
        different = differences(ours.timing_facts(device), theirs.timing_facts(device), other="A")
        yield plain(f"B against A on {device}: {different or 'the same software on the same machine'}")


def told_times(judged: Judged) -> Iterator[str]:
    """Say of each device what B's time is over all cells."""
    for (case, device, _), timing in judged.timings.items():
        if case == ALL:
            yield plain(f"all cells on {device}: {timing.verdict.sentence}")


def lines(sitting: Sitting, judged: Judged, *, strict: bool) -> Iterator[str]:
    """Give what a terminal shows: what differs, the table, the times together, and the verdicts, worst first."""
    yield from told_machines(sitting)
    yield ""
    yield from tables.as_markdown(tabulated(sitting, judged), COLUMNS, WORDS).splitlines()
    yield ""
    yield from told_times(judged)
    yield from (line.plain for line in verdict_lines(judged.verdicts, strict=strict))


def json_text(sitting: Sitting, judged: Judged, *, strict: bool) -> str:
    """Return the same for a program: exit code, differences, rows and verdicts."""
    found = json.loads(verdict_json(judged.verdicts, strict=strict))
    rows = json.loads(tables.json_text(tabulated(sitting, judged)))
    return as_json({**found, "differences": list(told_machines(sitting)), "rows": rows})


def write(folder: Path, sitting: Sitting, judged: Judged, *, strict: bool) -> None:
    """Write ``versus.md`` and ``versus.csv`` to a folder, which is made if it is not there.

    Raises:
        SuiteError: if it cannot be written.
    """
    table = tabulated(sitting, judged)
    parts = [
        "\n".join(f"- {markdown(line)}" for line in (*told_machines(sitting), *told_times(judged))),
        tables.as_markdown(table, COLUMNS, WORDS),
        verdict_markdown(judged.verdicts, strict=strict),
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        Path(folder, "versus.md").write_text("\n\n".join(parts), encoding="utf-8")
        Path(folder, "versus.csv").write_text(tables.as_csv(table), encoding="utf-8", newline="")
    except OSError as error:
        raise SuiteError(f"--out {folder}: cannot be written: {error.strerror}") from error
