"""Signals are heard by whom they should be while something is done, and as before afterwards."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from suite.signals import ENDING, heard_by, hearers_kept, uninterrupted

HANDLED = pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)


class HeardError(Exception):
    """A signal came to whoever heard signals before."""


@pytest.fixture(autouse=True)
def ears() -> Iterator[None]:
    """Let the signals that end a command raise an error here, and be as they were after the test."""

    def hear(number: int, _: object) -> None:
        raise HeardError(number)

    before = {number: signal.signal(number, hear) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@HANDLED
def test_a_handler_hears_a_signal_for_a_while(number: signal.Signals) -> None:
    """Before and after, another does."""
    heard: list[int] = []
    with heard_by(lambda which, _: heard.append(which), number):
        signal.raise_signal(number)
    assert heard == [number]
    with pytest.raises(HeardError):
        signal.raise_signal(number)
    assert heard == [number]


def test_what_fails_leaves_no_handler_behind() -> None:
    """Nor does a handler that raises."""

    def refuse(number: int, _: object) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError, match=str(int(signal.SIGTERM))), heard_by(refuse, *ENDING):
        signal.raise_signal(signal.SIGTERM)
    for number in ENDING:
        with pytest.raises(HeardError):
            signal.raise_signal(number)


def test_a_signal_whose_handler_is_not_pythons_does_what_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python cannot put back a handler that it did not know of."""
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    with heard_by(lambda *_: None, signal.SIGTERM):
        pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@HANDLED
def test_who_hears_is_put_back(number: signal.Signals) -> None:
    """Whether somebody else was set to hear, or nobody."""
    for hearer in (signal.SIG_IGN, signal.SIG_DFL, lambda *_: None):
        with hearers_kept():
            signal.signal(number, hearer)
        with pytest.raises(HeardError):
            signal.raise_signal(number)


def test_beside_the_main_thread_nothing_changes() -> None:
    """There Python lets nobody set a handler."""
    found = []

    def look() -> None:
        before = [signal.getsignal(number) for number in ENDING]
        with heard_by(lambda *_: None, *ENDING), uninterrupted(), hearers_kept():
            found.append([signal.getsignal(number) for number in ENDING] == before)

    beside = threading.Thread(target=look)
    beside.start()
    beside.join()
    assert found == [True]


@HANDLED
def test_what_is_uninterrupted_is_done_before_a_signal_is_heard(number: signal.Signals) -> None:
    """However often it came, it is heard once."""
    done = []

    def do() -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)
        done.append("all")

    with pytest.raises(HeardError, match=str(int(number))), uninterrupted():
        do()
    assert done == ["all"]


def test_a_signal_that_nobody_hears_hides_none_that_somebody_does() -> None:
    """As under nohup, where Ctrl-C is left unheard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def do() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(HeardError, match=str(int(signal.SIGTERM))), uninterrupted():
        do()


def test_a_signal_is_heard_though_what_was_uninterrupted_failed() -> None:
    """Its failure is told as what the signal met."""

    def fail() -> None:
        signal.raise_signal(signal.SIGINT)
        raise KeyError("failed")

    with pytest.raises(HeardError) as caught, uninterrupted():
        fail()
    assert isinstance(caught.value.__context__, KeyError)


def test_without_a_signal_nothing_is_heard() -> None:
    """And what fails fails as ever."""
    with uninterrupted():
        pass
    with pytest.raises(KeyError), uninterrupted():
        raise KeyError("failed")
