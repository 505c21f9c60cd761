"""How often something was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from suite.errors import SuiteError

SHOWN = 300
"""Characters of a reason that are told."""


@dataclass
class Tally:
    """How often one thing was tried, and what came of it; of no use but to be counted."""

    what: str
    part: str = ""
    """Of what is told in one row together."""
    survivals: int = 0
    losses: list[str] = field(default_factory=list)

    def survived(self, times: int = 1) -> None:
        """Count tries after which all was as it should be."""
        self.survivals += times

    def lost(self, reason: str) -> None:
        """Count a try after which something was not; the reason is told below the table."""
        self.losses.append(reason)

    @contextmanager
    def one_try(self) -> Iterator[None]:
        """Count what is done within: lost if it fails an assertion or a record cannot be read, else survived."""
        try:
            yield
        except (AssertionError, SuiteError) as error:
            self.lost(" ".join(str(error).split())[:SHOWN])
        else:
            self.survived()


Tallies = Callable[..., Tally]
"""Gives the tally of a name, or of a part of it."""
