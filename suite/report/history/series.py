"""History: how each cell came out in run after run, and where that changed for good.

Change points are found by PELT (Killick, Fearnhead and Eckley, 2012) as the library ruptures has it, with absolute
distances from the median of each stretch as its cost: so a single run that stands apart, of any size, is no change,
and what is told of a change is by how much that median moved. Every stretch holds two runs or more.

The penalty is three times what the Bayesian information criterion asks for. Under Laplace's law of scale b, for which
absolute distances are the likelihood, the criterion charges ``b log n`` for a change among ``n`` runs, which brings
two more parameters, its place and a median. The scale comes from the data: the median step between neighbours is
1.146 b, and a few changes hardly move it. With so few runs the scale is uncertain: where nothing changes, one times
the criterion sees changes in three series out of ten, three times in at most one of twenty, from 6 runs on (in 400
series each, normal and Student's t with 3 degrees of freedom; one of a hundred from 20 runs on). Fewer than 6 runs are
too few to tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from suite.errors import raise_all
from suite.observe import Array
from suite.plan import EAGER
from suite.report.cells import DEAD, MICROSECONDS, median, microseconds_a_step
from suite.trial import RunRecord

Mask = NDArray[np.bool_]

FEWEST = 6
"""Runs below which no change is looked for."""
SHORTEST = 2
"""Runs that a stretch holds at least."""
TIMES_BIC = 3.0
MEDIAN_STEP = 1.146
"""Median distance of two values drawn from Laplace's law, in units of its scale."""
LEAST_SCALE = 1e-12
"""Of the largest value: what is below is rounding."""

CELL = ("case", "device", "dtype")
FIGURES = {"median_final_loss": "loss", "dead_rate": "dead", "log_yardsticks": "time"}
"""What may change, and what the table calls it."""

COLUMNS = {
    "run": "str",
    "started": "str",
    "accepted": "bool",
    "torch": "str",
    "machine": "str",
    "folder": "str",
    "case": "str",
    "case_version": "str",
    "device": "str",
    "dtype": "str",
    "seeds": "int64",
    "median_final_loss": "float64",
    "dead_rate": "float64",
    "microseconds_a_step": "float64",
    "log_yardsticks": "float64",
}
"""Of a point: one case on one device in one dtype, in one run."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One figure of one cell moved for good between two runs."""

    case: str
    device: str
    dtype: str
    figure: str
    before_run: str
    """The last run before it."""
    after_run: str
    """The first run after it."""
    after_started: str
    """When that one began: UTC, ISO 8601."""
    before_torch: str
    after_torch: str
    before: float
    """Median of the stretch of runs before it."""
    after: float
    """Median of the stretch of runs after it."""
    moved: float
    """By how much; for times, which are logarithms, the factor."""
    also: tuple[str, ...]
    """What else is not the same on both sides: machine, case version, seeds."""


def points_of(run: RunRecord) -> pd.DataFrame:
    """Return one row for each case, device and dtype of a run.

    Losses and the dead are those of the mode that trained longest, and of those the most seeds; a loss that is no
    number counts as infinite. Times are those of eager trials, timed alone and undisturbed: microseconds a step, and
    the natural logarithm of a step's time over the yardstick's; NaN where there are none.
    """
    cell = list(CELL)
    trials = _longest(run.trials, run.trials)
    losses = trials.assign(final_loss=trials["final_loss"].fillna(np.inf)).groupby(cell, observed=True, sort=False)
    seen = _longest(run.observations[run.observations["name"] == DEAD], run.trials)
    table = losses["final_loss"].agg(seeds="size", median_final_loss="median")
    table = table.assign(dead_rate=seen.groupby(cell, observed=True)["value"].mean(), **_times(run.trials))
    return _described(table.reset_index().astype(dict.fromkeys(CELL, str)), run)


