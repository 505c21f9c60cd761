"""What several test files need: a small case, a cell of it, and case files written by the test."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import settings
from psutil import Error as PsutilError
from psutil import Process
from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.clause import Clause
from suite.cli import main
from suite.judge.pairs import Pairs, by_cell
from suite.machine import Device, Machine, Settings
from suite.plan import Cell
from suite.records import in_memory, read_run
from suite.records.lock import LOCK_FILE
from suite.trial import CLOCKS, PARTS, DeclaredCase, Manifest, PlannedCell, RunRecord, Status, Trial

# The same examples in every run, however slow the machine: a red test is never the luck of the draw.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

# As in a run: networks of this size are slower with two threads, and tests that run side by side share the cores.
torch.set_num_threads(1)

CASE_TEXT = """
    '''One neuron without a bias.'''

    from functools import partial

    from torch import nn
    from torch.optim import SGD

    from suite import Case, fixed

    CASE = Case(
        architecture=partial(nn.Linear, 1, 1, bias=False),
        data=fixed(x=[1.0], target=[5.0]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1, momentum=0.9),
        steps=3,
    )
"""


@pytest.fixture
def neuron() -> Case:
    """One neuron without a bias, trained as the guide does: its whole way is a linear recurrence."""
    return Case(
        name="neuron",
        architecture=partial(nn.Linear, 1, 1, bias=False),
        data=fixed(x=[1.0], target=[5.0]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1, momentum=0.9),
        steps=100,
    )


@pytest.fixture
def cell_of() -> Callable[..., Cell]:
    """Make a cell of a case: on the CPU, in float64, with three seeds, unless said otherwise."""

    def make(case: Case, **given: Any) -> Cell:
        fields: dict[str, Any] = {"device": "cpu", "dtype": "float64", "mode": "eager", "seeds": range(3)}
        return Cell(case=case, version="0" * 12, **(fields | given))

    return make


@pytest.fixture(scope="session")
def case_text() -> str:
    """Return the text of a case file that has no fault."""
    return dedent(CASE_TEXT).lstrip()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file under the test's own folder, by its path there and its text; return its path."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip(), encoding="utf-8")
        return path

    return put


PROBED_BY = 1e-4
"""How far an ulp moved everything of a trial made by hand."""


@pytest.fixture(scope="session")
def trial_of() -> Callable[..., Trial]:
    """Make the trial of one seed of a three-step cell; every seed has digests and losses of its own."""

    def make(seed: int = 0, **given: Any) -> Trial:
        first = 1.0 + 2.0**-8 * (seed % 64)
        digests = {f"{part}_digest": f"{part}-{seed}" for part in ("init", "gradient", "update", "final")}
        norms = {f"{part}_norm": first for part in ("init", "start", "gradient", "update", "final")}
        norms |= {f"{part}_projection": -first / 2 for part in ("start", "gradient", "update")}
        fields: dict[str, Any] = {
            "case": "neuron",
            "case_version": "0" * 12,
            "seed": seed,
            "device": "cpu",
            "dtype": "float64",
            "mode": "eager",
            "status": Status.OK,
            "steps": 3,
            "first_loss": first,
            "final_loss": first / 8,
            "train_seconds": 0.002,
            "seeds_together": 1,
            "yardstick_seconds": 0.001,
            "waiting_share": 0.0,
            "compile_seconds": 0.0,
            "data_digest": "data",
            "data_norm": 5.0,
            "data_projection": -3.0,
            "curve": ((0, first), (1, first / 2), (2, first / 4)),
            "observations": (("w", 5.0), ("dead", 0.0)),
            "distances": (*((part, 0, PROBED_BY) for part in PARTS[:2]), *(("loss", s, PROBED_BY) for s in range(4))),
        }
        return Trial(**(digests | norms | fields | given))

    return make


@pytest.fixture(scope="session")
def machine() -> Machine:
    """Describe a machine with a processor and one card."""
    devices = ("cpu", "cuda:0")
    return Machine(
        torch="2.13.0",
        torch_build="b" * 12,
        numpy="2.0.0",
        python="CPython 3.11.7",
        system="Linux 6.1 x86_64",
        cores=2,
        variables={},
        settings=Settings(),
        devices={name: Device(name=name, model=f"model of {name}", details={"kernels": "plain"}) for name in devices},
    )


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    """Make the manifest of a run that set out to train these very trials, and did."""

    def make(trials: Sequence[Trial], *, clauses: Sequence[Clause] = (), **given: Any) -> Manifest:
        cells: dict[tuple[str, ...], list[Trial]] = {}
        for trial in trials:
            cells.setdefault((trial.case, trial.device, trial.dtype, trial.mode), []).append(trial)
        versions = {trial.case: trial.case_version for trial in trials}
        fields: dict[str, Any] = {
            "run": "a-run",
            "started": "2030-01-01T00:00:00+00:00",
            "roots": ("documented",),
            "known_cases": tuple(versions),
            "cases": tuple(_declared(name, version, clauses) for name, version in versions.items()),
            "cells": tuple(_planned(of_cell) for of_cell in cells.values()),
            "complete": True,
        }
        return Manifest(**(fields | given))

    return make


@pytest.fixture(scope="session")
def run_of(manifest_of: Callable[..., Manifest], machine: Machine) -> Callable[..., RunRecord]:
    """Make a run that holds these trials, on the tests' machine unless another is given."""

    def make(trials: Sequence[Trial], *, on: Machine = machine, **given: Any) -> RunRecord:
        return in_memory(manifest_of(trials, **given), on, trials)

    return make


