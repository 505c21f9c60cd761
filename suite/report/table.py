"""Runs side by side: device against device and dtype against dtype, paired by seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from suite.judge import Outcome
from suite.judge.arbiter import ARBITER
from suite.judge.beside import Side, judge_beside
from suite.judge.judge import FALSE_ALARMS
from suite.report.cells import Cell, cells_of
from suite.report.escape import as_json, markdown, spreadsheet
from suite.report.judged import JudgedRun
from suite.trial import RunRecord

COLUMNS = {
    "case": "case",
    "dtype": "dtype",
    "device": "device",
    "seeds": "seeds",
    "median_final_loss": "median final loss",
    "dead_rate": "dead",
    "microseconds_a_step": "µs a step",
    "against": "against",
    "paired_seeds": "paired seeds",
    "largest_paired_difference": "largest paired difference",
    "time_ratio": "time ratio",
    "losses_agree": "losses agree",
    "nearer_float64": "nearer to float64",
}
"""Columns of the table, by their names in CSV: what Markdown calls them."""

WORDS = ("case", "dtype", "device", "against", "losses_agree", "nearer_float64")
"""Columns that hold words; the others hold figures."""

BETWEEN_DEVICES = ("losses_agree", "nearer_float64")
"""Columns that say nothing where there is one device."""

WHOLE = "Int64"
"""Of a column that counts, in which some rows have no number."""

AGREE = {Outcome.PASS: "yes", Outcome.CHANGED: "yes"}
"""Outcomes in which two devices agree."""


def rows_of(runs: Sequence[RunRecord]) -> pd.DataFrame:
    """Return one row a cell, each against the first device in its dtype, or the first dtype on its device."""
    cells = [cell for cell in cells_of([JudgedRun(run=run) for run in runs]) if cell.main is not None]
    firsts = _Firsts.among(cells)
    rows = pd.DataFrame([_row(cell, firsts) for cell in cells], columns=list(COLUMNS))
    return rows.astype({"paired_seeds": WHOLE})


@dataclass(frozen=True, kw_only=True)
class _Firsts:
    """The cells that others are held against: of each case, the first in a dtype, on a device, and in float64 there."""

    in_dtype: Mapping[tuple[str, str], Cell]
    on_device: Mapping[tuple[str, str], Cell]
    exact: Mapping[tuple[str, str], Cell]
    cells: int
    """How many there are in all."""

    @classmethod
    def among(cls, cells: Sequence[Cell]) -> _Firsts:
        """Find them, in one pass."""
        backwards = cells[::-1]  # of several in one place, the first is kept
        return cls(
            in_dtype={(cell.case.name, cell.dtype): cell for cell in backwards},
            on_device={(cell.case.name, cell.device): cell for cell in backwards},
            exact={(cell.case.name, cell.device): cell for cell in backwards if cell.dtype == ARBITER},
            cells=len(cells),
        )

    def reference(self, cell: Cell) -> Cell | None:
        """Return the cell that this one is held against: itself on the first device, else in the first dtype."""
        same_dtype = self.in_dtype[cell.case.name, cell.dtype]
        same_device = self.on_device[cell.case.name, cell.device]
        return next((other for other in (same_dtype, same_device) if other is not cell), None)

    def side(self, cell: Cell) -> Side | None:
        """Return what is judged of a cell beside another, if any of its seeds was trained."""
        exact = self.exact.get((cell.case.name, cell.device))
        if cell.main is None:
            return None
        return Side(tables=cell.main, exact=exact.main if exact else None, machine=cell.machine, device=cell.trained_on)


def _row(cell: Cell, firsts: _Firsts) -> dict[str, object]:
    reference = firsts.reference(cell)
    row: dict[str, object] = {
        "case": cell.case.name,
        "dtype": cell.dtype,
        "device": cell.device,
        "seeds": 0 if cell.main is None else len(cell.main.trials),
        "median_final_loss": cell.median_loss,
        "dead_rate": None if cell.dead is None else cell.dead.mean(),
        "microseconds_a_step": cell.microseconds.median(),
    }
    if reference is None:
        return row
    row |= _paired(cell, reference)
    return row if reference.device == cell.device else row | _agreement(cell, reference, firsts)


def _paired(cell: Cell, reference: Cell) -> dict[str, object]:
    """Compare two cells over the seeds that both trained."""
    sides = [side.main.trials.set_index("seed")["final_loss"] for side in (cell, reference) if side.main is not None]
    seeds = sides[0].index.intersection(sides[1].index)
    return {
        "against": reference.dtype if reference.device == cell.device else reference.device,
        "paired_seeds": len(seeds),
        "largest_paired_difference": _distances(*(side.loc[seeds] for side in sides)).max(),
        "time_ratio": (cell.microseconds / reference.microseconds).median(),
    }


def _agreement(cell: Cell, reference: Cell, firsts: _Firsts) -> dict[str, object]:
    """Say whether two devices agree on a cell's losses, and whose lie nearer to float64."""
    sides = [firsts.side(one) for one in (cell, reference)]
    if sides[0] is None or sides[1] is None:
        return {}
    beside = judge_beside(sides[0], sides[1], cell.dtype, alpha=FALSE_ALARMS / firsts.cells)
    judgement = beside.judgement
    agree = AGREE.get(
        judgement.outcome, f"no, from {judgement.stage} on" if judgement.stage else judgement.outcome.word
    )
    return {"losses_agree": agree, "nearer_float64": {-1: cell.device, 0: None, 1: reference.device}[beside.nearer]}


def _distances(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Return how far losses lie apart: without end where one side only is a number, not at all where none is."""
    same = (ours == theirs) | (ours.isna() & theirs.isna())
    return (ours - theirs).abs().fillna(np.inf).mask(same, 0.0)


def as_markdown(table: pd.DataFrame, headers: Mapping[str, str] = COLUMNS, words: Collection[str] = WORDS) -> str:
    """Return a table in Markdown; ``headers`` says what each column is called there."""
    shown = in_words(table).map(markdown)
    return tabulate(
        shown.to_dict("list"),
        headers=[headers[name] for name in shown.columns],
        tablefmt="github",
        disable_numparse=True,
        colalign=["left" if name in words else "right" for name in shown.columns],
    )


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, figures in full; no word in it is a formula to a spreadsheet."""
    return table.map(lambda value: spreadsheet(value) if isinstance(value, str) else value).to_csv(index=False)


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table's fields as they are shown, figures to four digits; what compares devices only where it does."""
    silent = [name for name in BETWEEN_DEVICES if name in table and table[name].isna().all()]
    return table.drop(columns=silent).astype(object).map(_shown)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else f"{value}"


def json_text(table: pd.DataFrame) -> str:
    """Return the table as a JSON array of objects: figures in full, null where there is none, infinity as text."""
    rows = [{name: _in_json(value) for name, value in row.items()} for row in table.astype(object).to_dict("records")]
    return as_json(rows)


def _in_json(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else str(value) if np.isinf(value) else value
