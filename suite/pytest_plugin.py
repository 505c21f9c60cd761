"""The same verbs, as pytest items: ``pytest cases/`` runs every cell as ``case[device-dtype]``.

Loaded by every pytest in whose environment the suite is installed; so it imports nothing heavy
until a file that declares cases is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from suite.declaring import declares, may_declare
from suite.errors import SuiteError

if TYPE_CHECKING:
    from suite.discover import Collection
    from suite.judge import Verdict
    from suite.plan import Cell, Plan


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``suite run`` calls ``--device``, ``--dtype`` and ``--seeds``: names that other projects use, too."""
    group = parser.getgroup("suite", "cases of small networks")
    group.addoption("--suite-device", default="auto", help="torch devices, as cpu,cuda; auto takes what is here")
    group.addoption("--suite-dtype", default="all", help="dtypes, as float32,float64; or all")
    group.addoption("--suite-seeds", default=None, help="seeds: 100, or first and end, as 20:120")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Collect files that declare cases; of those that are named on the command line, those that may, too."""
    if file_path.suffix != ".py" or file_path.name.startswith(("test_", "conftest")):
        return None
    certain = not file_path.name.startswith("_") and declares(file_path)
    if not certain and not (parent.session.isinitpath(file_path) and may_declare(file_path)):
        return None
    file: CaseFile = CaseFile.from_parent(parent, path=file_path, certain=certain)
    return file


class CaseFile(pytest.File):
    """A file of cases; its items are their cells."""

    def __init__(self, *, certain: bool, **options: Any) -> None:
        """Hold whether it is ``certain`` that the file declares cases."""
        super().__init__(**options)
        self.certain = certain

    def collect(self) -> Iterator[pytest.Item]:
        """Give an item for each cell: its expectations, or with --benchmark-only one training step."""
        if not self.certain and not _holds_cases(self.path):
            return
        try:
            collection, plan = self._planned()
        except SuiteError as error:
            raise self.CollectError(str(error)) from error
        for cell in plan.cells:
            if self.config.getoption("benchmark_only", default=False):
                yield pytest.Function.from_parent(self, name=cell.label, callobj=_step_benchmark(cell))
            else:
                yield CellItem.from_parent(self, name=cell.label, collection=collection, cell=cell)

    def _planned(self) -> tuple[Collection, Plan]:
        from suite.discover import discover
        from suite.plan import DTYPES, ENSEMBLE, make_plan, parse_choice, parse_devices, parse_seeds
        from suite.train.suited import suited

        asked = {name: self.config.getoption(f"suite_{name}") for name in ("device", "dtype", "seeds")}
        devices, _ = parse_devices(asked["device"], "--suite-device")
        collection = discover([self.path])
        plan = make_plan(
            collection.cases,
            seeds=None if asked["seeds"] is None else parse_seeds(asked["seeds"], "--suite-seeds"),
            devices=devices,
            dtypes=parse_choice("--suite-dtype", asked["dtype"], DTYPES),
            modes=(ENSEMBLE,),
        )
        return collection, suited(plan)[0]


def _holds_cases(file: Path) -> bool:
    """Tell by its import whether a file declares cases; pytest imports it, too, and tells what is wrong with it."""
    from suite.discover import load

    try:
        return bool(load(file))
    except SuiteError:
        return False


class BrokenExpectationError(Exception):
    """What a case expects of a cell does not hold; the message is the verdict's sentence."""


class CellItem(pytest.Item):
    """One cell: trained and judged against what its case expects."""

    def __init__(self, *, collection: Collection, cell: Cell, **options: Any) -> None:
        """Hold the cell and the collection that its case is from."""
        super().__init__(**options)
        self.collection, self.cell = collection, cell

    def runtest(self) -> None:
        """Train the cell's seeds; fail with the sentence of what does not hold."""
        from suite.judge import Outcome
        from suite.report.escape import plain

        verdict = self._verdict()
        sentence = plain(verdict.sentence)
        if verdict.outcome is Outcome.INCONCLUSIVE:
            pytest.skip(sentence)
        if verdict.outcome is not Outcome.PASS:
            raise BrokenExpectationError(f"{plain(verdict.label)} {verdict.outcome.word}: {sentence}")
        self.add_report_section("call", "verdict", sentence)

    def _verdict(self) -> Verdict:
        from suite.engine import Engine
        from suite.judge import judge_expectations
        from suite.machine import Settings
        from suite.plan import Plan
        from suite.workflow import Task, unrecorded

        plan = Plan(cells=(self.cell,))
        task = Task(
            collection=self.collection, plan=plan, settings=Settings(), engine=Engine.INLINE, folder=Path("pytest")
        )
        (verdict,) = judge_expectations(unrecorded(task))
        return verdict

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the sentence of a broken expectation, not a traceback."""
        if isinstance(excinfo.value, BrokenExpectationError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style=style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the file and the cell."""
        return self.path, 0, self.name


def _step_benchmark(cell: Cell) -> Any:
    """Return a test function that times one training step of the cell's first seed."""

    def time_one_step(benchmark: Any) -> None:
        from suite.machine import Settings, applied
        from suite.train.eager import one_step

        with applied(Settings()):
            benchmark(one_step(cell))

    return time_one_step