@pytest.fixture(scope="session")
def pairs_of(run_of: Callable[..., RunRecord]) -> Callable[..., Pairs]:
    """Put the trials of one cell beside those of its baseline."""

    def make(ours: Sequence[Trial], theirs: Sequence[Trial]) -> Pairs:
        (mine,), (yours,) = (by_cell(run_of(trials)).values() for trials in (ours, theirs))
        return Pairs(mine, yours)

    return make


def _declared(name: str, version: str, clauses: Sequence[Clause]) -> DeclaredCase:
    return DeclaredCase(
        name=name,
        version=version,
        folder="guide",
        source=f"guide/{name}.py",
        steps=3,
        drawn=True,
        claims=("G1",),
        clauses=tuple(clauses),
    )


def _planned(trials: Sequence[Trial]) -> PlannedCell:
    first = trials[0]
    seeds = [trial.seed for trial in trials]
    return PlannedCell(
        case=first.case,
        device=first.device,
        dtype=first.dtype,
        mode=first.mode,
        first_seed=min(seeds),
        seeds=max(seeds) - min(seeds) + 1,
        short=False,
    )


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test, and the processes that it starts, an empty folder for what is kept between calls."""
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home / "suite"


@pytest.fixture
def invoke(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line in this process, in the test's own folder: ``invoke("run", "--seeds", "3")``."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)  # what is printed is what a file or another program gets

    def call(*words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], prog_name="suite", catch_exceptions=False)

    return call


# What is killed, crowded and starved.

SERVER = """
    import gc, json, os, signal, sys
    from pathlib import Path

    from suite.cli import main

    def note(told, name, number):
        (told / "beside").write_text(str(number))
        (told / "beside").rename(told / name)

    try:
        main(["run", "relu", "--seeds", "2", "--device", "cpu", "--dtype", "float32", "--out", sys.argv[1]])
    except SystemExit:
        pass
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        place, folder, words = json.loads(line)
        told = Path(place)
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = os.fork()
        if child:
            note(told, "pid", child)
            note(told, "code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os._exit(0)
        os.setsid()
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, file in enumerate((os.devnull, told / "out", told / "err")):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["suite", *words]
        main()  # which ends this process
"""
"""Starts the command line without the seconds that importing takes: in copies of a process that did so, and trained."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A command that was started in a process group of its own."""

    told: Path
    """Where its output, its number and its exit code come to lie."""
    pid: int

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def workers(self) -> list[int]:
        """Return the numbers of its worker processes, oldest first."""
        with suppress(PsutilError):  # it has just ended
            children = Process(self.pid).children(recursive=True)
            servers = [child.pid for child in children if "forkserver" in " ".join(child.cmdline())]
            return [child.pid for child in children if child.ppid() in servers]
        return []

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return (self.told / "code").exists()

    def wait(self, seconds: float = 120.0) -> tuple[int, str]:
        """Return its exit code, below zero for a signal, and its error output."""
        until(self.ended, seconds)
        told = self.told / "err"  # which is not there yet if it was killed at once
        return int((self.told / "code").read_text()), told.read_text(encoding="utf-8") if told.exists() else ""


def until(true: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not come true within {seconds} seconds"
        time.sleep(0.002)


@pytest.fixture(scope="session")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Begun]]:
    """Start the command line in a folder, in a process of its own, at once: ``begin(folder, "run", "--seeds", 3)``."""
    home = tmp_path_factory.mktemp("begun")
    numbers = count()
    env = os.environ | {"XDG_CACHE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", dedent(SERVER), str(home / "first")]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, env=env, **pipes) as server:
        assert server.stdin is not None

        def start(folder: Path, *words: object) -> Begun:
            told = home / str(next(numbers))
            told.mkdir()
            print(json.dumps([str(told), str(folder), list(map(str, words))]), file=server.stdin, flush=True)
            until((told / "pid").exists)
            return Begun(told=told, pid=int((told / "pid").read_text()))

        start(home, "--version").wait()  # which is after the first run
        yield start
        server.stdin.close()


