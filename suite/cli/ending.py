"""How a verb ends: as it was told to, or by itself, whatever the code of a case leaves behind."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from suite.signals import ENDING, heard_by

INTERRUPTED, TERMINATED = 130, 143
"""What a shell makes of Ctrl-C, and of SIGTERM."""
PATIENCE_SECONDS = 5.0
"""For threads that a case has begun and that Python would wait for, once all is done."""

TOLD: list[KeyboardInterrupt] = []
"""What asked the present verb to stop."""


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came, which ends a verb as Ctrl-C does."""


def code_of(stop: KeyboardInterrupt) -> int:
    """Return the code with which a verb exits that was stopped."""
    return TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM, as Ctrl-C, stop what is done within."""
    TOLD.clear()
    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as under nohup, which is left as it is
    with heard_by(_stop, *(number for number in ENDING if not (deaf and number == signal.SIGINT))):
        yield


def _stop(number: int, _: object) -> None:
    TOLD.append(TerminatedError() if number == signal.SIGTERM else KeyboardInterrupt())
    raise TOLD[-1]


def stop_if_told() -> None:
    """Stop now, if that was asked for before and came to nothing: somebody's code caught it, as code of a case can.

    Raises:
        KeyboardInterrupt: as it was raised before.
    """
    for stop in TOLD:
        raise stop


def end_deaf() -> None:
    """Let Ctrl-C come to nothing once Python ends, before all else that it does then: nobody would catch it."""
    atexit.unregister(_hear_no_more)
    atexit.register(_hear_no_more)  # what is registered last is called first, and a verb's libraries register, too


def _hear_no_more() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_soon(code: int, complain: Callable[[str], None]) -> None:
    """Let Python end with this code, though threads that the code of a case has begun never do."""
    if _unfinished():
        threading.Thread(target=_leave_them, args=(code, complain), daemon=True).start()


def _unfinished() -> list[str]:
    """Return the names of the threads that Python would wait for."""
    return [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]


def _leave_them(code: int, complain: Callable[[str], None]) -> None:
    threading.main_thread().join()  # which has ended once it waits for the others
    time.sleep(PATIENCE_SECONDS)
    unfinished = _unfinished()
    for name in unfinished:
        complain(f"{name}: a thread that a case began, and that does not end; it is not waited for")
    if unfinished:
        sys.stderr.flush()
        os._exit(code)
