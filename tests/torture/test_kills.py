"""Runs, their worker processes and acceptances are killed at random moments; nothing that was recorded is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from suite.records import find_baselines, read_run
from tests.mortal import Begun, Mortal, until
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


SIGNALS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
LONGEST_SECONDS = 120.0
"""A run that has neither a worker nor an end by then hangs."""
COLD = 10
"""One in so many kills is of a process that starts from nothing, which takes seconds of importing."""


def says_how(number: int, folder: Path, code: int, told: str) -> None:
    """Assert that a run which had begun, and had not ended, said in a line how it is completed; any other, no more."""
    if not (folder / "run.json").exists():
        return  # it may be Python that was stopped, as it began
    assert told.count("\n") <= 1, told
    if number == signal.SIGKILL or read_run(folder).manifest.complete:
        assert code in {0, 128 + number, -number}, told
        return
    assert code == 128 + number, told
    assert "complete it with: suite run" in told


@SIGNALS
@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_run(mortal: Mortal, tally: Tallies, moments: int, number: signal.Signals, engine: str) -> None:
    """A run is killed, read, and completed to the byte."""
    counted, draw = tally(f"{number.name} of suite run --engine {engine}"), Random(f"{number} {engine}")
    seconds = seconds_of(mortal, engine)
    for _ in range(moments):
        folder, code, told = mortal.killed(number, draw.uniform(0.0, seconds), "--engine", engine)
        with counted.one_try():
            says_how(number, folder, code, told)
            mortal.check(folder)
    assert not counted.losses


def seconds_of(mortal: Mortal, engine: str) -> float:
    """Return how long an undisturbed run takes."""
    start = time.monotonic()
    _, begun = mortal.begin("--engine", engine)
    assert begun.wait() == (0, "")
    return time.monotonic() - start


@SIGNALS
def test_a_worker(mortal: Mortal, tally: Tallies, moments: int, number: signal.Signals) -> None:
    """A worker process is killed; another takes its place, and the run is whole to the byte."""
    counted, draw = tally(f"{number.name} of a worker process"), Random(f"{number} worker")
    _, begun = with_workers(mortal)
    start = time.monotonic()
    assert begun.wait() == (0, "")
    seconds, tried = time.monotonic() - start, 0
    while tried < moments:
        folder, begun = with_workers(mortal)
        time.sleep(draw.uniform(0.0, seconds))
        workers = begun.workers()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(draw.choice(workers), number)
        code, told = begun.wait()
        if not workers:
            continue
        tried += 1
        with counted.one_try():
            assert (code, told) == (0, "")
            assert mortal.read(folder) == mortal.whole
    assert not counted.losses


def with_workers(mortal: Mortal) -> tuple[Path, Begun]:
    """Begin a run that leaves all training to worker processes; give it as soon as there is one, or none will come."""
    folder, begun = mortal.begin("--engine", "processes", "--cell-timeout", f"{LONGEST_SECONDS:g}")
    until(lambda: begun.workers() or begun.ended(), LONGEST_SECONDS)
    return folder, begun


@SIGNALS
def test_a_run_from_nothing(mortal: Mortal, tally: Tallies, moments: int, number: signal.Signals) -> None:
    """The same of a process that has to import all that it needs."""
    counted, draw = tally(f"{number.name} of suite run, while it imports too"), Random(f"{number} cold")
    start = time.monotonic()
    assert cold(mortal, "from nothing", None, number) == 0
    seconds = time.monotonic() - start
    for k in range(max(1, moments // COLD)):
        name = f"from nothing {number} {k}"
        cold(mortal, name, draw.uniform(0.0, seconds), number)
        with counted.one_try():
            mortal.check(mortal.home / name)
    assert not counted.losses


def cold(mortal: Mortal, name: str, moment: float | None, number: int) -> int:
    """Run from a fresh Python, and send it a signal after so many seconds; return its exit code."""
    code = "from suite.cli import main; main(prog_name='suite')"
    command = [sys.executable, "-c", code, *mortal.words, "--out", f"{name} {number}" if moment is None else name]
    process = subprocess.Popen(command, cwd=mortal.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if moment is not None:
        time.sleep(moment)
        process.send_signal(number)
    return process.wait()


@SIGNALS
def test_an_acceptance(mortal: Mortal, tally: Tallies, moments: int, number: signal.Signals) -> None:
    """Accepting is killed; there is the old baseline or the new one, all of it, and accepting goes on from there."""
    counted, draw = tally(f"{number.name} of suite accept"), Random(f"{number} accept")
    runs = [two_runs(mortal, number, which) for which in ("one", "two")]
    place = mortal.home / f"baselines {number}"
    seconds, present = 1.0, ""
    for k in range(-1, moments):
        start, run = time.monotonic(), runs[k % 2]
        words = ("accept", run.name, "--reason", "torture", "--baseline", place.name)
        begun = mortal.start(mortal.home, *words)
        if k >= 0:
            time.sleep(draw.uniform(0.0, seconds))
            begun.send(number)
        begun.wait()
        if k < 0:
            seconds, present = time.monotonic() - start, run.name
            continue
        with counted.one_try():
            found = find_baselines(place)["cpu"]
            assert found.manifest.run in {present, run.name}
            assert found.trials.equals(read_run(mortal.home / found.manifest.run).trials)
            present = found.manifest.run
    assert not counted.losses
    assert mortal.start(mortal.home, *words).wait() == (0, "")
    assert sorted(file.name for file in place.iterdir()) == [".lock", "cpu"]


def two_runs(mortal: Mortal, number: int, which: str) -> Path:
    """Train a run of its own name."""
    folder: Path = mortal.home / f"{which} {number}"
    assert mortal.start(mortal.home, *mortal.words, "--out", folder.name).wait() == (0, "")
    return folder
