"""A sitting: two workers train the same bits, and trials travel without losing one."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from suite.case import Case
from suite.discover import Collection
from suite.engine import Engine
from suite.errors import SuiteError
from suite.machine import Machine, Settings
from suite.plan import Plan
from suite.trial import Trial
from suite.versus import sitting
from suite.versus.side import Environment
from suite.versus.sitting import _as
from suite.workflow import Task
from tests.cells import MakeCell

Write = Callable[[str, str], Path]
Invoke = Callable[..., Result]
SMALL = ("--cases", "cases", "--dtype", "float64", "--seeds", "4", "--rounds", "12", "--json")


@given(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1]))
def test_trials_travel_bit_for_bit(trial_of: Callable[..., Trial], loss: float, other: float) -> None:
    """A trial that went through a line of JSON is the same: every number has its bits, NaN and infinity too."""
    trial = trial_of(2**64 - 1, final_loss=loss, first_loss=other, curve=((0, other), (1, loss)))
    line = json.dumps([asdict(trial)])
    (back,) = _as(list[Trial], None, json.loads(line))  # type: ignore[arg-type]
    assert repr(back) == repr(trial)
    assert [bits(value) for value in numbers(back)] == [bits(value) for value in numbers(trial)]


def numbers(trial: Trial) -> list[float]:
    """Return the losses of a trial."""
    return [trial.first_loss, trial.final_loss, *(loss for _, loss in trial.curve)]


def bits(value: float) -> bytes:
    """Return the bits of a number; any NaN has those of any other."""
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def test_a_machine_travels(machine: Machine) -> None:
    """A fingerprint that went through a line of JSON is the same."""
    assert _as(Machine, None, json.loads(json.dumps(asdict(machine)))) == machine  # type: ignore[arg-type]


@pytest.fixture
def cases(write: Write, case_text: str) -> Path:
    """Write a folder of one case: a neuron, which prints where the answers go."""
    longer = case_text.replace("steps=3", "steps=30").replace("partial(nn.Linear, 1, 1, bias=False)", "build")
    noisy = "import os\n\nprint('imported')\n\n\ndef build():\n    print('built')\n    os.write(1, b'drawn')\n"
    return write("cases/neuron.py", longer.replace("CASE =", f"{noisy}    return nn.Linear(1, 1)\n\n\nCASE =")).parent


def found(done: Result) -> dict[str, Any]:
    """Return what the command printed for a program, after what the case prints where it is looked through."""
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    assert isinstance(answer, dict)
    return answer


def row_of(done: Result) -> dict[str, Any]:
    """Return the one row of the table, as a program reads it."""
    (row,) = found(done)["rows"]
    assert isinstance(row, dict)
    return row


def test_a_python_is_as_itself(cases: Path, invoke: Invoke, python: str) -> None:
    """The same Python twice: no bit differs, whatever the case prints; nothing is slower; the table is written."""
    done = invoke("versus", python, python, *SMALL, "--out", "out")
    assert done.exit_code == 0, done.stderr
    assert "timing 1 cell in turns, 12 rounds" in done.stderr
    row = row_of(done)
    assert (row["losses"], row["stage"], row["largest_difference"], row["time"]) == ("pass", "", 0.0, "pass")
    assert row["time_low"] <= row["time_ratio"] <= row["time_high"]
    assert "neuron" in Path("out/versus.md").read_text(encoding="utf-8")
    assert Path("out/versus.csv").read_text(encoding="utf-8").startswith("case,dtype,device,losses,stage,")


def test_other_kernels_differ_in_the_fingerprint(cases: Path, invoke: Invoke, python: str) -> None:
    """A setting before the command chooses other kernels there, which is told, and losses stay within tolerance."""
    done = invoke("versus", python, f"ATEN_CPU_CAPABILITY=default {python}", *SMALL)
    assert done.exit_code == 0, done.stdout
    (told,) = found(done)["differences"]
    assert "$ATEN_CPU_CAPABILITY default (A: unset)" in told
    assert row_of(done)["losses"] == "pass"


SLOW = """
    from time import perf_counter

    from torch.optim import SGD

    own, ended = SGD.step, perf_counter()

    def step(self, *given):
        global ended
        own(self, *given)
        begun = perf_counter()
        while perf_counter() - begun < 0.5 * min(begun - ended, 0.001):
            pass
        ended = perf_counter()

    SGD.step = step
"""
"""Half a step's time more a step."""

OTHER_MOMENTUM = """
    from torch.optim import SGD

    own = SGD.__init__

    def init(self, parameters, lr, momentum):
        own(self, parameters, lr=lr, momentum=0.9 * momentum)

    SGD.__init__ = init
"""
"""An optimizer whose momentum is another than was asked for."""


