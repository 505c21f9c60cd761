"""Worker processes that may fail: one that dies, or outstays its time, costs what it was at, and nothing else.

They are forked from a server that has imported all that trains, so that a new one is there at once.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from time import monotonic, sleep
from traceback import format_exception
from typing import Any

from suite.errors import told
from suite.limits import UNLIMITED, Limits
from suite.signals import uninterrupted

FORKED = "forkserver" in multiprocessing.get_all_start_methods()
METHOD = "forkserver" if FORKED else "spawn"
PRELOADED = ["torch._dynamo", "suite.errand", "suite.forking", __name__]
"""What the server imports, so that no worker has to; the first of them torch asks for with its first optimizer."""

END_SECONDS = 1.0
"""How long a process that is to end may take for it, before it is killed."""
MOMENT_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 3600.0
"""The system takes no wait of more than some weeks; after this one it is asked again."""
SAFE_PATH, SAFE = "PYTHONSAFEPATH", "suite"
"""Keeps Python from importing what lies where it is begun; and the value that says who asked for it."""

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Lost:
    """In place of an answer: why there is none."""

    reason: str


def start_server() -> None:
    """Let the server come up, while this process still does other things.

    Raises:
        OSError: if the system refuses it.
    """
    if FORKED:
        multiprocessing.set_forkserver_preload(PRELOADED)
        with _safe_path():
            resource_tracker.ensure_running()  # which would else be begun by the server's beginning, and clear the mask
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is not for it nor its workers
            try:
                forkserver.ensure_running()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let a Python that begins now import nothing from the present folder, as this one does not."""
    if SAFE_PATH in os.environ:
        yield
        return
    os.environ[SAFE_PATH] = SAFE
    try:
        yield
    finally:
        del os.environ[SAFE_PATH]


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
            if isinstance(end, _Died):
                again.append((place, calls[place]))
            else:
                yield place, _answer(end)
    with closing(_made(again, 1, limits)) as ends:
        for place, end in ends:
            yield place, _answer(end)


@dataclass(frozen=True)
class _Returned:
    value: Any


@dataclass(frozen=True)
class _Raised:
    error: BaseException


@dataclass(frozen=True)
class _Died:
    reason: str


@dataclass(frozen=True)
class _Late:
    reason: str


_End = _Returned | _Raised | _Died | _Late
"""What became of a call."""


def _answer(end: _End) -> Any:
    """Give what a call returned, raise what it raised, or say why there is neither."""
    match end:
        case _Returned(value):
            return value
        case _Raised(error):
            raise error
        case _Died(reason) | _Late(reason):
            return Lost(reason)


def _made(calls: Iterable[tuple[int, Call]], width: int, limits: Limits) -> Generator[tuple[int, _End], None, None]:
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
                    yield place, _Died(f"no process came up: {told(error)}")
            for worker in _heard_of(workers):
                place, end = worker.place, worker.end()
                if end is None:
                    continue
                if left and isinstance(end, _Returned | _Raised):
                    worker.make(*left.popleft())
                else:
                    with uninterrupted():
                        workers.remove(worker)
                        worker.stop()
                yield place, end


@contextmanager
def _stopped_at_the_end() -> Iterator[list[_Worker]]:
    """Stop those of these workers that are left, whatever they are at, when nobody waits for them any more."""
    workers: list[_Worker] = []
    try:
        yield workers
    finally:
        with uninterrupted():
            for worker in workers:
                worker.let_go()
            for worker in workers:
                worker.stop()


def _heard_of(workers: Sequence[_Worker]) -> list[_Worker]:
    """Wait for workers that say something, or end, or have taken too long."""
    first = min((worker.until for worker in workers), default=0.0)
    heard = set(
        connection.wait(
            [sign for worker in workers for sign in worker.signs],
            timeout=None if first == math.inf else min(max(0.0, first - monotonic()), LONGEST_WAIT_SECONDS),
        )
    )
    return [worker for worker in workers if not heard.isdisjoint(worker.signs) or worker.until <= monotonic()]


def _begin(workers: list[_Worker], place: int, call: Call, limits: Limits) -> None:
    """Add a worker that makes a call.

    Raises:
        OSError, EOFError: if none comes up, or it is killed before it has.
    """
    workers.append(worker := _Worker(limits))
    try:
        worker.come_up()
        worker.make(place, call)
    except (OSError, EOFError):
        with uninterrupted():
            workers.remove(worker)
            worker.stop()
        raise


