"""Which trial each row of a run's other tables is about; of a folder that anyone may have made, perhaps none.

Judging and drawing lay rows of a cell out, seeds down and steps, or names, across. That takes little more than the rows
do where each seed has rows of the same steps, as in a run; where each has one of its own, it takes the square.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from suite.records.faults import label
from suite.records.schema import CELL, CURVES, GRAPHS, KEY, OBSERVATIONS, PROBES, TRIALS, WORD, Table
from suite.trial import Status

Places = np.ndarray[tuple[int], np.dtype[np.intp]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

ACROSS = {CURVES: "step", OBSERVATIONS: "name", PROBES: "step", GRAPHS: "name"}
"""What stands across where rows of a table are laid out."""

OF_ALL_TRAINED = (CURVES, OBSERVATIONS)
"""Tables that are laid out for every trained seed of a cell; the others for seeds that have rows, in any mode."""

ROOM, BESIDES = 8, 1_000
"""How many times as large as the rows, theirs and their trials', what they are laid out as may be; and by what more."""


@dataclass(frozen=True, eq=False)
class Register:
    """The trials of a run, each to be found by what names it."""

    trials: pd.DataFrame

    @cached_property
    def cells(self) -> pd.MultiIndex:
        """Return the cells that have trials, each once."""
        named = self.trials[list(CELL)].iloc[_begun(self.trials, CELL)]
        cells: pd.MultiIndex = pd.MultiIndex.from_frame(named).unique()
        return cells

    @cached_property
    def cell_of_each(self) -> Places:
        """Return for each trial the place of its cell."""
        return self._cells_of(self.trials)

    @cached_property
    def group_of_each(self) -> Places:
        """Return a number for each trial that it shares with those of its case, device and dtype, whatever the mode."""
        numbers: Places = pd.factorize(self.cells.droplevel("mode"))[0]
        return numbers[self.cell_of_each]

    @cached_property
    def trained(self) -> Mask:
        """Tell of each trial whether it could be trained."""
        return (self.trials["status"] != str(Status.ERROR)).to_numpy(dtype=np.bool_)

    def places(self, rows: pd.DataFrame) -> Places:
        """Return for each row the place of its trial; -1, if that was never recorded."""
        begun = _begun(rows, KEY)
        return _repeated(self._numbers.get_indexer(self._numbers_of(rows[list(KEY)].iloc[begun])), begun, rows)

    @cached_property
    def _seeds(self) -> pd.Index[Any]:
        seeds: pd.Index[Any] = pd.Index(self.trials["seed"].unique())
        return seeds

    @cached_property
    def _numbers(self) -> pd.Index[Any]:
        return self._numbers_of(self.trials)

    def _numbers_of(self, rows: pd.DataFrame) -> pd.Index[Any]:
        """Return a number for each row that those of one trial share; one below 0, if no trial has its cell or seed."""
        cells, seeds = self._cells_of(rows), self._seeds.get_indexer(pd.Index(rows["seed"]))
        numbers: pd.Index[Any] = pd.Index(np.where(seeds < 0, -1, cells * len(self._seeds) + seeds))
        return numbers

    def _cells_of(self, rows: pd.DataFrame) -> Places:
        """Return for each row the place of its cell; -1, if that has no trial."""
        begun = _begun(rows, CELL)
        named = pd.MultiIndex.from_frame(rows[list(CELL)].iloc[begun])
        return _repeated(self.cells.get_indexer(named), begun, rows)


def _begun(rows: pd.DataFrame, names: Iterable[str]) -> Places:
    """Return the rows that are not about what the row before them is about."""
    other = np.zeros(len(rows), dtype=np.bool_)
    other[:1] = True
    for name in names:
        values = (rows[name].cat.codes if rows[name].dtype == WORD else rows[name]).to_numpy()
        other[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(other)


def _repeated(found: Places, begun: Places, rows: pd.DataFrame) -> Places:
    """Return for each row what was found of the one that begins those like it."""
    return np.repeat(found, np.diff(begun, append=len(rows)))


def of_other_data(register: Register) -> Iterator[str]:
    """Name the first trial whose data are not those of the first one of its case, device and dtype that was trained."""
    rows, groups = np.flatnonzero(register.trained), register.group_of_each[register.trained]
    first = np.zeros(groups.max(initial=-1) + 1, dtype=np.intp)
    first[groups[::-1]] = rows[::-1]
    digests = register.trials["data_digest"].array
    for row in rows[~np.asarray(digests[rows] == digests[first[groups]])][:1]:
        case, device, dtype, _, seed = register.trials[list(KEY)].iloc[row]
        told = f"seed {seed} of {label(case, device, dtype)} was trained on other data than its first seed"
        yield f"row {row + 2}: {told}; train all of it anew, into another --out"


def strays(rows: pd.DataFrame, places: Places) -> Iterator[str]:
    """Name the first row that is about no recorded trial."""
    for row in np.flatnonzero(places < 0)[:1]:
        case, device, dtype, _, seed = rows[list(KEY)].iloc[row]
        yield f"row {row + 2}: seed {seed} of {label(case, device, dtype)} has no row in {TRIALS.file}"


def without_strays(rows: pd.DataFrame, places: Places) -> pd.DataFrame:
    """Return the rows that are about recorded trials, as if the others had never been written."""
    if (places >= 0).all():
        return rows
    kept = rows[places >= 0].reset_index(drop=True)
    words = {name: kept[name].cat.remove_unused_categories() for name in kept.columns if kept[name].dtype == WORD}
    return kept.assign(**words)


def scattered(table: Table, rows: pd.DataFrame, places: Places, register: Register) -> Iterator[str]:
    """Name the first cell whose rows, each of a recorded trial, would take much more than they do if laid out."""
    cells = register.cell_of_each if table in OF_ALL_TRAINED else register.group_of_each
    name, of_row = ACROSS[table], cells[places]
    across, different = pd.factorize(rows[name])
    held, pairs = np.bincount(of_row), pd.unique(of_row * max(1, len(different)) + across)
    wide = np.bincount(pairs // max(1, len(different)))
    down = np.bincount(cells[_down(table, places, register)], minlength=len(held))[: len(held)]
    for cell in np.flatnonzero(wide * down > ROOM * (held + down) + BESIDES)[:1]:
        case, device, dtype = register.trials[list(KEY)[:3]].iloc[int((cells == cell).argmax())]
        told = f"{held[cell]:,} rows of {down[cell]:,} trials are scattered over {wide[cell]:,} {name}s"
        yield f"{label(case, device, dtype)}: {told}, which no run's are"


def _down(table: Table, places: Places, register: Register) -> Mask:
    """Tell which trials stand down where rows of a table are laid out."""
    down = np.zeros(len(register.trials), dtype=np.bool_)
    down[places] = True
    return down | register.trained if table in OF_ALL_TRAINED else down
