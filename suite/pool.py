"""Worker processes that may fail: one that dies, or outstays its time, costs what it was at, and nothing else.

They are forked from a server that has imported all that trains, so that a new one is there at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from pydantic import ByteSize, TypeAdapter, ValidationError

from suite.errors import SuiteError

FORKED = "forkserver" in multiprocessing.get_all_start_methods()
METHOD = "forkserver" if FORKED else "spawn"
PRELOADED = "suite.errand"
"""What the server imports."""

STATUS = Path("/proc/self/status")
"""Where Linux tells how much memory this process holds."""

ATTEMPTS = 2
"""How often a call is made whose process dies: a kill from elsewhere happens once, a call that kills does it again."""

ENDING = (signal.SIGINT, signal.SIGTERM)

LOCK_SECONDS = 5.0
"""How long a worker waits to be handed a call: one that was killed while it was being handed one lets nobody else."""

LOOK_SECONDS = 1.0
"""How often it is looked whether a pool still works, while no call ends."""

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far one call may go; without any, as far as it likes."""

    seconds: float | None = None
    memory: int | None = None
    """Bytes of data that its process may hold beyond those that it held before."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return self.seconds is not None or self.memory is not None


UNLIMITED = Limits()


@dataclass(frozen=True)
class Lost:
    """In place of an answer: why there is none."""

    reason: str


def parse_limits(seconds: float | None, memory: str | None) -> Limits:
    """Read seconds as they are, and memory as "500MB" or "2GiB".

    Raises:
        SuiteError: if the text names no size, or memory cannot be limited on this system.
    """
    if memory is None:
        return Limits(seconds=seconds)
    try:
        size = int(TypeAdapter(ByteSize).validate_python(memory))
    except ValidationError:
        raise SuiteError(f'--cell-memory "{memory}" is no size; give one as 500MB or 2GiB') from None
    if not STATUS.exists():
        raise SuiteError("--cell-memory works on Linux only; leave it out here")
    return Limits(seconds=seconds, memory=size)


def start_server() -> None:
    """Let the server come up, while this process still does other things."""
    if FORKED:
        multiprocessing.set_forkserver_preload([PRELOADED])
        forkserver.ensure_running()


def each(calls: Sequence[Call], *, workers: int, limits: Limits = UNLIMITED) -> Iterator[tuple[int, Any]]:
    """Make calls in so many processes; give each one's place and its answer as it ends, or why it is :class:`Lost`.

    Raises:
        Exception: what a call raises, when its turn comes; the others are stopped.
    """
    again, width = list(range(len(calls))), workers
    for attempt in range(ATTEMPTS):
        places, again = again, []
        for place, answer in _made([calls[place] for place in places], width, limits):
            if isinstance(answer, _Died) and attempt + 1 < ATTEMPTS:
                again.append(places[place])
                width = 1 if answer.at_work else width  # whoever died beside another is tried alone
            else:
                yield places[place], Lost(answer.reason) if isinstance(answer, _Died) else answer
        if not again:
            return


@dataclass(frozen=True)
class _Died:
    reason: str
    at_work: bool = True
    """It, and not a process that had not begun with anything: that breaks a pool as a whole."""


def _made(calls: Sequence[Call], workers: int, limits: Limits) -> Iterator[tuple[int, Any]]:
    """Make calls once."""
    from pebble import ProcessExpired, ProcessPool

    if not calls:
        return
    start_server()
    width, context = min(workers, len(calls)), multiprocessing.get_context(METHOD)
    with _stopped_at_the_end(ProcessPool(width, context=context, initializer=_be_impatient)) as pool:
        with _uninterrupted():  # a worker that comes up meanwhile would be known to nobody, and stopped by nobody
            ends = {
                _scheduled(pool, limits, function, arguments): place
                for place, (function, arguments) in enumerate(calls)
            }
        for end in _as_they_end(pool, ends):
            try:
                answer = end.result()
            except TimeoutError:
                answer = Lost(f"took more than {limits.seconds:g} s, the limit of --cell-timeout")
            except ProcessExpired as error:
                answer = _Died(f"its process ended: {_told(error.exitcode)}")
            except BrokenProcessPool:
                answer = _Died("processes ended before they began", at_work=False)
            yield ends[end], answer


def _as_they_end(pool: Any, ends: Iterable[Future[Any]]) -> Iterator[Future[Any]]:
    """Give calls as they end; those that a pool had not looked at when it broke have no end, and are given one."""
    left = set(ends)
    while left:
        done, left = wait(left, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        if not done and not pool.active:
            for end in left:
                end.set_exception(BrokenProcessPool("left in a broken pool"))
        yield from done


def _scheduled(pool: Any, limits: Limits, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Future[Any]:
    """Let a pool make a call; a pool that is broken by now takes no more, which is this call's end too."""
    try:
        end: Future[Any] = pool.schedule(_within, (limits.memory, function, arguments), timeout=limits.seconds)
    except RuntimeError as error:
        end = Future()
        end.set_exception(BrokenProcessPool(str(error)))
    return end


@contextmanager
def _stopped_at_the_end(pool: Any) -> Iterator[Any]:
    """Stop a pool's processes, whatever they are at, when nobody waits for them any more."""
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let the signals that end a command wait until something is done that must not be left half done."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears them
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda which, _: came.append(which)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for which in came[:1]:
            signal.raise_signal(which)


def _told(code: int) -> str:
    """Say how a process ended: by a signal, or with a code."""
    return signal.Signals(-code).name if -code in list(signal.Signals) else f"exit code {code}"


def _be_impatient() -> None:
    """Let this worker wait no longer than it has to."""
    from pebble import CONSTS

    CONSTS.channel_lock_timeout = LOCK_SECONDS


def _within(memory: int | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Make a call in this process, which may hold so much more memory than it does."""
    if memory is None:
        return function(*arguments)
    with _held_to(memory):
        return function(*arguments)


@contextmanager
def _held_to(memory: int) -> Iterator[None]:
    """Let the system refuse this process more data than so many bytes beyond what it holds."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + memory, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int:
    """Return how many bytes of data this process holds, as the limit counts them."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmData:"))
    return int(kilobytes) * 1024


def cores() -> int:
    """Return how many processes this machine is worth."""
    return os.cpu_count() or 1
