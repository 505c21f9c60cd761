"""A process that makes one call after another, and whatever may become of it.

It is forked from a server that has imported all that trains, so that a new one is there at once.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from time import monotonic, sleep
from traceback import format_exception
from typing import Any

from suite.errors import told
from suite.limits import Limits

FORKED = "forkserver" in multiprocessing.get_all_start_methods()
METHOD = "forkserver" if FORKED else "spawn"
PRELOADED = ["torch._dynamo", "suite.errand", "suite.forking", __name__]
"""What the server imports, so that no worker has to; the first of them torch asks for with its first optimizer."""

END_SECONDS = 1.0
"""How long a process that is to end may take for it, before it is killed."""
MOMENT_SECONDS = 0.01
SAFE_PATH, SAFE = "PYTHONSAFEPATH", "suite"
"""Keeps Python from importing what lies where it is begun; and the value that says who asked for it."""

Call = tuple[Callable[..., Any], tuple[Any, ...]]


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


@dataclass(frozen=True)
class Returned:
    """An answer."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """What a call raised in place of an answer."""

    error: BaseException


@dataclass(frozen=True)
class Died:
    """Why there is no answer: the call's process ended."""

    reason: str


@dataclass(frozen=True)
class Late:
    """Why there is no answer: the call took too long."""

    reason: str


End = Returned | Raised | Died | Late
"""What became of a call."""


class Worker:
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

    def end(self) -> End | None:
        """Return how its call ended; or None, if all that was heard is that it has begun."""
        with suppress(EOFError, OSError):  # it has ended, perhaps in the midst of its answer
            if self._line.poll():
                said = self._line.recv()
                if said == BEGUN and self._limits.seconds is not None:
                    self.until = monotonic() + self._limits.seconds
                return None if said == BEGUN else said
        if self.until <= monotonic() and self._process.is_alive():
            return Late(f"took more than {self._limits.seconds:g} s, the limit of --cell-timeout")
        return Died(f"its process ended: {_told(self._wait())}")

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
    try:
        for child in multiprocessing.active_children():
            if child.daemon:
                child.kill()
        util._run_finalizers()  # type: ignore[attr-defined]  # noqa: SLF001 - what a process does that ends by itself
    finally:
        os._exit(1)


def _ended(line: Connection, call: bytes) -> bytes:
    """Make a call that came over a line; return how it ended, as it goes back."""
    try:
        limits, function, arguments = ForkingPickler.loads(call)
        line.send(BEGUN)
        with limits.held():
            value = function(*arguments)
        return bytes(ForkingPickler.dumps(Returned(value)))
    except BaseException as error:  # whatever it is, it is raised where the call came from
        return _sendable(error, "".join(format_exception(error)))


def _sendable(error: BaseException, note: str) -> bytes:
    """Return an error as it goes back; one that would not arrive is told by another."""
    try:
        error.add_note(note)
        sent = bytes(ForkingPickler.dumps(Raised(error)))
        ForkingPickler.loads(sent)
    except Exception:  # whatever its own code raises when it is packed and unpacked
        instead = RuntimeError(told(error))
        instead.add_note(note)
        return bytes(ForkingPickler.dumps(Raised(instead)))
    return sent


def _told(code: int | None) -> str:
    """Say how a process ended: by a signal, or with a code."""
    if code is None:
        return "how, its server does not tell"
    return signal.Signals(-code).name if -code in list(signal.Signals) else f"exit code {code}"
