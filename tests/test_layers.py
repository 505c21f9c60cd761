"""What must start without torch does; torch takes seconds to import, and not everyone who judges has it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import Result

import suite
from suite.machine import Machine
from suite.records import Recorder
from suite.trial import Manifest, Trial

HEAVY = {"torch", "pandas", "pandera", "scipy", "pydantic", "joblib", "rich", "distributed"}


def modules_of(room: str) -> list[str]:
    """Return a room's name and those of all modules in it."""
    package = import_module(room)
    return [room, *(found.name for found in pkgutil.walk_packages(package.__path__, f"{room}."))]


def imported_by(code: str) -> set[str]:
    """Return the names of the top-level modules that a fresh Python has imported after ``code``."""
    script = f"{code}\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_judging_and_reporting_need_no_torch() -> None:
    """No module that judges, keeps or reports runs imports torch; nor does the command line or the pytest plugin."""
    rooms = [*modules_of("suite.judge"), *modules_of("suite.records"), *modules_of("suite.report")]
    code = "\n".join(f"import {name}" for name in [*rooms, "suite.cli", "suite.pytest_plugin"])
    assert "torch" not in imported_by(code)


WITHOUT_TORCH = """
import sys

sys.modules["torch"] = None  # importing it fails

from suite.cli import main

for words in (["accept", "run", "--reason", "x"], ["compare", "run"], ["table", "run", "results/baselines/cpu"]):
    try:
        main(words)
    except SystemExit as end:
        print("exit", end.code)
"""


def test_runs_are_accepted_compared_and_tabulated_without_torch(
    tmp_path: Path, machine: Machine, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]
) -> None:
    """Someone who has neither torch nor the case files can judge a run that was trained elsewhere."""
    trials = [trial_of(seed) for seed in range(20)]
    cpu = replace(machine, devices={"cpu": machine.devices["cpu"]})
    recorder = Recorder(tmp_path / "run", manifest_of(trials), cpu)
    recorder.append(trials)
    recorder.finish()
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == ["exit 0"] * 3, done.stderr


def command(words: list[str]) -> str:
    """Return code that does what the command line does."""
    return f"from suite.cli import main\ntry:\n    main({words})\nexcept SystemExit:\n    pass"


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["versus", "--help"], ["--version"], []])
def test_help_waits_for_nothing(words: list[str]) -> None:
    """Help comes without importing torch, pandas or anything else that takes long."""
    assert not (HEAVY | {"tabulate"}) & imported_by(command(words))


@pytest.mark.parametrize("words", [[], ["--json"], ["--claims"], ["--claims", "--json"]])
def test_a_list_waits_for_nothing_once_it_was_made(invoke: Callable[..., Result], words: list[str]) -> None:
    """A second list of the same cases imports neither torch nor them; only a table needs what lays it out."""
    assert invoke("list", *words).exit_code == 0
    found = imported_by(command(["list", *words]))
    assert not HEAVY & found
    assert ("tabulate" in found) == (not words)


def test_the_package_offers_what_case_files_import() -> None:
    """Every name that the package offers is there, and importing it imports no torch."""
    assert all(hasattr(suite, name) for name in suite.__all__)
    assert "torch" not in imported_by("import suite")


def test_a_case_file_needs_nothing_of_the_package_but_what_it_offers() -> None:
    """Every name of the suite that a documented case imports comes from `suite` itself."""
    files = sorted((Path(suite.__file__).parents[1] / "cases").rglob("*.py"))
    deep = [(file.name, line) for file in files for line in file.read_text("utf-8").splitlines() if "suite." in line]
    assert [(file, line) for file, line in deep if line.startswith(("from suite.", "import suite."))] == []
    assert files
