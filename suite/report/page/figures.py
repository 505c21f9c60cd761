"""The pictures of one cell: its losses, its parameters' paths, its graph; each with the words that stand for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from suite.judge.pairs import CellTables
from suite.observe import Array
from suite.picture import TRAINED
from suite.report.cells import Cell
from suite.report.page import charts
from suite.trial import Status

GRAPH = "output"
"""Name of the curve that is a network's graph; others are parameters' paths."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture, and what it shows in words."""

    svg: Markup
    alt: str
    caption: str


def figures_of(cell: Cell) -> Iterator[Figure]:
    """Draw all that a cell left to be drawn."""
    if cell.main is not None and len(cell.main.curves):
        yield from _losses(cell, cell.main)
    names = dict.fromkeys(str(name) for name in cell.graphs["name"])
    for name in names:
        yield _graph(cell) if name == GRAPH else _path(cell, name)


def _losses(cell: Cell, tables: CellTables) -> Iterator[Figure]:
    wide = tables.curves.pivot(index="seed", columns="step", values="loss")
    steps, dead = [int(step) for step in wide.columns], wide.index.isin(cell.dead_seeds)
    groups = {"live": wide.to_numpy()[~dead], "dead": wide.to_numpy()[dead]}
    drawn = {name: losses for name, losses in groups.items() if charts.has_place(losses)}
    caption = f"Loss of {len(wide)} seeds: median, half and nine tenths of them.{_counted(cell)}"
    if not drawn:
        yield Figure(svg=Markup(), alt="", caption=f"{caption} None is a positive number, so none is drawn.")
        return
    if not all(map(charts.all_placed, drawn.values())):
        caption += " Where a line ends, the loss is 0 or not finite."
    ends = " to ".join(f"{value:.3g}" for value in _medians(wide.to_numpy()))
    alt = f"Loss over steps of {cell.case.name} on {cell.device} in {cell.dtype}: the median goes from {ends}"
    yield Figure(svg=_drawn(charts.fan(steps, drawn)), alt=alt, caption=caption)


def growth_of(rows: pd.DataFrame) -> Iterator[Figure]:
    """Draw how a step's time grows with the seeds: a picture for each case, dtype and mode."""
    for (case, dtype, mode), series in rows.groupby(["case", "dtype", "mode"], sort=False):
        won = series.dropna(subset=["wins_from"]).drop_duplicates("device")
        told = [
            f"{device} is faster from {int(seeds):,} seeds on"
            for device, seeds in zip(won["device"], won["wins_from"], strict=True)
        ]
        caption = f"{case} in {dtype}, {mode}: {'; '.join(told) or 'none is faster for good'}."
        alt = f"Time of a step of {case} in {dtype} over the seeds trained together, by device"
        yield Figure(svg=_drawn(charts.scaling(series)), alt=alt, caption=caption)


def _drawn(spec: charts.Spec) -> Markup:
    """Draw; Vega escapes the texts in its pictures itself."""
    return Markup(charts.draw(spec))


def _medians(losses: Array) -> tuple[float, float]:
    first, last = (float(np.median(np.where(np.isnan(column), np.inf, column))) for column in losses.T[[0, -1]])
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
    return Figure(svg=_drawn(spec), alt=alt, caption=f"{name} of {seeds} seeds.{alive}{closed}")


def _graph(cell: Cell) -> Figure:
    curves = cell.graphs[cell.graphs["name"] == GRAPH]
    seeds = curves["seed"].nunique()
    alt = f"Graphs of {seeds} trained networks of {cell.case.name} on {cell.device} in {cell.dtype}, over the data"
    spec = charts.fits(curves, cell.case.sketch.points)
    return Figure(svg=_drawn(spec), alt=alt, caption=f"What {seeds} seeds learnt; shaded: where the data lie.")
