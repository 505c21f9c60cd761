"""What a test's server of workers imports: the system refuses it every process but the first."""

from __future__ import annotations

from itertools import count

from suite import forking

numbers = count()


def fork(granted: object = forking.FORK) -> int:
    """Fork once."""
    if next(numbers):
        raise BlockingIOError("no more of them")
    assert callable(granted)
    number: int = granted()
    return number


forking.FORK = fork
