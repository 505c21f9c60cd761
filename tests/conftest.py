"""What several test files need: a small case, a cell of it, and case files written by the test."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import settings

from suite.case import Case
from suite.clause import Clause
from suite.cli import main
from suite.judge.pairs import Pairs, by_cell
from suite.machine import Device, Machine, Settings
from suite.plan import Cell
from suite.records import in_memory
from suite.trial import PARTS, DeclaredCase, Manifest, PlannedCell, RunRecord, Status, Trial
from tests.cells import NEURON, MakeCell

pytest_plugins = ["tests.mortal", "tests.soaked"]

# The same examples in every run, however slow the machine: a red test is never the luck of the draw.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

# As in a run: networks of this size are slower with two threads, and tests that run side by side share the cores.
torch.set_num_threads(1)

# A shell lets what it begins in the background ignore Ctrl-C, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
    """Return one neuron without a bias, trained as the guide does."""
    return NEURON


@pytest.fixture
def cell_of() -> MakeCell:
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
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in the test's folder, so that paths are said relative to it."""
    monkeypatch.chdir(tmp_path)


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


@pytest.fixture
def refuse_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the system refuse to list folders of a name; of permissions alone, root would take no notice."""

    def refuse(name: str) -> None:
        sound = Path.iterdir

        def closed(self: Path) -> Iterator[Path]:
            if self.name == name:
                raise PermissionError(errno.EACCES, "Permission denied")
            return sound(self)

        monkeypatch.setattr(Path, "iterdir", closed)

    return refuse
