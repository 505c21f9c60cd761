"""Which recorded trials lost rows: a table that was cut off holds less of them than it was given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from suite.plan import PICTURED_SEEDS, PROBED_SEEDS, probing_mode
from suite.records.belonging import Mask, Places, Register
from suite.records.schema import CELL, CURVES, GRAPHS, OBSERVATIONS, PROBES, Table
from suite.trial import Manifest, key_of, marks


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """The trials of a run, and how many rows its plan gives them in its other tables."""

    register: Register
    manifest: Manifest

    @property
    def trials(self) -> pd.DataFrame:
        """Return the trials."""
        return self.register.trials

    def lost(self, places: Mapping[Table, Places], torn: Collection[Table]) -> Mask:
        """Tell of each trial whether rows of it are gone from any table, given the trials of each table's rows.

        Of a ``torn`` table, which ended in half a row that no kill explains, every trial without a row lost its own,
        and the last one with rows lost some of them.
        """
        gone = np.zeros(len(self.trials), dtype=np.bool_)
        for table, due in self._due.items():
            held = places[table][places[table] >= 0]
            gone |= self.lost_from(table, held)
            if table in torn:
                gone |= due & (np.bincount(held, minlength=len(gone)) == 0)
                gone[held[-1:]] = True
        return gone

    def lost_from(self, table: Table, held: Places) -> Mask:
        """Tell of each trial whether rows of it are gone from a table, given the trials of those that it holds.

        How many rows a trial has is known of its curve, and of all else from its peers: seeds of its case and mode.
        """
        due, counts = self._due[table], np.bincount(held, minlength=len(self.trials))
        lost: Mask = due & (counts < self._expected(table, np.where(due, counts, 0)))
        return lost

    @cached_property
    def _due(self) -> dict[Table, Mask]:
        """Tell of each trial whether it may have rows in a table: one that ended in an error left none."""
        trained, facts = self.register.trained, self._facts
        return {
            CURVES: trained,
            OBSERVATIONS: trained & ~facts["short"],
            PROBES: trained & facts["probed"],
            GRAPHS: trained & facts["pictured"],
        }

    def _expected(self, table: Table, counts: Places) -> Places:
        """Return how many rows of a table each trial had, if it is to have any; ``counts`` is 0 for the others."""
        if table is CURVES:
            which, different = pd.factorize(self.trials["steps"])
            return np.array([len(marks(int(steps))) for steps in different], dtype=np.intp)[which]
        most = np.zeros(len(counts), dtype=np.intp)
        np.maximum.at(most, self._peers, counts)
        expected: Places = most[self._peers]
        if table is OBSERVATIONS:
            expected[self._facts["expecting"] & (expected == 0)] = 1
        return expected

    @cached_property
    def _peers(self) -> Places:
        """Return a number for each trial that it shares with its peers."""
        alike = self.trials.groupby(["case", "mode", "steps"], observed=True, sort=False)
        return alike.ngroup().to_numpy().astype(np.intp)

    @cached_property
    def _facts(self) -> dict[str, Mask]:
        """Return what the plan says of each trial: nothing of one that it does not know."""
        cells = pd.DataFrame(_looked_at(self.manifest), columns=[*CELL, "first_seed", "short", "probing", "expecting"])
        named = pd.MultiIndex.from_frame(cells[list(CELL)])
        planned = named.get_indexer(self.register.cells)[self.register.cell_of_each]
        first = cells["first_seed"].to_numpy(dtype=np.uint64)
        facts = {name: np.append(cells[name].to_numpy(dtype=np.bool_), False)[planned] for name in cells.columns[-3:]}
        ranks = self.trials["seed"].to_numpy() - np.append(first, np.uint64(0))[planned]
        ranked = {"probed": PROBED_SEEDS, "pictured": PICTURED_SEEDS}
        return facts | {name: facts["probing"] & (ranks < count) for name, count in ranked.items()}


def _looked_at(manifest: Manifest) -> Iterator[tuple[str, str, str, str, int, bool, bool, bool]]:
    """Give each cell, its first seed, whether it is short, whether its first seeds are probed, if things are expected.

    Seeds that are probed are pictured, too.
    """
    claused = {case.name for case in manifest.cases if case.clauses}
    modes: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for cell in manifest.cells:
        modes[cell.case, cell.device, cell.dtype].append(cell.mode)
    for cell in manifest.cells:
        is_probing = cell.mode == probing_mode(modes[cell.case, cell.device, cell.dtype])
        expecting = cell.case in claused and not cell.short
        yield (*key_of(cell), cell.first_seed, cell.short, is_probing, expecting)
