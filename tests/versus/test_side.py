"""One side: its command is read as a shell would, and whatever its worker does instead of answering is told."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.versus.side import Environment, parse_environment, seated

Write = Callable[[str, str], Path]


@pytest.fixture
def fake(write: Write) -> Callable[[str], Environment]:
    """Return an environment whose worker is this code, whatever it is asked for."""

    def make(code: str) -> Environment:
        file = write("fake.py", f"import os, sys\n{code}\n")
        return Environment(name="B", variables={}, command=(sys.executable, str(file)))

    return make


def answered(environment: Environment) -> object:
    """Ask such a worker once and return what it answers."""
    with seated((environment, environment)) as (side, _):
        return side.ask(do="anything")


def test_a_command_is_read_with_its_settings() -> None:
    """Settings stand before the command; what looks like one behind it is an argument."""
    found = parse_environment("B", "KERNELS='a b' N=1 python3 -X frozen=off")
    assert found.variables == {"KERNELS": "a b", "N": "1"}
    assert found.command == ("python3", "-X", "frozen=off")
    assert found.label == "B (KERNELS='a b' N=1 python3 -X frozen=off)"


@pytest.mark.parametrize("text", ["", "N=1", "'python3", "N=1 M="])
def test_what_is_no_command_is_refused(text: str) -> None:
    """A text without a command, or with quotes that do not match, is a fault that names the side."""
    with pytest.raises(SuiteError, match=r"^B "):
        parse_environment("B", text)


def test_an_answer_is_returned(fake: Callable[[str], Environment]) -> None:
    """What the worker answers comes back, infinity too."""
    code = "for line in sys.stdin: print('{\"answer\": [1, -Infinity]}', flush=True)"
    assert answered(fake(code)) == [1, -math.inf]


def test_a_worker_finds_the_package_and_nothing_beside_it(fake: Callable[[str], Environment]) -> None:
    """Before all other paths stands a folder with the package alone, so that each side imports its own torch."""
    code = "print('{\"answer\": \"' + ' '.join(os.listdir(os.environ['PYTHONPATH'].split(os.pathsep)[0])) + '\"}')"
    assert answered(fake(code)) == "suite"


NO_ANSWERS = {
    "os._exit(3)": "ended with 3; it said nothing",
    "sys.exit('no torch here')": "ended with 1; its last words: no torch here",
    "sys.stdin.readline(); print('hi', flush=True)": "answered 'hi\\n', which is no worker's answer",
    "sys.stdin.readline(); print('[1]', flush=True)": "which is no worker's answer",
    "print(sys.stdin.readline(), flush=True)": "which is no worker's answer",
    'sys.stdin.readline(); print(\'{"fault": "too hot"}\', flush=True)': "too hot",
    "print('begun', file=sys.stderr); sys.stdin.readline(); os._exit(0)": "ended with 0; its last words: begun",
}


@pytest.mark.parametrize("code", NO_ANSWERS)
def test_a_worker_that_does_not_answer_is_told(fake: Callable[[str], Environment], code: str) -> None:
    """A worker that ends, answers something else or finds a fault gives one line: side, command, and what it said."""
    environment = fake(code)
    with pytest.raises(SuiteError) as told:
        answered(environment)
    (line,) = told.value.faults
    assert line.startswith(f"{environment.label}: ")
    assert NO_ANSWERS[code] in line


def test_a_worker_that_does_not_end_is_ended(
    fake: Callable[[str], Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that goes on after it was told to end is killed, and nothing waits for it."""
    monkeypatch.setattr("suite.versus.side.GRACE_SECONDS", 0.1)
    environment = fake("import time\nprint('{\"answer\": 1}', flush=True)\ntime.sleep(600)")
    with seated((environment, environment)) as sides:
        assert [side.ask(do="anything") for side in sides] == [1, 1]
    assert [side.process.returncode for side in sides] == [-9, -9]


def test_a_python_that_is_not_there_is_told() -> None:
    """A command that cannot be started is a fault of its side."""
    ours = parse_environment("A", shlex.quote(sys.executable))
    with pytest.raises(SuiteError, match=r"^B \(/no/such/python\): cannot be started: No such file"):
        answered_by(ours, parse_environment("B", "/no/such/python"))


def answered_by(ours: Environment, theirs: Environment) -> None:
    """Start both, and ask nothing."""
    with seated((ours, theirs)):
        pass
