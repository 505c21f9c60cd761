"""A progress bar on stderr: what is running, how much is done, and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from suite.plan import Plan
from suite.report.escape import plain
from suite.trial import Trial


@contextmanager
def progress(plan: Plan, console: Console | None = None) -> Iterator[Callable[[Sequence[Trial]], None]]:
    """Show a bar over the plan's steps; give what to call with each chunk of finished trials."""
    steps = {(cell.case.name, cell.mode): cell.steps for cell in plan.cells}
    total = sum(len(cell.seeds) * cell.steps for cell in plan.cells)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = console or Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as bar:
        task = bar.add_task(plain(plan.cells[0].label) if plan.cells else "nothing to train", total=total)

        def watch(trials: Sequence[Trial]) -> None:
            last = trials[-1]
            label = f"{last.case}[{last.device}-{last.dtype}]"
            bar.update(task, description=plain(label), advance=len(trials) * steps[last.case, last.mode])

        yield watch