def _longest(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each cell's mode that trained longest, and of those the most seeds."""
    modes = trials.groupby([*CELL, "mode"], observed=True)["steps"].agg(["max", "size"])
    last = modes.sort_values(["max", "size"], kind="stable").reset_index().drop_duplicates([*CELL], keep="last")
    wanted = set(map(tuple, last[[*CELL, "mode"]].to_numpy()))
    cells = rows.groupby([*CELL, "mode"], observed=True, sort=False).indices
    places = [found for cell, found in cells.items() if cell in wanted]
    return rows.iloc[np.sort(np.concatenate(places))] if places else rows[:0]


def _times(trials: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the median time a step of each cell, in microseconds and as a logarithm in yardsticks."""
    timed = trials[trials["mode"] == EAGER]
    step = microseconds_a_step(timed)
    yardsticks = step / MICROSECONDS / timed["yardstick_seconds"]
    above = yardsticks.where(np.isfinite(yardsticks) & (yardsticks > 0.0))
    costs = timed.assign(step=step, yardsticks=above).groupby([*CELL], observed=True)
    return {"microseconds_a_step": costs["step"].median(), "log_yardsticks": np.log(costs["yardsticks"].median())}


def _described(table: pd.DataFrame, run: RunRecord) -> pd.DataFrame:
    """Put before the figures of each cell where they come from."""
    declared = {case.name: case for case in run.manifest.cases}
    whole = table.assign(
        run=run.manifest.run,
        started=run.manifest.started,
        accepted=run.manifest.accepted is not None,
        torch=run.machine.torch,
        machine=table["device"].map({device: run.machine.timing(device) for device in run.machine.devices}),
        folder=table["case"].map({name: case.folder for name, case in declared.items()}),
        case_version=table["case"].map({name: case.version for name, case in declared.items()}),
    )
    return whole[list(COLUMNS)]


def ordered(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the points of many runs in order of date; a run and the baseline that it became count once, as accepted."""
    together = pd.concat([pd.DataFrame(columns=list(COLUMNS)), *tables], ignore_index=True).astype(COLUMNS)
    same = ["run", "started", *CELL]
    accepted = together.groupby(same)["accepted"].transform("any")
    once = together.assign(accepted=accepted).drop_duplicates(same)
    return once.sort_values(["started", "run"], kind="stable", ignore_index=True)


def chosen(
    history: pd.DataFrame, *, cases: Sequence[str] = (), devices: Sequence[str] = (), dtypes: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the points that match shell patterns: a case by name or folder/name, a device and a dtype by name.

    Raises:
        SuiteError: naming each pattern that matches nothing.
    """
    named = {
        "--case": (cases, [history["case"], history["folder"] + "/" + history["case"]]),
        "--device": (devices, [history["device"]]),
        "--dtype": (dtypes, [history["dtype"]]),
    }
    faults: list[str] = []
    keep = np.ones(len(history), dtype=np.bool_)
    for option, (patterns, names) in named.items():
        matching = [_matching(names, pattern) for pattern in patterns]
        wrong = [pattern for pattern, found in zip(patterns, matching, strict=True) if not found.any()]
        faults += [f"{option} {pattern}: is in none of these runs" for pattern in wrong]
        if patterns:
            keep &= np.logical_or.reduce(matching)
    raise_all(faults)
    return history[keep].reset_index(drop=True)


def _matching(names: Sequence[pd.Series], pattern: str) -> Mask:
    """Tell of each row whether one of its names matches."""
    found: Mask = np.zeros(len(names[0]), dtype=np.bool_)
    for column in names:
        found |= np.array([fnmatchcase(name, pattern) for name in column], dtype=np.bool_)
    return found


def cells_of(history: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each case, device and dtype, as "case[device-dtype]", with its points; the cells of a case together."""
    order = {case: place for place, case in enumerate(dict.fromkeys(history["case"]))}
    cells = [points for _, points in history.groupby([*CELL], sort=False)]
    for points in sorted(cells, key=lambda points: order[points["case"].iloc[0]]):
        case, device, dtype = points[[*CELL]].iloc[0]
        yield f"{case}[{device}-{dtype}]", points


def changes_of(points: pd.DataFrame) -> list[Change]:
    """Return where the figures of one cell, in order of date, changed for good."""
    return [change for figure in FIGURES for change in _changes(points[points[figure].notna()], figure)]


def _changes(points: pd.DataFrame, figure: str) -> Iterator[Change]:
    values = points[figure].to_numpy(dtype=np.float64)
    ends = [0, *change_points(values), len(values)]
    rows: list[dict[Any, Any]] = points.to_dict("records")
    for first, change, end in zip(ends, ends[1:], ends[2:], strict=False):
        before, after = median(values[first:change]), median(values[change:end])
        last, new = rows[change - 1], rows[change]
        yield Change(
            **{name: str(new[name]) for name in CELL},
            figure=figure,
            before_run=last["run"],
            after_run=new["run"],
            after_started=new["started"],
            before_torch=last["torch"],
            after_torch=new["torch"],
            before=before,
            after=after,
            moved=_moved(figure, before, after),
            also=tuple(_otherwise(last, new)),
        )


def _moved(figure: str, before: float, after: float) -> float:
    """Return by how much a figure changed; for times how many fold, and infinity if that is more than any float."""
    with np.errstate(over="ignore"):
        return float(np.exp(after - before)) if figure == "log_yardsticks" else after - before


def _otherwise(last: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    """Say what else differs between two runs of a cell."""
    if last["machine"] != new["machine"]:
        yield "another machine or software"
    if last["case_version"] != new["case_version"]:
        yield "the case computes something else"
    if last["seeds"] != new["seeds"]:
        yield f"{last['seeds']} and then {new['seeds']} seeds"


def change_points(values: Array) -> list[int]:
    """Return the places at which a new stretch of values begins; none if there are too few to tell: ``(runs,)``.

    Infinite values count as larger than all others.
    """
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max(initial=0.0))
    unit = 2.0 ** max(0, math.frexp(largest)[1] - 1)  # in which nothing overflows, and nothing is rounded
    signal = np.where(finite, values / unit, np.sign(values) * (2.0 * (largest / unit) + 1.0 / unit))
    steps = np.abs(np.diff(signal))
    if len(signal) < FEWEST or not steps.any():
        return []
    import ruptures

    scale = max(float(np.median(steps)) / MEDIAN_STEP, LEAST_SCALE * float(np.abs(signal).max()))
    search = ruptures.Pelt(model="l1", min_size=SHORTEST, jump=1).fit(signal)
    places: list[int] = search.predict(pen=TIMES_BIC * scale * math.log(len(signal)))
    return places[:-1]


def as_rows(changes: Sequence[Change]) -> pd.DataFrame:
    """Return changes as a table."""
    return pd.DataFrame([asdict(change) for change in changes], columns=list(Change.__dataclass_fields__))