@pytest.fixture(scope="session")
def left_by() -> Callable[[Path], dict[str, object]]:
    """Return what a run left, by file, hidden ones too; apart from its name, its start and what its clocks said."""

    def read(folder: Path) -> dict[str, object]:
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != LOCK_FILE}
        manifest = json.loads(files.pop("run.json")) | {"run": "", "started": ""}
        return files | {"run.json": manifest, "trials.csv": _without_clocks(files["trials.csv"])}

    return read


def _without_clocks(table: bytes) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(table.decode(), newline=""))
    return [{name: word for name, word in row.items() if name not in ("run", *CLOCKS)} for row in rows]


@dataclass(frozen=True, kw_only=True)
class Mortal:
    """A run of a small case, which is begun again and again, killed at some moment, and then completed.

    Where its folder holds a file "hold", its worker processes wait, and make a file "held".
    """

    home: Path
    start: Callable[..., Begun]
    read: Callable[[Path], dict[str, object]]
    whole: dict[str, object]
    """What it leaves if nothing disturbs it."""
    seconds: float
    """How long that takes."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def words(self) -> list[str]:
        """Return the command that begins it, without its folder and its engine."""
        return ["run", "--cases", "cases", "--device", "cpu", "--seeds", "24"]

    def begin(self, *words: str) -> tuple[Path, Begun]:
        """Begin it in a new folder."""
        folder = self.home / f"run {next(self.numbers)}"
        return folder, self.start(self.home, *self.words, "--out", folder.name, *words)

    @contextmanager
    def held(self) -> Iterator[tuple[Path, Begun]]:
        """Begin it in worker processes, and give it once it waits there."""
        (self.home / "held").unlink(missing_ok=True)
        (self.home / "hold").touch()
        folder, begun = self.begin("--engine", "processes")
        try:
            until(lambda: (self.home / "held").exists() or begun.ended())
            yield folder, begun
        finally:
            (self.home / "hold").unlink()

    def killed(self, number: int, moment: float, *words: str) -> tuple[Path, int, str]:
        """Begin it, send it a signal after so many seconds; return its folder, its exit code and its error output."""
        folder, begun = self.begin(*words)
        time.sleep(moment)
        begun.send(number)
        return folder, *begun.wait()

    def check(self, folder: Path) -> None:
        """Assert that what a run left can be read, is part of what it would have left, and is completed to all of it.

        Where a run had not begun, its command begins it.
        """
        begun = (folder / "run.json").exists()
        if begun:
            read_run(folder)
            rows: Any = self.read(folder)["trials.csv"]
            wanted: Any = self.whole["trials.csv"]
            assert all(row in wanted for row in rows)
        resume = ["--resume"] if begun else []
        assert self.start(self.home, *self.words, "--out", folder, *resume).wait() == (0, "")
        assert self.read(folder) == self.whole


IMPORTS = """import time
from multiprocessing import current_process
from pathlib import Path
from functools"""

HELD = """