class _Worker:
    """A process that makes one call after another, as this end of its line sees it.

    It shares nothing with another that a kill could leave locked.
    """

    def __init__(self, limits: Limits) -> None:
        """Prepare it; nothing of it runs yet.

        Raises:
            OSError: if the system refuses what it needs.
        """
        context: Any = multiprocessing.get_context(METHOD)
        self._limits = limits
        self._line, self._its_end = context.Pipe()
        self._its_leash, self._leash = context.Pipe(duplex=False)
        ends = (self._its_end, self._its_leash)
        self._process: BaseProcess = context.Process(target=_serve, args=ends, daemon=True)
        self._starting = threading.Thread(target=self._start, daemon=True)
        self._refusal: Exception | None = None
        self.place = -1
        self.until = math.inf
        """When its time is up."""

    @property
    def signs(self) -> tuple[Connection, int]:
        """What is readable when there is something to hear of it."""
        return self._line, self._process.sentinel

    def come_up(self) -> None:
        """Begin it, beside this thread: what is forked waits until the server is there, and a signal does not.

        One that comes up when nobody wants it any more finds its leash let go, and ends.

        Raises:
            OSError, EOFError: if it does not come up, or is killed before it has.
        """
        try:
            self._starting.start()
        except RuntimeError as error:  # as Python calls a thread that the system refuses
            raise OSError(str(error)) from error
        self._starting.join()
        if self._refusal is not None:
            raise self._refusal

    def _start(self) -> None:
        try:
            self._start_patiently()
        except Exception as error:  # whatever it is, it is raised where somebody waits
            self._refusal = error
        finally:
            self._its_end.close()
            self._its_leash.close()

    def _start_patiently(self) -> None:
        """Begin it; where its server is about to end, or just did, begin it from the next."""
        end = monotonic() + END_SECONDS
        while True:
            try:
                start_server()
                self._process.start()
                return
            except (ConnectionError, EOFError):
                if monotonic() >= end:
                    raise
                sleep(MOMENT_SECONDS)

    def make(self, place: int, call: Call) -> None:
        """Let it make a call."""
        self.place, self.until = place, math.inf
        with suppress(ConnectionError):  # it has ended, as its end tells
            self._line.send((self._limits, *call))

    def end(self) -> _End | None:
        """Return how its call ended; or None, if all that was heard is that it has begun."""
        with suppress(EOFError, OSError):  # it has ended, perhaps in the midst of its answer
            if self._line.poll():
                said = self._line.recv()
                if said == BEGUN and self._limits.seconds is not None:
                    self.until = monotonic() + self._limits.seconds
                return None if said == BEGUN else said
        if self.until <= monotonic() and self._process.is_alive():
            return _Late(f"took more than {self._limits.seconds:g} s, the limit of --cell-timeout")
        return _Died(f"its process ended: {_told(self._wait())}")

    def let_go(self) -> None:
        """Tell it to end, whatever it is at."""
        self._leash.close()

    def stop(self) -> None:
        """Let it end, and leave nothing of it; one that has not come up yet ends when it has."""
        self.let_go()
        self._line.close()
        if self._starting.is_alive():
            self._starting.join(END_SECONDS)
        if not self._starting.is_alive() and self._process.pid is not None and self._wait() is not None:
            self._process.close()

    def _wait(self) -> int | None:
        """Wait until it has ended, which takes no more than a while; return its exit code, if its server tells it."""
        self._process.join(END_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(END_SECONDS)
        return self._process.exitcode


BEGUN = "begun"
"""What a worker says when it has understood a call: now its time runs."""


def _serve(line: Connection, leash: Connection) -> None:
    """Make the calls that come, in this process, until there is nobody left to make them for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _forget_the_server()
    multiprocessing.current_process().daemon = False  # a call may have processes of its own
    end = threading.Thread(target=_end_with, args=(leash,), daemon=True)
    end.start()
    with suppress(EOFError, ConnectionError):  # nobody is
        while True:
            line.send_bytes(_ended(line, line.recv_bytes()))
    end.join()


def _forget_the_server() -> None:
    """Undo what was done for the server alone."""
    if os.environ.get(SAFE_PATH) == SAFE:
        del os.environ[SAFE_PATH]
    forking = sys.modules.get("suite.forking")
    if forking is not None:
        os.fork = forking.FORK


def _end_with(leash: Connection) -> None:
    """End this process when whoever holds the leash lets go, or is killed; give back what it has of the system's."""
    leash.poll(None)
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
    util._run_finalizers()  # type: ignore[attr-defined]  # noqa: SLF001 - what a process does that ends by itself
    os._exit(1)


def _ended(line: Connection, call: bytes) -> bytes:
    """Make a call that came over a line; return how it ended, as it goes back."""
    try:
        limits, function, arguments = ForkingPickler.loads(call)
        line.send(BEGUN)
        with limits.held():
            value = function(*arguments)
        return bytes(ForkingPickler.dumps(_Returned(value)))
    except BaseException as error:  # whatever it is, it is raised where the call came from
        return _sendable(error, "".join(format_exception(error)))


def _sendable(error: BaseException, note: str) -> bytes:
    """Return an error as it goes back; one that would not arrive is told by another."""
    try:
        error.add_note(note)
        sent = bytes(ForkingPickler.dumps(_Raised(error)))
        ForkingPickler.loads(sent)
    except Exception:  # whatever its own code raises when it is packed and unpacked
        instead = RuntimeError(told(error))
        instead.add_note(note)
        return bytes(ForkingPickler.dumps(_Raised(instead)))
    return sent


def _told(code: int | None) -> str:
    """Say how a process ended: by a signal, or with a code."""
    if code is None:
        return "how, its server does not tell"
    return signal.Signals(-code).name if -code in list(signal.Signals) else f"exit code {code}"


def cores() -> int:
    """Return how many processes this one may have at work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
