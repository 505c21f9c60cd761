"""Whatever ends a run before its time, it says how to go on, and nothing that was recorded is lost."""

from __future__ import annotations

import os
import shlex
import signal
from random import Random
from typing import Any

import pytest
from psutil import pid_exists

Mortal = Any
"""A run that may be killed, as the fixture of that name makes it."""

LOST = (
    "suite: --engine processes: a worker process was lost, killed perhaps or out of memory; "
    "--resume completes the run\n"
)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_killed_is_completed_to_the_byte(mortal: Mortal, number: signal.Signals) -> None:
    """At whatever moment, what stands is readable and part of the whole, and --resume makes it the whole."""
    moments = Random(number)
    for _ in range(3):
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


def test_a_lost_worker_ends_the_run_in_one_line(mortal: Mortal) -> None:
    """A worker process that is killed leaves neither a traceback nor a run that waits for ever."""
    with mortal.held() as (folder, begun):
        os.kill(begun.workers()[0], signal.SIGKILL)
        assert begun.wait() == (2, LOST)
    mortal.check(folder)
