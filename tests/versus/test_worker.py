"""The worker: answers line by line, does what it is asked, and keeps its channel clean."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from suite.discover import load
from suite.errand import Chunk, Errand, train_here
from suite.machine import Settings, fingerprint
from suite.plan import Cell
from suite.version import case_version
from suite.versus import worker

HEAVY = {"pandas", "pandera", "pydantic", "scipy", "rich", "click", "joblib", "tabulate", "platformdirs", "filelock"}
SETTINGS = asdict(Settings())

Write = Callable[[str, str], Path]


@pytest.fixture
def cell(write: Write, case_text: str) -> Cell:
    """Return a cell of a case that a worker can load."""
    (case,) = load(write("neuron.py", case_text))
    return Cell(case=case, version=case_version(case), device="cpu", dtype="float64", mode="ensemble", seeds=range(3))


def errand_of(cell: Cell) -> dict[str, Any]:
    """Return a cell with all its seeds as an errand travels."""
    return asdict(Errand.of(Chunk(cell=cell, seeds=tuple(cell.seeds))))


def asked(do: str, **request: Any) -> dict[str, Any]:
    """Return what a worker in this process answers, as it arrives."""
    line = json.loads(json.dumps({"do": do, "settings": SETTINGS, **request}))
    answer = json.loads(json.dumps(worker._answer(line)))
    assert isinstance(answer, dict)
    return answer


def test_a_worker_trains_what_would_be_trained_here(cell: Cell) -> None:
    """The trials that a worker answers with are those that this process would have left, clocks apart."""
    here = train_here(Chunk(cell=cell, seeds=tuple(cell.seeds), timed=False), Settings())
    there = asked("train", errand=errand_of(cell))["answer"]
    wanted = json.loads(json.dumps([asdict(trial) for trial in here]))
    for rows in (there, wanted):
        for row in rows:
            row.pop("train_seconds")
            row.pop("yardstick_seconds")
            row.pop("waiting_share")
    assert there == wanted


def test_a_worker_describes_its_machine() -> None:
    """The fingerprint is this machine's, with the devices that were named."""
    assert asked("describe", devices=["cpu"]) == {"answer": asdict(fingerprint({"cpu": None}, Settings()))}


def test_a_device_that_is_not_here_is_a_fault() -> None:
    """Every device that is missing is named."""
    fault = asked("describe", devices=["cpu", "nonsense", "more"])["fault"]
    assert '--device "nonsense" is not here' in fault
    assert '--device "more" is not here' in fault


def test_what_goes_wrong_is_answered(cell: Cell) -> None:
    """Nothing that fails ends the worker: it answers with one line, and goes on."""
    assert asked("nonsense") == {"fault": "KeyError: 'nonsense'"}
    changed = {**errand_of(cell), "version": "another"}
    assert "where version another is to be trained" in asked("train", errand=changed)["fault"]


def test_a_worker_tells_what_cannot_be_an_ensemble(cell: Cell) -> None:
    """A case whose seeds can be trained together has no reason against it."""
    assert asked("why_not", errand=errand_of(cell)) == {"answer": None}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_times_a_step(cell: Cell, threads: int) -> None:
    """A step takes some time, by whichever clock."""
    settings = asdict(Settings(threads=threads))
    assert asked("clock", errand=errand_of(cell), seeds=[0, 1, 2], settings=settings)["answer"] > 0.0


def test_a_worker_needs_no_more_than_torch(cell: Cell) -> None:
    """To train and to time, a worker imports none of what judges and reports."""
    requests = [
        {"do": "train", "errand": errand_of(cell), "settings": SETTINGS},
        {"do": "clock", "errand": errand_of(cell), "seeds": [0], "settings": SETTINGS},
    ]
    code = (
        "import sys\nfrom suite.versus.worker import main\nmain()\n"
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="".join(f"{json.dumps(request)}\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert [list(json.loads(line)) for line in done.stdout.splitlines()] == [["answer"], ["answer"]]
    assert not HEAVY & set(done.stderr.split())