def build():
    while Path("hold").exists() and current_process().name != "MainProcess":
        Path("held").touch()
        time.sleep(0.01)
    return nn.Linear(1, 1, bias=False)


CASE ="""


@pytest.fixture(scope="session")
def mortal(
    tmp_path_factory: pytest.TempPathFactory,
    case_text: str,
    begin: Callable[..., Begun],
    left_by: Callable[[Path], dict[str, object]],
) -> Mortal:
    """Return a run that may be killed, and what it leaves undisturbed."""
    text = case_text.replace("steps=3", "steps=30").replace("partial(nn.Linear, 1, 1, bias=False)", "build")
    home = tmp_path_factory.mktemp("mortal")
    (home / "cases").mkdir()
    (home / "cases/neuron.py").write_text(text.replace("from functools", IMPORTS, 1).replace("\nCASE =", HELD))
    run = Mortal(home=home, start=begin, read=left_by, whole={}, seconds=0.0)
    start = time.monotonic()
    folder, begun = run.begin()
    assert begun.wait() == (0, "")
    return replace(run, whole=left_by(folder), seconds=time.monotonic() - start)


# What is repeated for long.


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What one process held after each of many rounds of the same work."""

    memory: Sequence[float]
    """Bytes that are resident."""
    files: Sequence[int]
    threads: Sequence[int]

    def check(self) -> None:
        """Assert that once it is warm, nothing grows: no file, no thread, and no memory beyond what comes and goes."""
        warm = len(self.memory) // 2
        assert max(self.files[warm:]) <= max(self.files[:warm])
        assert max(self.threads[warm:]) <= max(self.threads[:warm])
        third, last = np.array_split(np.array(self.memory[warm:]), 2)
        assert np.median(last) - np.median(third) <= max(GROWTH, np.ptp(third))


GROWTH = 16 * 2**20
"""Bytes between the third and the last quarter of the rounds that an allocator may take of its own accord."""


@pytest.fixture
def soak(mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Soaked]:
    """Train, judge, compare, accept and draw small runs in this process for so many seconds, and at least 8 times."""

    def call(*words: str) -> None:
        done = CliRunner().invoke(main, list(words), prog_name="suite", catch_exceptions=False)
        assert done.exit_code in {0, 1, 3}, done.output  # times of so small a run are no matter here

    def rounds() -> None:
        call("run", "--cases", "cases", "--device", "cpu", "--dtype", "float64", "--seeds", "8", "--out", "run")
        call("accept", "run", "--reason", "once more")
        call("compare", "run", "--report", "verdicts.md")
        call("report", "run")
        shutil.rmtree("run")
        gc.collect()

    def repeat(seconds: float) -> Soaked:
        me, held = Process(), list[tuple[float, int, int]]()
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(held) < 8:
            rounds()
            held.append((me.memory_info().rss, me.num_fds(), me.num_threads()))
        memory, files, threads = zip(*held, strict=True)
        return Soaked(memory=memory, files=files, threads=threads)

    shutil.copytree(mortal.home / "cases", tmp_path / "cases")
    monkeypatch.chdir(tmp_path)
    return repeat
