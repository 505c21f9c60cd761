"""Whatever ends a run before its time, it says how to go on, and nothing that was recorded is lost."""

from __future__ import annotations

import os
import re
import resource
import shlex
import signal
from random import Random
from typing import Any

import pytest
from psutil import pid_exists

from suite.records import find_baselines, read_run

Mortal = Any
"""A run that may be killed, as the fixture of that name makes it."""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_killed_is_completed_to_the_byte(mortal: Mortal, number: signal.Signals) -> None:
    """At whatever moment, what stands is readable and part of the whole, and --resume makes it the whole."""
    moments = Random(number)
    for _ in range(2):
        folder, _, _ = mortal.killed(number, moments.uniform(0.0, mortal.seconds))
        mortal.check(folder)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_end_says_how_to_complete_it(mortal: Mortal, number: int, expected: int) -> None:
    """SIGTERM ends it as Ctrl-C does: one line with the command, the shell's code for the signal, and no worker."""
    with mortal.held() as (folder, begun):
        workers = begun.workers()
        begun.send(number)
        code, told = begun.wait()
    assert (code, bool(workers)) == (expected, True)
    (line,) = told.splitlines()
    assert line.startswith("suite: interrupted; complete it with: suite run --resume ")
    assert shlex.split(line)[-3:] == shlex.split(f"{shlex.quote(folder.name)} --engine processes")
    assert not any(map(pid_exists, workers))
    mortal.check(folder)


def test_a_worker_that_is_killed_is_replaced(mortal: Mortal) -> None:
    """What it was at is trained again by another, and the run is whole, as if nothing had been."""
    with mortal.held() as (folder, begun):
        os.kill(begun.workers()[0], signal.SIGKILL)
    assert begun.wait() == (0, "")
    assert mortal.read(folder) == mortal.whole


def test_a_run_that_is_under_way_is_not_resumed(mortal: Mortal) -> None:
    """A second process that would write to the same folder is told who does already, and changes nothing."""
    with mortal.held() as (folder, begun):
        code, told = mortal.start(mortal.home, *mortal.words, "--out", folder.name, "--resume").wait()
        assert code == 2
        assert told.startswith(f"suite: {folder.name}: process {begun.pid} of ")
        assert told.endswith(" is writing there; wait until it has ended, or end it, and try again\n")
    assert begun.wait() == (0, "")
    mortal.check(folder)


def test_a_disk_that_fills_is_told_in_one_line(mortal: Mortal) -> None:
    """Where the rows of a run find no room, earlier ones stay, and the run is completed once there is some."""
    folder, begun = mortal.begin()
    resource.prlimit(begun.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    code, told = begun.wait()
    assert code == 2
    assert re.match(rf"suite: {folder.name}/\w+\.csv: cannot be written: File too large\n", told)
    assert len(read_run(folder).trials)
    mortal.check(folder)


def test_a_folder_that_is_taken_away_is_told_in_one_line(mortal: Mortal) -> None:
    """Nothing is begun in its place; put back, it is completed."""
    with mortal.held() as (folder, begun):
        aside = folder.rename(folder.with_name("aside"))
    code, told = begun.wait()
    assert code == 2
    assert told == f"suite: {folder.name}/curves.csv: cannot be written: No such file or directory\n"
    assert not folder.exists()
    aside.rename(folder)
    mortal.check(folder)


def test_runs_and_acceptances_side_by_side_are_whole(mortal: Mortal) -> None:
    """Three that begin and are accepted at once have folders of their own, and one of them is the baseline."""
    begun = [mortal.start(mortal.home, *mortal.words) for _ in range(3)]
    assert [one.wait() for one in begun] == [(0, "")] * 3
    kept = sorted((mortal.home / "results" / "runs").iterdir())
    assert [mortal.read(folder) for folder in kept] == [mortal.whole] * 3
    accepting = [mortal.start(mortal.home, "accept", folder, "--reason", "crowd") for folder in kept]
    assert [one.wait() for one in accepting] == [(0, "")] * 3
    accepted = find_baselines(mortal.home / "results" / "baselines")["cpu"].manifest
    names = {folder.name for folder in kept}
    assert accepted.run in names
    assert accepted.accepted is not None
    assert accepted.accepted.replaced in names - {accepted.run}


def test_many_runs_in_one_process_leave_nothing_behind(soak: Any) -> None:
    """Repeated, small runs that are accepted, compared and drawn hold no more memory, files or threads."""
    soak(5.0).check()