def test_a_slowdown_is_found(cases: Path, invoke: Invoke, python: str, python_with: Callable[[str], str]) -> None:
    """A Python whose steps take half as long again has regressed; its losses have not."""
    done = invoke("versus", python, python_with(SLOW), *SMALL)
    assert done.exit_code == 1, done.stdout
    assert (row_of(done)["losses"], row_of(done)["time"]) == ("pass", "regressed")
    assert row_of(done)["pairs"] == 24


def test_a_fault_is_found(cases: Path, invoke: Invoke, python: str, python_with: Callable[[str], str]) -> None:
    """A Python with another momentum leaves A's losses after the first update, which momentum has no part in."""
    done = invoke("versus", python, python_with(OTHER_MOMENTUM), *SMALL)
    assert done.exit_code == 1, done.stdout
    assert (row_of(done)["losses"], row_of(done)["stage"]) == ("regressed", "later")


def test_a_python_without_torch_is_told(
    cases: Path, invoke: Invoke, python: str, python_with: Callable[[str], str]
) -> None:
    """A worker that cannot import torch gives one line, which names its side, and exit code 2."""
    bare = python_with("import sys\n\nsys.modules['torch'] = None\n")
    done = invoke("versus", python, bare, *SMALL)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(f"suite: B ({bare}): ModuleNotFoundError: ")


def test_faults_of_both_commands_are_told_at_once(cases: Path, invoke: Invoke) -> None:
    """Every fault of the command line is told before anything is started."""
    done = invoke("versus", "", "'", *SMALL, "--seeds", "none")
    assert done.exit_code == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("suite: ")]) == 3


class Fake:
    """Stands in for a side: answers at once, and notes when it was asked."""

    def __init__(self, name: str, asked: list[str], answer: object = 1.0) -> None:
        """Answer so, and note under this name."""
        self.environment = Environment(name=name, variables={}, command=("python3",))
        self.asked, self.answer = asked, answer

    def ask(self, **request: Any) -> object:
        """Answer."""
        self.asked.append(f"{self.environment.name}{request['errand']['name'][-1]}")
        return self.answer

    def fault(self, what: str) -> SuiteError:
        """Return what is wrong."""
        return SuiteError(f"{self.environment.name}: {what}")


@pytest.fixture
def task(cell_of: MakeCell, neuron: Case) -> Task:
    """Return a task of two short cells."""
    cells = [replace(cell_of(replace(neuron, name=f"neuron{n}", file=__file__)), short=True) for n in range(2)]
    collection = Collection(roots=("cases",), cases=tuple(cell.case for cell in cells), claims=())
    plan = Plan(cells=tuple(cells))
    return Task(
        collection=collection, plan=plan, settings=Settings(), engine=Engine.INLINE, folder=Path("versus"), notes=()
    )


def test_each_side_goes_first_as_often_as_the_other(task: Task) -> None:
    """Who goes first changes from cell to cell and from round to round; both are warmed up before."""
    asked: list[str] = []
    sides = Fake("A", asked), Fake("B", asked)
    ratios = sitting._take_turns(task.plan.cells, task, sides, 2)  # type: ignore[arg-type]
    assert asked == ["A0", "B0", "A1", "B1", "A0", "B0", "B1", "A1", "B0", "A0", "A1", "B1"]
    assert {key: list(values) for key, values in ratios.items()} == {
        (f"neuron{n}", "cpu", "float64"): [0.0, 0.0] for n in range(2)
    }


def test_ratios_are_of_b_over_a(task: Task) -> None:
    """A side that takes twice as long stands above the line if it is B, below if it is A."""
    slow, quick = Fake("A", [], 2.0), Fake("B", [], 1.0)
    ratios = sitting._take_turns(task.plan.cells[:1], task, (slow, quick), 1)  # type: ignore[arg-type]
    assert [np.exp(values).tolist() for values in ratios.values()] == [[0.5]]


def test_another_answer_than_asked_for_is_told(task: Task) -> None:
    """An answer that is none of what was asked for is a fault of its side."""
    with pytest.raises(SuiteError, match=r"^A: answered what no worker would"):
        sitting._take_turns(task.plan.cells, task, (Fake("A", [], "soon"), Fake("B", [])), 1)  # type: ignore[arg-type]


def test_devices_are_named_for_both(cases: Path, invoke: Invoke, python: str) -> None:
    """What is here on one side may be other devices than on the other; nothing is trained before that is told."""
    done = invoke("versus", python, python, *SMALL, "--device", "auto")
    assert (done.exit_code, "auto" in done.stderr, "training" in done.stderr) == (2, True, False)
