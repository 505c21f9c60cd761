"""Whether seeds start from draws of their own: a start of few possible ones may come again, but not by rule."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

from suite.judge.statistics import NUMBERS, coincidences_allowed
from suite.trial import Status

Seeds = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


def trained(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the seeds that could be trained."""
    return trials[trials["status"] != str(Status.ERROR)]


def is_discrete(trials: pd.DataFrame, alpha: float) -> bool:
    """Tell whether more seeds start as another one does than chance lets where each draws a float32 number."""
    return _again(trials) > coincidences_allowed(len(trials), NUMBERS, alpha)


def ignored(ours: pd.DataFrame, theirs: pd.DataFrame | None, alpha: float) -> str:
    """Say why it is not by chance that so many seeds start alike; nothing, if so few starts may be possible.

    ``theirs``: the baseline's trials, whose starts tell how many are possible.
    """
    differ = len(ours) - _again(ours)
    if differ == 1:
        return "none differs, though the start is drawn, so that nothing about seeds can be judged"
    if theirs is not None and len(theirs) > 1 and _fewer(ours, theirs, alpha):
        told = f"of the baseline's {len(theirs)}, {len(theirs) - _again(theirs)} differ"
        return f"{told}: seeds are ignored here, so that nothing about them can be judged"
    lag = _lag(ours, alpha)
    return f"seeds {lag} apart are alike by rule: so many seeds are not what they are counted as" if lag else ""


def _again(trials: pd.DataFrame) -> int:
    """Count the seeds that start as an earlier one does."""
    return len(trials) - trials["init_digest"].astype(str).nunique()


def _fewer(ours: pd.DataFrame, theirs: pd.DataFrame, alpha: float) -> bool:
    """Tell whether fewer starts are possible than the baseline's: whose all differ, or whose coincide more seldom.

    A seed changes the share of those that coincide by at most its own, so that McDiarmid's inequality bounds it.
    """
    if not is_discrete(theirs, alpha):
        return True
    more = _again(ours) / len(ours) - _again(theirs) / len(theirs)
    return more > math.sqrt(math.log(1.0 / alpha) / 2.0 * (1.0 / len(ours) + 1.0 / len(theirs)))


def _lag(trials: pd.DataFrame, alpha: float) -> int:
    """Return how far apart seeds are that start alike more often than any two do; 0, if chance may do it.

    Asked of the commonest distance alone, in pairs of which no two share a seed, each with its share of ``alpha``.
    """
    seeds, starts = np.sort(trials["seed"].to_numpy(np.uint64)), _by_seed(trials)
    order = np.lexsort((seeds, starts))
    gaps = np.diff(seeds[order])[np.diff(starts[order]) == 0]
    distances, counted = np.unique(gaps, return_counts=True)
    lag = distances[counted.argmax()]
    place = np.minimum(np.searchsorted(seeds, seeds + lag), len(seeds) - 1)
    paired, same = seeds[place] == seeds + lag, starts[place] == starts
    sides = [paired & ((seeds - seeds[0]) // lag % np.uint64(2) == side) for side in (np.uint64(0), np.uint64(1))]
    found = min(_so_many(int(same[side].sum()), int(side.sum()), _chance(starts)) for side in sides)
    return int(lag) if found <= alpha / (2 * len(seeds)) else 0


def _by_seed(trials: pd.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return a number for each start, in the order of seeds."""
    ordered = trials.sort_values("seed")["init_digest"].astype(str)
    return np.asarray(pd.factorize(ordered)[0], dtype=np.int64)


def _chance(starts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    """Return the share of all pairs of seeds that start alike."""
    sizes, seeds = np.bincount(starts).astype(np.float64), len(starts)
    return float((sizes * (sizes - 1.0)).sum() / (seeds * (seeds - 1.0)))


def _so_many(alike: int, pairs: int, chance: float) -> float:
    """Return the probability that at least so many of some pairs are alike."""
    return 1.0 if alike == 0 else float(special.bdtrc(alike - 1, pairs, chance))
