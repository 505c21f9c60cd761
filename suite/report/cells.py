"""Cells as tables and pages show them: one case on one device of one run in one dtype, whatever trained it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from suite.judge import Outcome, Verdict
from suite.judge.pairs import CellTables, by_cell
from suite.judge.statistics import median_interval
from suite.machine import Machine
from suite.observe import Array
from suite.plan import EAGER
from suite.report.judged import JudgedRun
from suite.report.ranking import rank
from suite.trial import DISTURBED, CellKey, DeclaredCase, PlannedCell, RunRecord, Status, device_type

DEAD = "dead"
MICROSECONDS = 1e6

INTERVAL = 0.05
"""Probability that the interval of a median time does not hold it."""

Place = tuple[str, str, str]
"""Case, device and dtype."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One case on one device of one run in one dtype."""

    case: DeclaredCase
    device: str
    """As it is called where it is shown: with the run's name, where several runs have one of its own."""
    trained_on: str
    """As torch calls it."""
    dtype: str
    machine: Machine
    planned: tuple[PlannedCell, ...]
    tables: Mapping[str, CellTables]
    """By mode; one of which no seed was trained is missing."""
    verdicts: tuple[Verdict, ...]
    graphs: pd.DataFrame

    @cached_property
    def outcome(self) -> Outcome:
        """Return the worst that was found of it."""
        return worst([verdict.outcome for verdict in self.verdicts])

    @cached_property
    def main(self) -> CellTables | None:
        """Return what was left by the mode that made the most updates; nothing, if no seed was trained."""
        return max(self.tables.values(), key=lambda tables: int(tables.trials["steps"].sum()), default=None)

    @property
    def seeds(self) -> int:
        """Count the seeds that it was planned with."""
        return max(cell.seeds for cell in self.planned)

    def count(self, status: Status) -> int:
        """Count the seeds that ended so."""
        return 0 if self.main is None else int((self.main.trials["status"] == str(status)).sum())

    @cached_property
    def dead(self) -> pd.Series | None:
        """Return 1 for a dead seed and 0 for a live one, by seed; None where the case has no such group."""
        if self.main is None:
            return None
        seen = self.main.observations[self.main.observations["name"] == DEAD]
        return seen.set_index("seed")["value"] if len(seen) else None

    @property
    def dead_seeds(self) -> list[int]:
        """Return the dead seeds."""
        return [] if self.dead is None else self.dead.index[self.dead == 1.0].tolist()

    @property
    def median_loss(self) -> float:
        """Return the median final loss, where what is no number is above all; NaN without a seed."""
        return float("nan") if self.main is None else median(self.main.trials["final_loss"].fillna(np.inf).to_numpy())

    @cached_property
    def microseconds(self) -> pd.Series:
        """Return a step's time by seed, trained eagerly, which is what is timed; NaN if not alone, or disturbed."""
        trials = self.tables[EAGER].trials if EAGER in self.tables else None
        return pd.Series(dtype="float64") if trials is None else microseconds_a_step(trials.set_index("seed"))

    @property
    def median_time(self) -> tuple[float, float, float, int] | None:
        """Return a step's time in the median, its interval, and how many seeds were timed; None without any."""
        times = self.microseconds.dropna().to_numpy()
        if not len(times):
            return None
        low, high, _ = median_interval(times, INTERVAL)
        return median(times), low, high, len(times)


def median(values: Array) -> float:
    """Return the median; where the middle two have no sum among the floats, infinity or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.median(values))


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the worst of some outcomes; pass, of none."""
    return min(outcomes, key=rank, default=Outcome.PASS)


def microseconds_a_step(trials: pd.DataFrame) -> pd.Series:
    """Return the time of one step of one seed, for each trial that was timed alone and undisturbed; NaN for others."""
    alone = trials["yardstick_seconds"].notna() & ~(trials["waiting_share"] > DISTURBED)
    seconds = trials["train_seconds"] / (trials["steps"] * trials["seeds_together"])
    return (seconds * MICROSECONDS).where(alone)


def device_labels(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    """Name each device of each run so that no two share a name; one that may round to TF32 says so."""
    shared = Counter(device for run in runs for device in run.machine.devices)
    times_met: Counter[str] = Counter()
    labels = []
    for run in runs:
        name = run.manifest.run
        times_met[name] += 1
        if times_met[name] > 1:
            name = f"{name}({times_met[name]})"
        named = {device: f"{name}:{device}" if shared[device] > 1 else device for device in run.machine.devices}
        labels.append({device: label + tf32(run.machine, device) for device, label in named.items()})
    return labels


def tf32(machine: Machine, device: str) -> str:
    """Return what is added to a device's name where matrix products may be rounded to TF32."""
    return " (TF32)" if machine.settings.tf32 and device_type(device) == "cuda" else ""


def cells_of(judged: Sequence[JudgedRun]) -> list[Cell]:
    """Return all cells of some runs; those of one case together, in the order of the first run that has it."""
    labels = device_labels([side.run for side in judged])
    cells = [cell for side, names in zip(judged, labels, strict=True) for cell in _cells(side, names)]
    order = {case: place for place, case in enumerate(dict.fromkeys(cell.case.name for cell in cells))}
    return sorted(cells, key=lambda cell: order[cell.case.name])


def _cells(judged: JudgedRun, labels: Mapping[str, str]) -> Iterator[Cell]:
    run = judged.run
    cases = {case.name: case for case in run.manifest.cases}
    tables, graphs, said = _by_mode(by_cell(run)), _graphs(run.graphs), _by_place(judged.verdicts)
    for place, planned in _planned(run.manifest.cells).items():
        name, device, dtype = place
        yield Cell(
            case=cases[name],
            device=labels[device],
            trained_on=device,
            dtype=dtype,
            machine=run.machine,
            planned=tuple(planned),
            tables=tables.get(place, {}),
            verdicts=tuple(said.get(place, ())),
            graphs=graphs.get(place, run.graphs.iloc[:0]),
        )


def _planned(cells: Sequence[PlannedCell]) -> dict[Place, list[PlannedCell]]:
    found: dict[Place, list[PlannedCell]] = {}
    for cell in cells:
        found.setdefault((cell.case, cell.device, cell.dtype), []).append(cell)
    return found


def _by_place(verdicts: Sequence[Verdict]) -> dict[Place, list[Verdict]]:
    found: dict[Place, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault((verdict.case, verdict.device, verdict.dtype), []).append(verdict)
    return found


def _by_mode(cells: Mapping[CellKey, CellTables]) -> dict[Place, dict[str, CellTables]]:
    found: dict[Place, dict[str, CellTables]] = {}
    for (case, device, dtype, mode), tables in cells.items():
        found.setdefault((case, device, dtype), {})[mode] = tables
    return found


def _graphs(graphs: pd.DataFrame) -> dict[Place, pd.DataFrame]:
    parts = graphs.groupby(["case", "device", "dtype"], sort=False, observed=True)
    return {(str(case), str(device), str(dtype)): rows for (case, device, dtype), rows in parts}
