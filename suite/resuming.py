"""Whether a run may be resumed: what its cases compute now is what they computed when it began.

A version says what a case's own code is. What that reads or calls elsewhere, as a file of data or a library, may have
become another since; the rest of a run would then be another computation under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from suite.engine import first_steps
from suite.errors import raise_all
from suite.limits import Limits
from suite.machine import Settings
from suite.plan import Cell, Plan
from suite.records.faults import label
from suite.records.schema import CELL
from suite.trial import CellKey, Status, Trial, key_of

STAGES = {
    "data_digest": "data",
    "init_digest": "initial parameters",
    "gradient_digest": "first gradient",
    "update_digest": "first update",
}
"""What is held against the present, by the field of a trial."""
REMEDY = "put back what it reads and calls, or train all of it anew, into another --out"


def check_unchanged(plan: Plan, settings: Settings, limits: Limits, recorded: pd.DataFrame) -> None:
    """Hold a recorded seed of each cell against the present, of those cases whose seeds are not all recorded yet.

    Raises:
        SuiteError: naming each cell that starts otherwise now, and what of it does.
    """
    held = _held(recorded)
    cells = [cell for cell in _unfinished(plan, recorded) if _key(cell) in held]
    first = [replace(cell, seeds=(held[_key(cell)]["seed"],)) for cell in cells]
    now = {key_of(trial): trial for trial in first_steps(first, settings, limits)}
    raise_all(fault for cell in cells for fault in _otherwise(cell, held[_key(cell)], now[_key(cell)]))


def _key(cell: Cell) -> CellKey:
    return cell.case.name, cell.device, cell.dtype, cell.mode


def _unfinished(plan: Plan, recorded: pd.DataFrame) -> list[Cell]:
    """Return the cells of those cases of which a planned seed is not recorded."""
    counts = recorded["case"].value_counts().to_dict()
    planned: dict[str, int] = {}
    for cell in plan.cells:
        planned[cell.case.name] = planned.get(cell.case.name, 0) + len(cell.seeds)
    lacking = {case for case, count in planned.items() if counts.get(case, 0) < count}
    return [cell for cell in plan.cells if cell.case.name in lacking and not cell.spoilt]


def _held(recorded: pd.DataFrame) -> dict[CellKey, dict[str, Any]]:
    """Return what is recorded of a seed of each cell: the first that stayed finite, or else that was trained at all."""
    trained = recorded[recorded["status"] != str(Status.ERROR)]
    finite = trained.assign(other=trained["status"] != str(Status.OK)).sort_values("other", kind="stable")
    rows: list[dict[str, Any]] = finite.drop_duplicates(list(CELL)).to_dict("records")  # type: ignore[assignment]
    return {(row["case"], row["device"], row["dtype"], row["mode"]): row for row in rows}


def _otherwise(cell: Cell, then: Mapping[str, Any], now: Trial) -> Iterator[str]:
    """Say what of a cell's recorded seed is otherwise now, if anything is."""
    place = f"{label(cell.case.name, cell.device, cell.dtype)}: seed {now.seed}, which is recorded"
    if now.status is Status.ERROR:
        yield f"{place}, cannot be trained any more: {now.reason}; {REMEDY}"
        return
    other = [name for field, name in STAGES.items() if getattr(now, field) != then[field]]
    if other:
        yield f"{place}, has other {', '.join(other)} now; {REMEDY}"
