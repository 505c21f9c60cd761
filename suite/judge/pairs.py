"""A run's cell beside its baseline, seed by seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from suite.observe import Array
from suite.trial import PlannedCell, RunRecord, Status

DIGESTS = ("data_digest", "init_digest", "gradient_digest", "update_digest", "final_digest")
CELL_COLUMNS = ("case", "device", "dtype", "mode")

CellKey = tuple[str, str, str, str]
Column = np.ndarray[Any, np.dtype[Any]]


def key_of(cell: PlannedCell) -> CellKey:
    """Return what names a cell."""
    return cell.case, cell.device, cell.dtype, cell.mode


@dataclass(frozen=True, kw_only=True)
class CellTables:
    """One cell's rows of a run."""

    trials: pd.DataFrame
    curves: pd.DataFrame
    observations: pd.DataFrame


def by_cell(run: RunRecord) -> dict[CellKey, CellTables]:
    """Split a run's tables by cell, in one pass over each."""
    groups = [dict(tuple(t.groupby(list(CELL_COLUMNS)))) for t in (run.trials, run.curves, run.observations)]
    trials, curves, observations = groups
    return {
        cast("CellKey", key): CellTables(
            trials=rows,
            curves=curves.get(key, run.curves.iloc[:0]),
            observations=observations.get(key, run.observations.iloc[:0]),
        )
        for key, rows in trials.items()
    }


@dataclass(frozen=True)
class Pairs:
    """The seeds that both sides trained: column by column, ours and the baseline's in the same order."""

    ours: CellTables
    baseline: CellTables

    @cached_property
    def seeds(self) -> np.ndarray[tuple[Any, ...], np.dtype[np.uint64]]:
        """Return the seeds that both sides could train, in order."""
        ours, theirs = (side.trials[side.trials["status"] != str(Status.ERROR)] for side in (self.ours, self.baseline))
        return np.intersect1d(ours["seed"].to_numpy(np.uint64), theirs["seed"].to_numpy(np.uint64))

    @cached_property
    def _trials(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        ours, theirs = (side.trials.set_index("seed").loc[self.seeds] for side in (self.ours, self.baseline))
        return ours, theirs

    def column(self, name: str) -> tuple[Column, Column]:
        """Return one column of the trials, ours and the baseline's: ``(seeds,)`` each."""
        ours, theirs = self._trials
        return ours[name].to_numpy(), theirs[name].to_numpy()

    def same(self, name: str) -> bool:
        """Tell whether a column of digests or words is equal for every seed."""
        ours, theirs = self.column(name)
        return bool((ours == theirs).all())

    @cached_property
    def curves(self) -> tuple[Array, Array]:
        """Return the loss curves and, as their last point, the final losses: ``(seeds, points)`` each."""
        both = []
        for side, trials in zip((self.ours, self.baseline), self._trials, strict=True):
            wide = side.curves.pivot(index="seed", columns="step", values="loss")
            wide = wide.reindex(index=self.seeds, columns=self._marks)
            both.append(np.column_stack([wide.to_numpy(), trials["final_loss"].to_numpy()]))
        return both[0], both[1]

    @cached_property
    def steps(self) -> list[int]:
        """Return the steps of the curves' points; the last is the number of updates."""
        return [*self._marks, int(self._trials[0]["steps"].iloc[0])]

    @cached_property
    def _marks(self) -> list[int]:
        """Return the steps that either side recorded, so that a loss always stands beside that of the same step."""
        return sorted({int(step) for side in (self.ours, self.baseline) for step in side.curves["step"].unique()})


def same_bits(ours: Array, theirs: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell for each pair whether the bits are equal; any NaN equals any other."""
    equal: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (
        np.ascontiguousarray(ours).view(np.int64) == np.ascontiguousarray(theirs).view(np.int64)
    ) | (np.isnan(ours) & np.isnan(theirs))
    return equal
