"""What is told of files that anyone may have written: few faults, and of each what stands in one short line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

LONGEST_QUOTED = 80
"""Characters of a text that a fault quotes."""
MOST_FAULTS = 20
"""Faults of one file that are told."""


def few(faults: Iterable[str]) -> Iterator[str]:
    """Give the first faults of a file, and say how many more there are."""
    rest = iter(faults)
    yield from islice(rest, MOST_FAULTS)
    more = sum(1 for _ in rest)
    if more:
        yield f"and {more} more faults"


def short(found: object) -> object:
    """Return what a fault quotes: of a long text, how it begins."""
    return found if not isinstance(found, str) or len(found) <= LONGEST_QUOTED else f"{found[:LONGEST_QUOTED]}…"


def named(name: object) -> str:
    """Return a name as it stands in a fault's line without quotes; a long one by its beginning."""
    text = f"{short(name)}"
    return text if text.isprintable() else ascii(text)


def label(case: str, device: str, dtype: str) -> str:
    """Return "case[device-dtype]", which names a cell."""
    return f"{named(case)}[{named(device)}-{named(dtype)}]"
