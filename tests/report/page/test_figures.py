"""What a cell left is drawn, or told; how much of it is drawn is bounded, whatever a run's files hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from suite.picture import TRAINED
from suite.report.cells import cells_of
from suite.report.judged import JudgedRun
from suite.report.page import charts
from suite.report.page.figures import GRAPH, MOST_CURVES, Album, Figure
from suite.trial import RunRecord, Trial

TrialOf = Callable[..., Trial]
RunOf = Callable[..., RunRecord]
FiguresOf = Callable[..., list[Figure]]

LARGEST = 1.7976931348623157e308
"""Which no number of five digits is near."""


@pytest.fixture
def figures_of(run_of: RunOf) -> FiguresOf:
    """Draw all cells of a run that left these trials; ``points`` are the data of its cases."""

    def make(
        trials: Sequence[Trial], *, points: Sequence[tuple[float, float]] = (), album: Album | None = None
    ) -> list[Figure]:
        run, kept = run_of(trials), album or Album()
        cases = tuple(replace(c, sketch=replace(c.sketch, points=tuple(points))) for c in run.manifest.cases)
        judged = JudgedRun(run=replace(run, manifest=replace(run.manifest, cases=cases)))
        return [figure for cell in cells_of([judged]) for figure in kept.of_cell(cell)]

    return make


def left(*values: float, name: str = "w") -> tuple[tuple[str, str, float, float], ...]:
    """Return the curve of one seed through these values."""
    return tuple((name, TRAINED, float(x), y) for x, y in enumerate(values))


def test_losses_of_which_few_are_numbers_are_told_and_not_drawn(figures_of: FiguresOf, trial_of: TrialOf) -> None:
    """One ordinary seed among thirty-nine that are 0 is none of the quantiles that are drawn."""
    curves = [((0, 0.0), (1, 0.0), (2, 0.0))] * 39 + [((0, 1.0), (1, 0.5), (2, 0.25))]
    (figure,) = figures_of([trial_of(seed, curve=curve) for seed, curve in enumerate(curves)])
    assert (figure.svg, figure.alt) == ("", "")
    assert figure.caption.endswith("None of these is a positive number, so none is drawn.")


@pytest.mark.parametrize("many", [1, 2])
def test_the_largest_losses_are_drawn(figures_of: FiguresOf, trial_of: TrialOf, many: int) -> None:
    """A loss that rounds to no float, and two whose mean is none, end no report."""
    (figure,) = figures_of([trial_of(seed, curve=((0, LARGEST), (1, 1.0), (2, 2.0))) for seed in range(many)])
    assert "svg" in figure.svg


@pytest.mark.parametrize("value", [LARGEST, 5e-324, -5e-324, 1e-310, 0.0])
def test_curves_of_the_largest_and_the_smallest_numbers_are_drawn(
    figures_of: FiguresOf, trial_of: TrialOf, capfd: pytest.CaptureFixture[str], value: float
) -> None:
    """A path and a graph through numbers at the ends of what a float holds are drawn, and Vega has no complaint."""
    drawn = (*left(5e-324, value), *left(5e-324, value, name=GRAPH))
    figures = figures_of([trial_of(0, curve=(), graphs=drawn)], points=[(value, 5e-324), (5e-324, value)])
    assert ["svg" in figure.svg for figure in figures] == [True, True]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_drawn_is_told_with_the_reason(
    figures_of: FiguresOf, trial_of: TrialOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Vega does not take leaves words in its place: what it would have shown, and why it does not."""

    def refuse(_: charts.Spec) -> str:
        raise ValueError(f"it failed:\n  no scale {'x' * 999}")

    monkeypatch.setattr("suite.report.page.charts.draw", refuse)
    figures = figures_of([trial_of(0, graphs=(*left(1.0, 2.0), *left(1.0, 2.0, name=GRAPH)))])
    assert [figure.svg for figure in figures] == ["", "", ""]
    captions = [figure.caption for figure in figures]
    assert all(re.search(r"\. It cannot be drawn: it failed: no scale x+$", caption) for caption in captions)
    assert all(len(caption) < 400 for caption in captions)


def test_a_few_of_many_curves_are_drawn(figures_of: FiguresOf, trial_of: TrialOf) -> None:
    """A cell may have left curves by any number of names; how many are not drawn is told."""
    curves = [left(1.0, 2.0, name=f"w{place}") for place in range(MOST_CURVES + 3)]
    *drawn, told = figures_of([trial_of(0, curve=(), graphs=tuple(point for curve in curves for point in curve))])
    assert [figure.caption.partition(" ")[0] for figure in drawn] == [f"w{place}" for place in range(MOST_CURVES)]
    assert (told.svg, told.caption) == ("", "3 more curves are recorded; graphs.csv holds them.")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count what is drawn."""
    drawn: list[Any] = []

    def draw(spec: charts.Spec) -> str:
        drawn.append(spec)
        return "<svg/>"

    monkeypatch.setattr("suite.report.page.charts.draw", draw)
    return drawn


def test_a_page_holds_so_many_pictures(figures_of: FiguresOf, trial_of: TrialOf, counted: list[Any]) -> None:
    """What a full page has no room for is not drawn, and each cell says how many that were."""
    trials = [trial_of(0, case=f"c{case}", graphs=left(1.0, 2.0)) for case in range(4)]
    figures = figures_of(trials, album=Album(room=3))
    assert len(counted) == 3
    assert [bool(figure.svg) for figure in figures] == [True, True, True, False, False, False]
    assert [figure.caption.partition(" not ")[0] for figure in figures[3:]] == ["1 more", "2 more", "2 more"]
    assert "at most 5,000 pictures" in figures[-1].caption
