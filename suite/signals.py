"""Who hears the signals that end a command, while something is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what a system sends that wants a process to end."""


@contextmanager
def heard_by(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    """Let a handler hear these signals; where Python hears none, out of the main thread, they do what they ever do."""
    with ExitStack() as before:
        for number in numbers if threading.current_thread() is threading.main_thread() else ():
            before.callback(signal.signal, number, signal.getsignal(number) or signal.SIG_DFL)
            signal.signal(number, handler)
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the signals that end a command wait until something is done that must not be left half done."""
    came: list[int] = []
    try:
        with heard_by(lambda number, _: came.append(number), *ENDING):
            yield
    finally:
        for number in dict.fromkeys(came):  # the first that somebody hears is raised, and ends this
            signal.raise_signal(number)


@contextmanager
def hearers_kept() -> Iterator[None]:
    """Let the signals that end a command be heard as before, whoever is set to hear them within."""
    in_main = threading.current_thread() is threading.main_thread()  # where alone that can be done, and undone
    before = {number: signal.getsignal(number) for number in ENDING if in_main}
    try:
        yield
    finally:
        for number, hearer in before.items():
            if signal.getsignal(number) is not hearer:
                signal.signal(number, hearer or signal.SIG_DFL)
