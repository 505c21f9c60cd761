"""Faults that a user can mend are one line each, and are raised together."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import SuiteError, gather, let_end, raise_all, told


@given(st.lists(st.text(min_size=1), min_size=1))
def test_all_faults_are_raised_together_in_their_order(faults: list[str]) -> None:
    """The one error that is raised holds every fault, and says each on a line of its own."""
    with pytest.raises(SuiteError) as caught:
        raise_all(fault for fault in faults)
    assert caught.value.faults == tuple(faults)
    assert str(caught.value) == "\n".join(faults)


def test_faults_come_back_from_another_process_as_they_were() -> None:
    """An error that was sent between processes has the same faults."""
    sent = pickle.loads(pickle.dumps(SuiteError("one", "two")))
    assert (sent.faults, str(sent)) == (("one", "two"), "one\ntwo")


def test_no_fault_raises_nothing() -> None:
    """Gathering no fault is no error."""
    raise_all([])


class MuteError(Exception):
    """An error that fails at telling itself."""

    def __str__(self) -> str:
        """Fail."""
        raise ZeroDivisionError


def test_what_ends_a_command_is_let_through() -> None:
    """Ctrl-C, and what Python ends a generator with; nothing else that a case's code raises."""
    for error in (KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(error)):
            let_end(error)
    for fault in (SystemExit(), ValueError(), BaseException()):
        let_end(fault)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MuteError(), "MuteError"),
        (ValueError("\n first \nsecond"), "ValueError: first "),
        (ValueError("only"), "ValueError: only"),
        (KeyError(), "KeyError"),
        (RuntimeError("  \n"), "RuntimeError"),
        (SystemExit(0), "SystemExit: 0"),
    ],
)
def test_an_exception_is_told_in_one_line(error: BaseException, line: str) -> None:
    """An exception is told as its type and its first line, or its type alone if it says nothing."""
    assert told(error) == line


def refusing(*faults: str) -> Callable[[], int]:
    """Return a way of reading an input that has these faults; 5 if there are none."""

    def read() -> int:
        raise_all(faults)
        return 5

    return read


def test_the_faults_of_several_inputs_are_raised_together() -> None:
    """Each input is read although another has faults; its faults come in order, and its value is None."""
    values: list[int | None] = []
    with pytest.raises(SuiteError) as caught, gather() as gathering:
        values.extend(gathering(refusing(*faults)) for faults in (["a", "b"], [], ["c"]))
    assert caught.value.faults == ("a", "b", "c")
    assert values == [None, 5, None]


def test_inputs_without_a_fault_are_read_as_they_are() -> None:
    """Nothing is raised where nothing is wrong."""
    with gather() as gathering:
        value = gathering(refusing())
    assert value == 5


def test_an_error_that_is_no_fault_is_not_gathered() -> None:
    """What no user can mend is raised where it happens."""
    with pytest.raises(ZeroDivisionError), gather() as gathering:
        gathering(lambda: 1 / 0)


def test_what_is_told_of_an_exception_can_be_written() -> None:
    """A file's name that is no UTF-8 has half characters in Python, which no file takes."""
    assert told(OSError("no \udcff file")) == r"OSError: no \udcff file"
