"""The pictures of one cell: its losses, its parameters' paths, its graph; each with the words that stand for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
from markupsafe import Markup

from suite.judge.pairs import CellTables
from suite.observe import Array
from suite.picture import TRAINED
from suite.report.cells import Cell, median
from suite.report.page import charts
from suite.trial import Status

GRAPH = "output"
"""Name of the curve that is a network's graph; others are parameters' paths."""
MOST_CURVES = 20
"""Names of a cell whose curves are drawn: a run's files may hold any number, and a page is to be looked at."""
MOST_PICTURES = 5_000
"""On one page; all documented cases in four dtypes have a few hundred."""
NOT_DRAWN = Markup()
"""In place of a picture, where there are words only."""
LONGEST_REASON = 200
"""Characters that are told of why a picture cannot be drawn."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture, and what it shows in words."""

    svg: Markup = NOT_DRAWN
    alt: str = ""
    caption: str


Picture = Callable[[], Figure]
"""Draws one."""


@dataclass
class Album:
    """The pictures of one page, drawn one after the other while there is room."""

    room: int = MOST_PICTURES

    def of_cell(self, cell: Cell) -> Iterator[Figure]:
        """Draw what a cell left to be drawn."""
        names = [str(name) for name in cell.graphs["name"].unique()]
        yield from self._drawn([*_losses_of(cell), *(_curve(cell, name) for name in islice(names, MOST_CURVES))])
        if len(names) > MOST_CURVES:
            yield Figure(caption=f"{len(names) - MOST_CURVES} more curves are recorded; graphs.csv holds them.")

    def of_growth(self, rows: pd.DataFrame) -> Iterator[Figure]:
        """Draw how a step's time grows with the seeds: a picture for each case, dtype and mode."""
        parts = rows.groupby(["case", "dtype", "mode"], sort=False)
        yield from self._drawn([partial(_growth, series) for _, series in parts])

    def _drawn(self, pictures: Sequence[Picture]) -> Iterator[Figure]:
        """Draw as many as there is room for, and say how many there are beyond them."""
        shown = pictures[: self.room]
        self.room -= len(shown)
        yield from (picture() for picture in shown)
        if len(shown) < len(pictures):
            left_out = len(pictures) - len(shown)
            yield Figure(caption=f"{left_out} more not drawn: a page holds at most {MOST_PICTURES:,} pictures.")


def _losses_of(cell: Cell) -> Iterator[Picture]:
    if cell.main is not None and len(cell.main.curves):
        yield partial(_losses, cell, cell.main)


def _curve(cell: Cell, name: str) -> Picture:
    return partial(_graph, cell) if name == GRAPH else partial(_path, cell, name)


def _losses(cell: Cell, tables: CellTables) -> Figure:
    wide = tables.curves.pivot(index="seed", columns="step", values="loss")
    steps, dead = [int(step) for step in wide.columns], wide.index.isin(cell.dead_seeds)
    groups = {"live": wide.to_numpy()[~dead], "dead": wide.to_numpy()[dead]}
    drawn = {name: losses for name, losses in groups.items() if charts.has_place(losses)}
    caption = f"Loss of {len(wide)} seeds: median, half and nine tenths of them.{_counted(cell)}"
    if not drawn:
        return Figure(caption=f"{caption} None of these is a positive number, so none is drawn.")
    if not all(map(charts.all_placed, drawn.values())):
        caption += " Where a line ends, the loss is 0 or not finite."
    ends = " to ".join(f"{value:.3g}" for value in _medians(wide.to_numpy()))
    alt = f"Loss over steps of {cell.case.name} on {cell.device} in {cell.dtype}: the median goes from {ends}"
    return _figure(charts.fan(steps, drawn), alt, caption)


def _growth(series: pd.DataFrame) -> Figure:
    case, dtype, mode = series[["case", "dtype", "mode"]].iloc[0]
    won = series.dropna(subset=["wins_from"]).drop_duplicates("device")
    told = [
        f"{device} is faster from {int(seeds):,} seeds on"
        for device, seeds in zip(won["device"], won["wins_from"], strict=True)
    ]
    caption = f"{case} in {dtype}, {mode}: {'; '.join(told) or 'none is faster for good'}."
    alt = f"Time of a step of {case} in {dtype} over the seeds trained together, by device"
    return _figure(charts.scaling(series), alt, caption)


def _figure(spec: charts.Spec, alt: str, caption: str) -> Figure:
    """Draw, or say why that cannot be done; Vega escapes the texts in its pictures itself."""
    try:
        return Figure(svg=Markup(charts.draw(spec)), alt=alt, caption=caption)
    except ValueError as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        return Figure(caption=f"{caption} It cannot be drawn: {reason}")


def _medians(losses: Array) -> tuple[float, float]:
    first, last = (median(np.where(np.isnan(column), np.inf, column)) for column in losses.T[[0, -1]])
    return first, last


def _counted(cell: Cell) -> str:
    dead = f" {len(cell.dead_seeds)} are dead." if cell.dead is not None else ""
    diverged, failed = cell.count(Status.DIVERGED), cell.count(Status.ERROR)
    more = f" {diverged} diverged: their final loss is not finite." if diverged else ""
    return dead + more + (f" {failed} could not be trained." if failed else "")


def _path(cell: Cell, name: str) -> Figure:
    curves = cell.graphs[cell.graphs["name"] == name]
    seeds = curves["seed"].nunique()
    closed = " Dashed: the closed form." if (curves["form"] != TRAINED).any() else ""
    alive = " Red ones are dead." if cell.dead is not None else ""
    alt = f"Path of {name} over updates for {seeds} seeds of {cell.case.name} on {cell.device} in {cell.dtype}"
    spec = charts.paths(curves, cell.dead_seeds, name)
    return _figure(spec, alt, f"{name} of {seeds} seeds.{alive}{closed}")


def _graph(cell: Cell) -> Figure:
    curves = cell.graphs[cell.graphs["name"] == GRAPH]
    seeds = curves["seed"].nunique()
    alt = f"Graphs of {seeds} trained networks of {cell.case.name} on {cell.device} in {cell.dtype}, over the data"
    spec = charts.fits(curves, cell.case.sketch.points)
    return _figure(spec, alt, f"What {seeds} seeds learnt; shaded: where the data lie.")
