"""The progress bar says what is running and how far it is, and keeps quiet where nobody looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from rich.console import Console

from suite.case import Case
from suite.plan import Plan
from suite.report.progress import progress
from suite.trial import Trial
from tests.cells import MakeCell

TrialOf = Callable[..., Trial]


def shown(plan: Plan, *chunks: list[Trial], terminal: bool = True) -> str:
    """Return what a console shows while these chunks of trials finish."""
    screen = StringIO()
    with progress(plan, Console(file=screen, force_terminal=terminal, color_system=None, width=100)) as watch:
        for trials in chunks:
            watch(trials)
    return screen.getvalue()


def test_it_names_the_cell_and_counts_steps(neuron: Case, cell_of: MakeCell, trial_of: TrialOf) -> None:
    """The bar shows the cell by its whole label, and the steps done of all steps."""
    plan = Plan(cells=(cell_of(neuron), cell_of(neuron, dtype="float16", seeds=range(2))))
    text = shown(plan, [trial_of(0), trial_of(1)], [trial_of(0, dtype="float16")])
    assert "neuron[cpu-float64]" in text
    assert "neuron[cpu-float16]" in text
    assert re.search(r"\b300/500\b", text)


def test_names_are_shown_as_they_stand(neuron: Case, cell_of: MakeCell, trial_of: TrialOf) -> None:
    """A case's name is no markup to the bar, and cannot steer the terminal."""
    odd = replace(neuron, name="[/bold]\x1b[2Jx")
    text = shown(Plan(cells=(cell_of(odd),)), [trial_of(case=odd.name)])
    assert r"[/bold]\x1b[2Jx[cpu-float64]" in text


def test_nothing_to_train_is_said() -> None:
    """An empty plan shows a bar that says so."""
    assert "nothing to train" in shown(Plan(cells=()))


def test_it_is_quiet_where_nobody_looks(neuron: Case, cell_of: MakeCell, trial_of: TrialOf) -> None:
    """Where the error output is no terminal, the bar writes nothing."""
    assert shown(Plan(cells=(cell_of(neuron),)), [trial_of(0)], terminal=False) == ""
