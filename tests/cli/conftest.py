"""What tests of the command line train: two small cases, in a folder of the test's own."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result

from suite import trial

Invoke = Callable[..., Result]
RowsOf = Callable[[Path], list[dict[str, str]]]
Write = Callable[[str, str], Path]

CLOCKS = ("run", *trial.CLOCKS)
SMALL = ("--cases", "cases", "--device", "cpu", "--dtype", "float64", "--mode", "eager", "--seeds", "16")


@pytest.fixture
def cases(write: Write, case_text: str) -> Path:
    """Write a folder of two cases: a neuron, and one with a leaky ReLU behind it."""
    longer = case_text.replace("steps=3", "steps=30")
    leaky = longer.replace("partial(nn.Linear, 1, 1, bias=False)", "build").replace("CASE =", f"{BUILD}\nCASE =")
    write("cases/leaky.py", leaky)
    return write("cases/neuron.py", longer).parent


BUILD = "def build():\n    return nn.Sequential(nn.Linear(1, 1), nn.LeakyReLU())\n"


@pytest.fixture
def expecting(write: Write, case_text: str) -> Callable[[str], Path]:
    """Write a case that expects this."""

    def make(expectation: str) -> Path:
        text = case_text.replace("Case, fixed", "Case, fixed, parameter, untrained")
        return write("cases/neuron.py", text.replace("steps=3,", f"steps=3, expect=[{expectation}],"))

    return make


@pytest.fixture(scope="session")
def rows_of() -> RowsOf:
    """Return the rows of a run's trials, without what the clocks and the run's name make of them."""

    def read(run: Path) -> list[dict[str, str]]:
        with (run / "trials.csv").open(encoding="utf-8", newline="") as stream:
            return [{k: v for k, v in row.items() if k not in CLOCKS} for row in csv.DictReader(stream)]

    return read


@pytest.fixture
def train(invoke: Invoke) -> Invoke:
    """Train what these tests train, small: ``train("neuron", "--out", "a-run")``."""
    return partial(invoke, "run", *SMALL)


@pytest.fixture
def accepted(cases: Path, invoke: Invoke, train: Invoke, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train the cases and accept them as the baseline, on a machine whose other work is nothing to the verdicts."""
    monkeypatch.setattr("suite.judge.time.SLOWER", 1000.0)
    for room in ("judge.time", "report.cells"):
        monkeypatch.setattr(f"suite.{room}.DISTURBED", math.inf)
    assert train("--out", "before").exit_code == 0
    assert invoke("accept", "before", "--reason", "the first").exit_code == 0
    return Path("before")
