"""A run's cell beside its baseline, seed by seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pandas as pd

from suite.observe import Array
from suite.trial import CellKey, RunRecord, Status

DIGESTS = ("data_digest", "init_digest", "gradient_digest", "update_digest", "final_digest")
CELL_COLUMNS = ("case", "device", "dtype", "mode")

Column = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class CellTables:
    """One cell's rows of a run."""

    trials: pd.DataFrame
    curves: pd.DataFrame
    observations: pd.DataFrame
    probes: pd.DataFrame
    """Of the same case on the same device in the same dtype, whatever mode they were trained in."""
    first: pd.DataFrame
    """Of a baseline: trials that were timed when the cell was first accepted."""


def by_cell(run: RunRecord) -> dict[CellKey, CellTables]:
    """Split a run's tables by cell, in one pass over each."""
    trials, curves, observations = map(_parted, (run.trials, run.curves, run.observations))
    probes, first = {key[:-1]: rows for key, rows in _parted(run.probes).items()}, _parted(run.first)
    return {
        key: CellTables(
            trials=rows,
            curves=curves.get(key, run.curves.iloc[:0]),
            observations=observations.get(key, run.observations.iloc[:0]),
            probes=probes.get(key[:-1], run.probes.iloc[:0]),
            first=first.get(key, run.first.iloc[:0]),
        )
        for key, rows in trials.items()
    }


def _parted(table: pd.DataFrame) -> dict[CellKey, pd.DataFrame]:
    """Return each cell's rows; without copying them where they stand together."""
    codes = [table[name].cat.codes.to_numpy() for name in CELL_COLUMNS]
    begun = np.flatnonzero(np.any([np.diff(column, prepend=-1) != 0 for column in codes], axis=0))
    keys = table[list(CELL_COLUMNS)].iloc[begun].itertuples(index=False, name=None)
    parts: dict[CellKey, list[pd.DataFrame]] = {}
    for key, (start, end) in zip(keys, pairwise([*begun, len(table)]), strict=True):
        parts.setdefault(cast("CellKey", key), []).append(table.iloc[start:end])
    return {key: rows[0] if len(rows) == 1 else pd.concat(rows) for key, rows in parts.items()}


