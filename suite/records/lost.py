"""Which recorded trials lost rows: a table that was cut off holds less of them than it was given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from suite.plan import PICTURED_SEEDS, PROBED_SEEDS, probing_mode
from suite.records.schema import CELL, CURVES, GRAPHS, KEY, OBSERVATIONS, PROBES, Table
from suite.trial import Manifest, PlannedCell, Status, marks

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Counts = np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """The trials of a run, and which of them each row of its other tables is about."""

    trials: pd.DataFrame
    manifest: Manifest

    @cached_property
    def keys(self) -> pd.MultiIndex:
        """Return what names each trial."""
        return pd.MultiIndex.from_frame(self.trials[list(KEY)])

    def places(self, rows: pd.DataFrame) -> Counts:
        """Return for each row the place of its trial; -1, if that was never recorded."""
        found: Counts = self.keys.get_indexer(pd.MultiIndex.from_frame(rows[list(KEY)]))
        return found

    def lost(self, places: Mapping[Table, Counts], torn: Collection[Table]) -> Mask:
        """Tell of each trial whether rows of it are gone from any table, given the trials of each table's rows.

        How many rows a trial has is known of its curve, and of all else from its peers: seeds of its case and mode.
        Of a ``torn`` table, which ended in half a row that no kill explains, every trial without a row lost its own,
        and the last one with rows lost some of them.
        """
        gone = np.zeros(len(self.trials), dtype=np.bool_)
        for table, due in self._due().items():
            held = places[table][places[table] >= 0]
            counts = np.bincount(held, minlength=len(gone))
            gone |= due & (counts < self._expected(table, due, counts))
            if table in torn:
                gone |= due & (counts == 0)
                gone[held[-1:]] = True
        return gone

    def _due(self) -> dict[Table, Mask]:
        """Tell of each trial whether it may have rows in a table: one that ended in an error left none."""
        trained = (self.trials["status"] != str(Status.ERROR)).to_numpy(dtype=np.bool_)
        return {
            CURVES: trained,
            OBSERVATIONS: trained & ~self._facts["short"],
            PROBES: trained & self._facts["probed"],
            GRAPHS: trained & self._facts["pictured"],
        }

    def _expected(self, table: Table, due: Mask, counts: Counts) -> Counts:
        """Return how many rows of a table each trial had that is to have any."""
        if table is CURVES:
            different, which = np.unique(self.trials["steps"], return_inverse=True)
            return np.array([len(marks(int(steps))) for steps in different], dtype=np.intp)[which]
        alike = ["case", "mode", "steps", "due"]
        peers = self.trials[alike[:3]].assign(due=due, most=counts)
        most = peers.groupby(alike, observed=True, sort=False)["most"].transform("max").to_numpy(dtype=np.intp)
        return np.maximum(most, self._facts["expecting"]) if table is OBSERVATIONS else most

    @cached_property
    def _facts(self) -> dict[str, Mask]:
        """Return what the plan says of each trial: nothing of one that it does not know."""
        facts = {
            name: np.zeros(len(self.trials), dtype=np.bool_) for name in ("short", "expecting", "probed", "pictured")
        }
        of_cell = self.trials.groupby(list(CELL), observed=True, sort=False).indices
        seeds = self.trials["seed"].to_numpy()
        for cell, probing, expecting in _looked_at(self.manifest):
            rows = of_cell.get((cell.case, cell.device, cell.dtype, cell.mode), [])
            ranks = seeds[rows] - np.uint64(cell.first_seed)
            facts["short"][rows] = cell.short
            facts["expecting"][rows] = expecting
            facts["probed"][rows] = probing & (ranks < PROBED_SEEDS)
            facts["pictured"][rows] = probing & (ranks < PICTURED_SEEDS)
        return facts


def _looked_at(manifest: Manifest) -> Iterator[tuple[PlannedCell, bool, bool]]:
    """Give each cell, whether its first seeds are probed and pictured, and whether something is expected of it."""
    claused = {case.name for case in manifest.cases if case.clauses}
    modes: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for cell in manifest.cells:
        modes[cell.case, cell.device, cell.dtype].append(cell.mode)
    for cell in manifest.cells:
        is_probing = cell.mode == probing_mode(modes[cell.case, cell.device, cell.dtype])
        yield cell, is_probing, cell.case in claused and not cell.short
