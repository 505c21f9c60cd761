"""What is tried here is counted: how often, how often nothing was lost, and how often something was."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner
from tabulate import tabulate

from suite.cli import main
from tests.torture.tally import Tallies, Tally


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what is repeated for long first, so that side by side with -n nothing waits for it in the end."""

    def in_the_end(item: pytest.Item) -> bool:
        return item.get_closest_marker("torture") is None or "soak" not in getattr(item, "fixturenames", ())

    items.sort(key=in_the_end)


KEPT = pytest.StashKey[list[Tally]]()
COUNTED = "torture"
"""Under which a test's report says what the test counted, also to the controller of pytest-xdist."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much is tried, and where the table goes."""
    group = parser.getgroup("torture")
    group.addoption("--torture-table", type=Path, metavar="FILE", help="Write the table of what was tried to FILE.")
    group.addoption("--moments", type=int, default=100, help="Moments at which each thing is killed. Default: 100.")
    group.addoption("--soak-minutes", type=float, default=5.0, help="How long small runs are repeated. Default: 5.")
    group.addoption("--fuzz-minutes", type=float, default=1.0, help="How long readers are fuzzed. Default: 1.")
    group.addoption("--many-seeds", type=int, default=10**6, help="Seeds of the largest run. Default: a million.")


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tallies]:
    """Count tries under a name, or a part of it: ``tally("SIGKILL of a run").survived()``, or ``.lost("why")``."""
    counted: dict[tuple[str, str], Tally] = {}

    def named(what: str, part: str = "") -> Tally:
        return counted.setdefault((what, part), Tally(what, part))

    yield named
    request.node.user_properties.append((COUNTED, [asdict(tally) for tally in counted.values()]))


CASE = """
    '''One neuron without a bias.'''

    from functools import partial

    from torch import nn
    from torch.optim import SGD

    from suite import Case, fixed, graph, parameter, path

    CASE = Case(
        architecture=partial(nn.Linear, 1, 1, bias=False),
        data=fixed(x=[[1.0], [2.0]], target=[[5.0], [9.0]]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1, momentum=0.9),
        steps=20,
        expect=[parameter("weight", low=-100.0, high=100.0).share(0.5, 1.0), parameter("weight", low=-9.0).median()],
        show=[path("weight"), graph(low=-3.0, high=3.0, points=3)],
    )
"""


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a case, accept the run, compare it, and return the folder of all of it, to be left as it is.

    The run holds every file that one can hold.
    """
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "cases").mkdir()
    (folder / "cases/neuron.py").write_text(dedent(CASE).lstrip(), encoding="utf-8")
    run, baselines = str(folder / "a-run"), str(folder / "baselines")
    small = ["--device", "cpu", "--dtype", "float32,float64", "--seeds", "6"]
    for words in (
        ["run", "--cases", str(folder / "cases"), *small, "--out", run],
        ["accept", run, "--reason", "x", "--who", "me", "--baseline", baselines],
        ["compare", run, "--baseline", baselines],
    ):
        assert CliRunner().invoke(main, words).exit_code in {0, 3}
    shutil.copy(folder / "baselines/cpu/first.csv", folder / "a-run/again.csv")
    shutil.copy(folder / "baselines/cpu/first.csv", folder / "a-run/first.csv")
    return folder


@pytest.fixture(scope="session")
def moments(pytestconfig: pytest.Config) -> int:
    """Return at how many moments a thing is killed."""
    return int(pytestconfig.getoption("--moments", default=100))


def _kept(config: pytest.Config) -> list[Tally]:
    return config.stash.setdefault(KEPT, [])


class _Counting:
    """Gathers what tests counted, as each of them ends."""

    def __init__(self, kept: list[Tally]) -> None:
        self.kept = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test counted from its last report."""
        if report.when == "teardown":
            said: list[tuple[str, Any]] = report.user_properties
            self.kept += [Tally(**tally) for name, counted in said if name == COUNTED for tally in counted]


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the reports of tests, wherever they run."""
    config.pluginmanager.register(_Counting(_kept(config)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if anything was lost; write the table."""
    tallies = _kept(session.config)
    if any(tally.losses for tally in tallies) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    file = session.config.getoption("--torture-table", default=None)
    if file is not None and tallies and not hasattr(session.config, "workerinput"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_table([*_not_tried_again(file, tallies), *tallies]) + "\n", encoding="utf-8")


def _not_tried_again(file: Path, tallies: Sequence[Tally]) -> Iterator[Tally]:
    """Give what a table holds already and was not tried this time: a part of the session renews its own rows."""
    tried = {tally.what for tally in tallies}
    lines = file.read_text(encoding="utf-8").splitlines()[2:] if file.exists() else []
    for what, _, survived, lost in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines):
        if what not in tried:
            yield Tally(what, survivals=int(survived), losses=[""] * int(lost))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and below it why something was lost."""
    tallies = _kept(config)
    if tallies:
        terminalreporter.write_line(f"\n{_table(tallies)}")
    for tally in tallies:
        for reason in tally.losses:
            terminalreporter.write_line(f"lost: {tally.what}{tally.part and f' ({tally.part})'}: {reason}")


def _table(tallies: Iterable[Tally]) -> str:
    survived, lost = Counter[str](), Counter[str]()
    for tally in tallies:
        survived[tally.what] += tally.survivals
        lost[tally.what] += len(tally.losses)
    rows = [(what, survived[what] + lost[what], survived[what], lost[what]) for what in sorted(survived)]
    return tabulate(rows, headers=("what", "tried", "survived", "lost"), tablefmt="github")
