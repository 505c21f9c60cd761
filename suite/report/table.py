"""Runs side by side: device against device and dtype against dtype, paired by seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from suite.plan import EAGER
from suite.report.escape import markdown
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
}
"""Columns of the table, by their names in CSV: what Markdown calls them."""

WORDS = ("case", "dtype", "device", "against")
"""Columns that hold words; the others hold figures."""
DEAD = "dead"
MICROSECONDS = 1e6


@dataclass(frozen=True, kw_only=True)
class Column:
    """One cell as the table shows it: its trials by seed, and where they were trained."""

    case: str
    dtype: str
    device: str
    """Its device, with the run's name before it where several runs have one of that name."""
    trials: pd.DataFrame
    """By seed, trained to the end, whichever way."""
    timed: pd.DataFrame
    """By seed, trained eagerly, which is what is timed."""
    dead: pd.Series | None
    """1 for a dead seed, 0 for a live one; None where the case has no such group."""


def tabulate_runs(runs: Sequence[RunRecord]) -> pd.DataFrame:
    """Return one row a cell, each against the first device in its dtype, or the first dtype on its device."""
    labels = _labels(runs)
    cells = [column for run, names in zip(runs, labels, strict=True) for column in _columns(run, names)]
    order = {case: place for place, case in enumerate(dict.fromkeys(cell.case for cell in cells))}
    cells.sort(key=lambda cell: order[cell.case])
    rows = [_row(cell, _reference(cell, cells)) for cell in cells]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _labels(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    """Name each device of each run so that no two columns of the table share a name."""
    shared = Counter(device for run in runs for device in run.machine.devices)
    times_met: Counter[str] = Counter()
    labels = []
    for run in runs:
        name = run.manifest.run
        times_met[name] += 1
        if times_met[name] > 1:
            name = f"{name}({times_met[name]})"
        labels.append({device: f"{name}:{device}" if shared[device] > 1 else device for device in run.machine.devices})
    return labels


def _columns(run: RunRecord, labels: dict[str, str]) -> Iterator[Column]:
    keys = ["case", "device", "dtype"]
    dead = dict(tuple(run.observations[run.observations["name"] == DEAD].groupby([*keys, "mode"])))
    for key, trials in run.trials.groupby(keys, sort=False):
        case, device, dtype = map(str, key)
        mode = _most_trained(trials)
        yield Column(
            case=case,
            dtype=dtype,
            device=labels[device],
            trials=trials[trials["mode"] == mode].set_index("seed"),
            timed=trials[trials["mode"] == EAGER].set_index("seed"),
            dead=dead[*key, mode].set_index("seed")["value"] if (*key, mode) in dead else None,
        )


def _most_trained(trials: pd.DataFrame) -> str:
    """Return the mode that trained longest, and of those the one that trained most seeds."""
    by_mode = trials.groupby("mode")["steps"].agg(["max", "count"])
    return str(by_mode.sort_values(["max", "count"]).index[-1])


def _reference(cell: Column, cells: Sequence[Column]) -> Column | None:
    """Return the cell that this one is held against: itself on the first device, else in the first dtype."""
    same_dtype = [other for other in cells if (other.case, other.dtype) == (cell.case, cell.dtype)]
    if same_dtype[0] is not cell:
        return same_dtype[0]
    same_device = [other for other in cells if (other.case, other.device) == (cell.case, cell.device)]
    return None if same_device[0] is cell else same_device[0]


def _row(cell: Column, reference: Column | None) -> dict[str, object]:
    losses = cell.trials["final_loss"]
    row: dict[str, object] = {
        "case": cell.case,
        "dtype": cell.dtype,
        "device": cell.device,
        "seeds": len(losses),
        "median_final_loss": losses.fillna(np.inf).median(),
        "dead_rate": None if cell.dead is None else cell.dead.mean(),
        "microseconds_a_step": microseconds_a_step(cell.timed).median(),
    }
    return row if reference is None else row | _paired(cell, reference)


def _paired(cell: Column, reference: Column) -> dict[str, object]:
    """Compare two cells over the seeds that both trained."""
    seeds = cell.trials.index.intersection(reference.trials.index)
    ours, theirs = (side.trials.loc[seeds] for side in (cell, reference))
    return {
        "against": reference.dtype if reference.device == cell.device else reference.device,
        "paired_seeds": len(seeds),
        "largest_paired_difference": _distances(ours["final_loss"], theirs["final_loss"]).max(),
        "time_ratio": (microseconds_a_step(cell.timed) / microseconds_a_step(reference.timed)).median(),
    }


def _distances(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Return how far losses lie apart: without end where one side only is a number, not at all where none is."""
    same = (ours == theirs) | (ours.isna() & theirs.isna())
    return (ours - theirs).abs().fillna(np.inf).mask(same, 0.0)


def microseconds_a_step(trials: pd.DataFrame) -> pd.Series:
    """Return the time of one step of one seed, for each trial that was timed alone; NaN for others."""
    alone = trials["yardstick_seconds"].notna()
    seconds = trials["train_seconds"] / (trials["steps"] * trials["seeds_together"])
    return (seconds * MICROSECONDS).where(alone)


def as_markdown(table: pd.DataFrame, headers: Mapping[str, str] = COLUMNS, words: Collection[str] = WORDS) -> str:
    """Return a table in Markdown, figures to four digits; ``headers`` says what each column is called there."""
    shown = table.astype(object).map(_shown)
    return tabulate(
        shown.to_dict("list"),
        headers=[headers[name] for name in table.columns],
        tablefmt="github",
        disable_numparse=True,
        colalign=["left" if name in words else "right" for name in table.columns],
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return markdown(value)
    return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else f"{value}"


def json_text(table: pd.DataFrame) -> str:
    """Return the table as a JSON array of objects: figures in full, null where there is none, infinity as text."""
    rows = [{name: _in_json(value) for name, value in row.items()} for row in table.astype(object).to_dict("records")]
    return json.dumps(rows, indent=1, allow_nan=False)


def _in_json(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return None if pd.isna(value) else str(value) if np.isinf(value) else value
