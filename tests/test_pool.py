"""A call that fails in whatever way costs itself alone; the others are answered."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pebble import CONSTS, ProcessPool
from pebble.pool import process as pebble_process
from pebble.pool.base_pool import PoolStatus
from psutil import pid_exists

from suite.pool import LOCK_SECONDS, Limits, Lost, each

HUGE = 4 * 2**30


def doubled(number: int) -> int:
    """Answer."""
    return 2 * number


def killed(code: int) -> None:
    """End the process without a word."""
    os.kill(os.getpid(), code)


def gone(code: int) -> None:
    """End the process with a code."""
    os._exit(code)


def killed_once(place: Path) -> str:
    """End the process, unless that was done before."""
    if place.exists():
        return "alive"
    place.touch()
    os._exit(3)


def asleep(seconds: float) -> str:
    """Take so long."""
    time.sleep(seconds)
    return "awake"


def greedy(size: int) -> int:
    """Hold so many bytes."""
    try:
        return len(bytes(bytearray(size)))
    except MemoryError:
        return -1


def patience() -> float:
    """Tell how long this process waits to be handed a call."""
    return CONSTS.channel_lock_timeout


def failing() -> None:
    """Raise."""
    raise LookupError("as it does")


def test_calls_are_answered_by_place() -> None:
    """Each answer comes with its call's place, in any order."""
    assert dict(each([(doubled, (number,)) for number in range(7)], workers=2)) == {k: 2 * k for k in range(7)}
    assert list(each([], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_that_kills_its_process_is_lost_alone(workers: int) -> None:
    """It is named with the signal, or the code; those before, beside and after it are answered."""
    calls = [(doubled, (1,)), (killed, (signal.SIGKILL,)), (doubled, (2,)), (gone, (7,)), (doubled, (3,))]
    assert dict(each(calls, workers=workers)) == {
        0: 2,
        1: Lost("its process ended: SIGKILL"),
        2: 4,
        3: Lost("its process ended: exit code 7"),
        4: 6,
    }


def test_an_interruption_while_workers_come_up_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the midst of it is heard, once every worker is known; and then each of them is stopped."""
    begun: list[Any] = []
    launch = vars(pebble_process)["launch_process"]

    def interrupted(*words: Any) -> Any:
        worker = launch(*words)
        begun.append(worker.pid)
        signal.raise_signal(signal.SIGINT)
        return worker

    monkeypatch.setattr(pebble_process, "launch_process", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(each([(asleep, (60.0,))] * 2, workers=2))
    assert len(begun) == 2
    assert not any(map(pid_exists, begun))


@pytest.mark.parametrize("kills", [1, 99])
def test_a_process_that_is_killed_before_it_begins(monkeypatch: pytest.MonkeyPatch, kills: int) -> None:
    """That breaks the pool; another makes the calls. Where that happens again and again, each says so."""
    launch, begun = vars(pebble_process)["launch_process"], count()

    def killed_at_once(*words: Any) -> Any:
        worker = launch(*words)
        if next(begun) < kills:
            os.kill(worker.pid, signal.SIGKILL)
        return worker

    monkeypatch.setattr(pebble_process, "launch_process", killed_at_once)
    lost = Lost("processes ended before they began")
    assert dict(each([(doubled, (4,)), (doubled, (5,))], workers=1)) == (
        {0: 8, 1: 10} if kills == 1 else {0: lost, 1: lost}
    )


def test_workers_do_not_wait_for_one_that_was_killed() -> None:
    """Killed while it was handed a call, it keeps the others from theirs for seconds, not minutes."""
    assert list(each([(patience, ())], workers=1)) == [(0, LOCK_SECONDS)]
    assert CONSTS.channel_lock_timeout > LOCK_SECONDS


def test_a_broken_pool_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it will not take is made by the next one."""
    refusals, schedule = count(), ProcessPool.schedule

    def refused(*given: Any, **options: Any) -> Any:
        if next(refusals) == 0:
            raise RuntimeError("Unexpected error within the Pool")
        return schedule(*given, **options)

    monkeypatch.setattr(ProcessPool, "schedule", refused)
    assert dict(each([(doubled, (4,)), (doubled, (5,))], workers=2)) == {0: 8, 1: 10}


def test_calls_that_a_broken_pool_left_lying_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that a pool had not looked at when it broke would be waited for without end."""
    calls, schedule = count(), ProcessPool.schedule

    def left_lying(pool: Any, *given: Any, **options: Any) -> Any:
        if next(calls) == 0:
            pool._context.status = PoolStatus.ERROR
            return Future[int]()
        return schedule(pool, *given, **options)

    monkeypatch.setattr(ProcessPool, "schedule", left_lying)
    assert dict(each([(doubled, (4,)), (doubled, (5,))], workers=2)) == {0: 8, 1: 10}


def test_a_process_that_was_killed_once_is_no_fault_of_its_call(tmp_path: Path) -> None:
    """Whoever was killed from elsewhere is tried again."""
    assert dict(each([(killed_once, (tmp_path / "mark",)), (doubled, (1,))], workers=2)) == {0: "alive", 1: 2}


def test_a_call_that_outstays_its_time_is_lost_alone() -> None:
    """One that never ends is stopped; the others have all the time that they need."""
    calls = [(asleep, (600.0,)), (asleep, (0.0,)), (doubled, (4,))]
    reason = "took more than 0.5 s, the limit of --cell-timeout"
    assert dict(each(calls, workers=2, limits=Limits(seconds=0.5))) == {0: Lost(reason), 1: "awake", 2: 8}


def test_a_call_gets_no_more_memory_than_it_may_have() -> None:
    """Beyond the limit there is none; the next call in the same process has as much again."""
    calls = [(greedy, (size,)) for size in (2**20, HUGE, 2**20)]
    assert dict(each(calls, workers=1, limits=Limits(memory=2**28))) == {0: 2**20, 1: -1, 2: 2**20}


def test_what_a_call_raises_is_raised() -> None:
    """An exception is an answer of another kind, and no process died of it."""
    with pytest.raises(LookupError, match="as it does"):
        list(each([(failing, ())], workers=1))


def test_nobody_is_left_behind() -> None:
    """A caller that goes away leaves no process at work."""
    answers = each([(os.getpid, ()), (asleep, (600.0,))], workers=2)
    _, worker = next(answers)
    answers.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
