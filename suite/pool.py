"""Worker processes that may fail: one that dies, or outstays its time, costs what it was at, and nothing else."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from time import monotonic
from typing import Any

from suite.errors import told
from suite.limits import UNLIMITED, Limits
from suite.signals import uninterrupted
from suite.worker import Call, Died, End, Late, Raised, Returned, Worker

LONGEST_WAIT_SECONDS = 3600.0
"""The system takes no wait of more than some weeks; after this one it is asked again."""


@dataclass(frozen=True)
class Lost:
    """In place of an answer: why there is none."""

    reason: str


def each(calls: Sequence[Call], *, workers: int, limits: Limits = UNLIMITED) -> Generator[tuple[int, Any], None, None]:
    """Make calls in so many processes; give each one's place and its answer as it ends, or why it is :class:`Lost`.

    A call whose process dies is made once more, beside no other: a kill from elsewhere happens once, a call that kills
    does it again.

    Raises:
        Exception: what a call raises, when its turn comes; the others are stopped.
    """
    again = []
    with closing(_made(enumerate(calls), workers, limits)) as ends:
        for place, end in ends:
            if isinstance(end, Died):
                again.append((place, calls[place]))
            else:
                yield place, _answer(end)
    with closing(_made(again, 1, limits)) as ends:
        for place, end in ends:
            yield place, _answer(end)


def _answer(end: End) -> Any:
    """Give what a call returned, raise what it raised, or say why there is neither."""
    match end:
        case Returned(value):
            return value
        case Raised(error):
            raise error
        case Died(reason) | Late(reason):
            return Lost(reason)


def _made(calls: Iterable[tuple[int, Call]], width: int, limits: Limits) -> Generator[tuple[int, End], None, None]:
    """Make calls once, by place; each worker has one, and is given the next when that has ended."""
    left = deque(calls)
    with _stopped_at_the_end() as workers:
        while left or workers:
            while left and len(workers) < width:
                place, call = left.popleft()
                try:
                    _begin(workers, place, call, limits)
                except (OSError, EOFError) as error:
                    if workers:  # which can make it
                        left.appendleft((place, call))
                        break
                    yield place, Died(f"no process came up: {told(error)}")
            for worker in _heard_of(workers):
                place, end = worker.place, worker.end()
                if end is None:
                    continue
                if left and isinstance(end, Returned | Raised):
                    worker.make(*left.popleft())
                else:
                    with uninterrupted():
                        workers.remove(worker)
                        worker.stop()
                yield place, end


@contextmanager
def _stopped_at_the_end() -> Iterator[list[Worker]]:
    """Stop those of these workers that are left, whatever they are at, when nobody waits for them any more."""
    workers: list[Worker] = []
    try:
        yield workers
    finally:
        with uninterrupted():
            for worker in workers:
                worker.let_go()
            for worker in workers:
                worker.stop()


def _heard_of(workers: Sequence[Worker]) -> list[Worker]:
    """Wait for workers that say something, or end, or have taken too long."""
    first = min((worker.until for worker in workers), default=0.0)
    heard = set(
        connection.wait(
            [sign for worker in workers for sign in worker.signs],
            timeout=None if first == math.inf else min(max(0.0, first - monotonic()), LONGEST_WAIT_SECONDS),
        )
    )
    return [worker for worker in workers if not heard.isdisjoint(worker.signs) or worker.until <= monotonic()]


def _begin(workers: list[Worker], place: int, call: Call, limits: Limits) -> None:
    """Add a worker that makes a call.

    Raises:
        OSError, EOFError: if none comes up, or it is killed before it has.
    """
    workers.append(worker := Worker(limits))
    try:
        worker.come_up()
        worker.make(place, call)
    except (OSError, EOFError):
        with uninterrupted():
            workers.remove(worker)
            worker.stop()
        raise


def cores() -> int:
    """Return how many processes this one may have at work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
