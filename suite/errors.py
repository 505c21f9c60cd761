"""What a user can cause and mend: one line a fault, and no traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class SuiteError(Exception):
    """One or more faults, each a line "place: what was found; what to do".

    All faults of one input are gathered before they are raised together.
    """

    def __init__(self, *faults: str) -> None:
        """Hold ``faults``, one line each."""
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        """Return the faults, one on each line."""
        return "\n".join(self.faults)


def raise_all(faults: Iterable[str]) -> None:
    """Raise the faults together, if there are any.

    Raises:
        SuiteError: if ``faults`` is not empty.
    """
    gathered = tuple(faults)
    if gathered:
        raise SuiteError(*gathered)


def told(error: BaseException) -> str:
    """Return an exception as one line that can be written to a file: its type and its first line."""
    try:
        first = encodable(str(error)).strip().partition("\n")[0]
    except Exception:  # it may be anyone's, and fail at telling itself
        first = ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def let_end(error: BaseException) -> None:
    """Raise again what ends a command; all else that the code of a case raises is a fault of that case alone.

    Raises:
        BaseException: the error, if it is what its user, or Python, asks for.
    """
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error


def encodable(text: str) -> str:
    """Return text with half characters (lone surrogates) by their numbers, as of a file's name that is no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


class Gathering:
    """Reads several inputs and keeps the faults of each; made by :func:`gather`."""

    def __init__(self) -> None:
        """Begin without a fault."""
        self.faults: list[str] = []

    def __call__(self, read: Callable[[], Any]) -> Any:
        """Return what ``read`` returns, or None if it finds faults."""
        try:
            return read()
        except SuiteError as error:
            self.faults.extend(error.faults)
            return None


@contextmanager
def gather() -> Iterator[Gathering]:
    """Read several inputs and raise all their faults together at the end.

    Raises:
        SuiteError: if any input had a fault.
    """
    gathering = Gathering()
    yield gathering
    raise_all(gathering.faults)
