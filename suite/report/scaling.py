"""How the time of a step grows with the seeds that are trained together, and from how many on another device wins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from suite.plan import EAGER
from suite.report.cells import MICROSECONDS, tf32
from suite.report.table import WHOLE
from suite.trial import RunRecord

SERIES = ["case", "dtype", "mode"]

COLUMNS = {
    "case": "case",
    "dtype": "dtype",
    "mode": "mode",
    "device": "device",
    "seeds": "seeds",
    "microseconds": "µs a step of all",
    "against": "against",
    "ratio": "time ratio",
    "wins_from": "faster from, seeds",
}
"""Columns of the table, by their names in CSV: what Markdown calls them."""

WORDS = ("case", "dtype", "mode", "device", "against")


def rows_of(runs: Sequence[RunRecord]) -> pd.DataFrame:
    """Return one row a case, dtype, mode, device and number of seeds; nothing of what was run with one number only.

    Each stands against the first device of its case, dtype and mode, where that was run with as many seeds. From
    ``wins_from`` seeds on it took less time, wherever both were measured; missing, if not with the most of them.
    """
    names = machine_names(runs)
    rows = [row for run, named in zip(runs, names, strict=True) for row in _loops(run, named)]
    table = pd.DataFrame(rows, columns=[*SERIES, "device", "seeds", "microseconds"])
    best = table.groupby([*SERIES, "device", "seeds"], sort=False, as_index=False)["microseconds"].min()
    several = best.groupby(SERIES, sort=False)["seeds"].transform("nunique") > 1
    return pd.DataFrame(list(_compared(best[several])), columns=list(COLUMNS)).astype({"wins_from": WHOLE})


def _loops(run: RunRecord, named: dict[str, str]) -> Iterator[dict[str, object]]:
    """Give what one step of all seeds took: the time of each loop counts once, a share for each of its seeds.

    Where a seed failed, its share is not known, and so neither is what all of them take: there is no row.
    """
    together = run.trials[run.trials["mode"] != EAGER]
    shares = together["train_seconds"] / together["seeds_together"] / together["steps"]
    for key, part in shares.groupby([together[name].astype(str) for name in (*SERIES, "device")], sort=False):
        place = dict(zip((*SERIES, "device"), map(str, key), strict=True))
        time = float(part.sum(skipna=False)) * MICROSECONDS
        if math.isfinite(time):
            yield place | {"device": named[place["device"]], "seeds": len(part), "microseconds": time}


def _compared(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    for _, series in table.groupby(SERIES, sort=False):
        times = series.pivot(index="seeds", columns="device", values="microseconds").sort_index()
        first = series["device"].iloc[0]
        for device in dict.fromkeys(series["device"]):
            ratios = (times[device] / times[first]).dropna()
            for row in series[series["device"] == device].sort_values("seeds").to_dict("records"):
                against = {"against": first, "ratio": ratios.get(row["seeds"]), "wins_from": _wins_from(ratios)}
                yield {str(name): value for name, value in row.items()} | (against if device != first else {})


def _wins_from(ratios: pd.Series) -> int | None:
    """Return the number of seeds from which on all ratios, by seeds, lie below 1."""
    lost = ratios.index[ratios >= 1.0]
    won = ratios.index[ratios.index > lost.max()] if len(lost) else ratios.index
    return int(won.min()) if len(won) else None


def machine_names(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    """Name each device of each run; those of one machine alike, after its first run where there are several."""
    first: dict[tuple[str, str], str] = {}
    for run in runs:
        for device in run.machine.devices:
            first.setdefault((device, run.machine.timing(device)), run.manifest.run)
    several = Counter(device for device, _ in first)
    return [
        {
            device: (f"{first[device, run.machine.timing(device)]}:" if several[device] > 1 else "")
            + device
            + tf32(run.machine, device)
            for device in run.machine.devices
        }
        for run in runs
    ]
