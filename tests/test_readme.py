"""Every command that the README gives does what stands beside it, and every table is the one that its command wrote."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from distributed import LocalCluster

import noxfile

PROJECT = Path(noxfile.__file__).parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")

FEW = ("--seeds", "16", "--dtype", "float32", "--device", "cpu")
"""What is added to a command that trains, so that it takes seconds; it says the same of fewer seeds."""

ADDED: dict[str, tuple[str, ...]] = {
    "run": FEW,
    "audit": ("relu_leaks", "--seeds", "20", "--repeats", "1"),
    "versus": ("relu", "--seeds", "2", "--rounds", "2"),
}

NAMED = {
    "/envs/old/bin/python": sys.executable,
    "python3": sys.executable,
    "square_*": "graph_*",
}
"""What stands for a name here: environments that are there, and cases of a hundred steps for those of ten thousand."""

BY_CI = ("nox -s bench", "nox -s tests")
"""Run in a fresh clone by .ci/run, with all that the README puts before them."""

ELSEWHERE = ("pip install -c", "dask scheduler", "dask worker", "suite run --engine dask://HOST:8786")
"""What takes several machines: see tests/test_cluster.py, which starts them on one."""

AT_THE_PROMPT = (".venv/bin/pip install -q -c constraints.txt -e '.[dask]'", ". .venv/bin/activate")
"""What puts the command onto the path, of the environment that the two commands make."""

MAKES = {"--out baseline-run": "baseline-run", "accept baseline-run": "baselines"}
"""What a command makes that is not there before it."""

GOES_ON = " || [ $? -ne 2 ]"
"""What follows a command in CI that may find something."""

Invoke = Callable[..., Result]


def commands(text: str) -> list[str]:
    """Return the lines of a text's shell blocks, without comments; one that goes on is one."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [" ".join(re.sub(r"\s#.*", "", line).split()) for line in lines if line.strip()]


def mine(command: str) -> bool:
    """Tell whether a command is tried here: a verb of the suite, on this machine."""
    return command.startswith("suite ") and not command.startswith(ELSEWHERE)


@pytest.fixture
def here(invoke: Invoke, write: Callable[[str, str], Path]) -> None:
    """Lay out what the README's commands name: a baseline, runs, a case of one's own, the run of CI."""
    write("my/cases/neuron.py", example())
    small = ("relu", "single_neuron", *FEW, "--mode", "eager")
    invoke("run", *small, "--out", "baseline-run")
    for name in ("NAME", "CPU", "CUDA"):
        shutil.copytree("baseline-run", f"results/runs/{name}")
    for folder, run in (("results/baselines", "baseline-run"), ("baselines", "my-run")):
        if run == "my-run":
            invoke("run", "--cases", "my/cases", *FEW, "--out", run)
        assert invoke("accept", run, "--reason", "first", "--baseline", folder).exit_code == 0


def example() -> str:
    """Return the README's case file."""
    (found,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return str(found)


def words_of(command: str) -> list[str]:
    """Return a command's words as a shell gives them, its names made those of this machine, and few seeds asked for."""
    words = shlex.split(command)[1:]
    spread = [
        path
        for word in words
        for path in (map(str, sorted(Path.cwd().glob(word))) if "results/runs/*" in word else [word])
    ]
    return [*(NAMED.get(word, word) for word in spread), *ADDED.get(words[0], ())]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [command for command in commands(README) if mine(command)])
def test_a_command_does_what_stands_beside_it(
    invoke: Invoke, command: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """It ends with a verdict, not with a fault; what it asks of the surroundings is there."""
    assert GOES_ON not in command or "--out results/runs/ci" in command
    command = command.removesuffix(GOES_ON)
    for words, made in MAKES.items():
        if words in command:
            shutil.rmtree(made)
    if "--github" in command:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
        invoke("run", "--cases", "my/cases", *FEW, "--out", "results/runs/ci")
    if "dask://" in command:
        command = command.replace("HOST:PORT", request.getfixturevalue("scheduler")) + " relu"
    done = invoke(*words_of(command))
    assert done.exit_code in {0, 3}, done.output
    assert "Traceback" not in done.output


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Start a scheduler and a worker; give their address."""
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        yield str(cluster.scheduler_address).removeprefix("tcp://")


@pytest.mark.parametrize("command", [command for command in commands(README) if command.startswith("pytest ")])
def test_the_cases_are_pytest_items(command: str) -> None:
    """In the checkout, pytest collects and trains them."""
    few = ["--suite-seeds", "16", "-k", "single_neuron", "--suite-dtype", "float32", "-p", "no:cacheprovider"]
    python = [sys.executable, "-m", *shlex.split(command), *few]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(python, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


def test_the_two_commands_are_those_of_ci() -> None:
    """What a newcomer types is what runs in a fresh clone before every change lands."""
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    first = [command for command in commands(README) if command.startswith("python3.11 ")]
    assert [command.rpartition("/bin/")[2] for command in first] == list(BY_CI)
    for command in first:
        for part in command.split(" && ")[1:]:
            assert part in script


def test_every_command_is_tried_somewhere() -> None:
    """No command of the README is left out."""
    known = ("python3.11 ", "pytest ", *AT_THE_PROMPT, *ELSEWHERE)
    assert [command for command in commands(README) if not (mine(command) or command.startswith(known))] == []


def test_a_case_of_ones_own_holds(invoke: Invoke, write: Callable[[str, str], Path]) -> None:
    """The README's example trains, and what it expects holds."""
    write("my/cases/neuron.py", example())
    assert invoke("run", "--cases", "my/cases", *FEW).exit_code == 0


def test_every_table_is_the_one_that_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands between a file's name and its end is that file."""
    monkeypatch.chdir(PROJECT)
    assert noxfile.pasted(README) == README
    assert len(noxfile.PASTED.findall(README)) >= 2


def test_the_picture_is_there() -> None:
    """With words for those who do not see it."""
    ((words, file),) = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert (PROJECT / file).read_bytes().startswith(b"\x89PNG")
    assert words


def test_every_place_named_is_there() -> None:
    """A file or folder of the repository that the README names in code exists."""
    named = re.findall(r"`((?:\.github|suite|cases|tests|results|constraints|CONTRIBUTING)[\w./-]*)`", README)
    assert [name for name in named if not (PROJECT / name).exists()] == []
    assert named