@dataclass(frozen=True)
class Pairs:
    """The seeds that both sides trained: column by column, ours and the baseline's in the same order."""

    ours: CellTables
    baseline: CellTables
    drawn: bool = True
    """Starts are drawn at random; False, if on neither side, so that there is no random stream to be another one."""

    @cached_property
    def _trained(self) -> tuple[Column, Column]:
        """Return the seeds that both sides could train, in order, and for which of them they made as many updates."""
        sides = [side.trials[side.trials["status"] != str(Status.ERROR)] for side in (self.ours, self.baseline)]
        named = [rows["seed"].to_numpy(np.uint64) for rows in sides]
        seeds = np.intersect1d(named[0], named[1], assume_unique=True)
        steps = [rows["steps"].to_numpy()[_places_of(seeds, among)] for rows, among in zip(sides, named, strict=True)]
        return seeds, np.equal(*steps)

    @cached_property
    def seeds(self) -> np.ndarray[tuple[Any, ...], np.dtype[np.uint64]]:
        """Return the seeds that both sides could train, for as many steps, in order.

        One seed of a short cell is followed for longer than the others; in runs of other seeds it is another one.
        """
        seeds, as_long = self._trained
        return seeds[as_long]

    @property
    def alone(self) -> int:
        """Count the seeds that were trained here, and that the baseline does not hold, or not for as many steps."""
        lacking = np.setdiff1d(self.ours.trials["seed"].to_numpy(), self.baseline.trials["seed"].to_numpy())
        return len(lacking) + int((~self._trained[1]).sum())

    @cached_property
    def _places(self) -> tuple[Column | slice, Column | slice]:
        ours, theirs = (_places_of(self.seeds, side.trials["seed"].to_numpy()) for side in (self.ours, self.baseline))
        return ours, theirs

    def column(self, name: str) -> tuple[Column, Column]:
        """Return one column of the trials, ours and the baseline's: ``(seeds,)`` each."""
        ours, theirs = (
            np.asarray(side.trials[name].iloc[places].to_numpy())
            for side, places in zip((self.ours, self.baseline), self._places, strict=True)
        )
        return ours, theirs

    def same(self, name: str) -> bool:
        """Tell whether a column of digests or words is equal for every seed."""
        ours, theirs = (
            side.trials[name].iloc[places].array
            for side, places in zip((self.ours, self.baseline), self._places, strict=True)
        )
        return bool(np.all(ours == theirs))

    @property
    def incomparable(self) -> str:
        """Say why the two sides cannot be compared at all; nothing, if they can."""
        versions = [side.trials["case_version"].iloc[0] for side in (self.ours, self.baseline)]
        if versions[0] != versions[1]:
            return f"the case was changed (version {versions[0]}, baseline {versions[1]}); accept a new baseline"
        return self.other_steps

    @property
    def other_steps(self) -> str:
        """Say for how long the first seed of both sides was trained on either, if none was for as many steps."""
        if len(self.seeds) or not len(self._trained[0]):
            return ""
        rows = (side.trials[side.trials["seed"] == self._trained[0][0]] for side in (self.ours, self.baseline))
        ours, theirs = (int(row["steps"].iloc[0]) for row in rows)
        return f"seed {self._trained[0][0]} was trained for {ours} steps, in the baseline for {theirs}"

    def with_first(self) -> Pairs:
        """Return the cell beside what was timed when it was first accepted."""
        return replace(self, baseline=replace(self.baseline, trials=self.baseline.first))

    @property
    def probes(self) -> pd.DataFrame:
        """Return the baseline's probes."""
        return self.baseline.probes

    def observed(self) -> dict[str, tuple[Array, Array]]:
        """Return what was observed of the seeds on both sides, by name: ``(seeds,)`` each."""
        ours, theirs = (by_seed(side.observations).reindex(self.seeds) for side in (self.ours, self.baseline))
        names = [name for name in ours.columns if name in theirs.columns]
        return {name: (ours[name].to_numpy(), theirs[name].to_numpy()) for name in names}

    @cached_property
    def curves(self) -> tuple[Array, Array]:
        """Return the loss curves and, as their last point, the final losses: ``(seeds, points)`` each."""
        ours, theirs = (
            np.column_stack([self._wide(side.curves), losses])
            for side, losses in zip((self.ours, self.baseline), self.column("final_loss"), strict=True)
        )
        return ours, theirs

    def _wide(self, curves: pd.DataFrame) -> Array:
        """Return losses by seed and step; NaN where none was recorded."""
        seeds, marks = (curves[name].to_numpy() for name in ("seed", "step"))
        row, column = np.searchsorted(self.seeds, seeds), np.searchsorted(self._marks, marks)
        known = self.seeds[np.minimum(row, len(self.seeds) - 1)] == seeds
        wide = np.full((len(self.seeds), len(self._marks)), np.nan)
        wide[row[known], column[known]] = curves["loss"].to_numpy()[known]
        return wide

    @cached_property
    def steps(self) -> Column:
        """Return the steps of the curves' points: ``(seeds, points)``; a seed's last is its number of updates."""
        updates = self.column("steps")[0]
        return np.column_stack([np.tile(self._marks, (len(updates), 1)), updates])

    @cached_property
    def _marks(self) -> list[int]:
        """Return the steps that either side recorded, so that a loss always stands beside that of the same step."""
        return sorted({int(step) for side in (self.ours, self.baseline) for step in side.curves["step"].unique()})


def by_seed(observed: pd.DataFrame) -> pd.DataFrame:
    """Return observations with seeds down and names across, in the order in which they were made; NaN for none."""
    seeds, row = np.unique(observed["seed"].to_numpy(), return_inverse=True)
    column, names = pd.factorize(observed["name"])
    values = np.full((len(seeds), len(names)), np.nan)
    values[row, column] = observed["value"].to_numpy()
    return pd.DataFrame(values, index=pd.Index(seeds, name="seed"), columns=list(names))


def _places_of(seeds: Column, among: Column) -> Column | slice:
    """Return where seeds stand among others, each of them once."""
    if np.array_equal(seeds, among):
        return slice(None)
    order = np.argsort(among, kind="stable")
    places: Column = order[np.searchsorted(among, seeds, sorter=order)]
    return places


def same_bits(ours: Array, theirs: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell for each pair whether the bits are equal; any NaN equals any other."""
    equal: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (
        np.ascontiguousarray(ours).view(np.int64) == np.ascontiguousarray(theirs).view(np.int64)
    ) | (np.isnan(ours) & np.isnan(theirs))
    return equal
