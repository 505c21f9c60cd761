"""Cases × devices × dtypes × modes become cells; a cell holds its seeds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from suite.case import Case
from suite.clause import ANY_DTYPE
from suite.errors import SuiteError, raise_all
from suite.expect import Expectation
from suite.machine import unavailable
from suite.version import case_version

DTYPES = ("float64", "float32", "bfloat16", "float16")
EAGER, ENSEMBLE, COMPILED = MODES = ("eager", "ensemble", "compiled")
"""The documents' loop, one seed at a time; all seeds as one more axis; and the same, compiled."""
AUTO = "auto"
AUTO_DEVICES = ("cpu", "cuda")
"""What ``auto`` looks for."""
SEED_LIMIT = 2**64
"""torch takes seeds below this."""
DEFAULT_SEEDS = 100
REFERENCE_SEEDS = 21
REFERENCE_STEPS = 16
FOLLOWED_STEPS = 100
"""Unless --mode asks for it, so many seeds and steps of each cell are trained eagerly: as the reference.

The first seed is followed for more steps, since what an optimizer's own code does later only shows there; the others
are timed.
"""
PROBED_SEEDS = 28
"""Seeds of a case on a device in a dtype that are probed; beside a hundred they fill lanes that would be idle."""
PICTURED_SEEDS = 20
"""Seeds of a case on a device in a dtype of which pictures are kept: as many as an eye can tell apart."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One case on one device in one dtype and mode, with all its seeds."""

    case: Case
    version: str
    device: str
    dtype: str
    mode: str
    seeds: Sequence[int]
    short: bool = False
    """Trained for the reference's steps only; its expectations are another cell's."""
    followed: bool = False
    """It is short, but less so."""
    probed: Sequence[int] = ()
    """Seeds that are trained once more, moved by one unit in the last place, to learn how far that carries."""
    pictured: Sequence[int] = ()
    """Seeds of which pictures are kept."""
    spoilt: str = ""
    """Why its case cannot be trained, if that is known before."""

    @property
    def steps(self) -> int:
        """Return the number of updates."""
        if not self.short:
            return self.case.steps
        return min(self.case.steps, FOLLOWED_STEPS if self.followed else REFERENCE_STEPS)

    @property
    def trained(self) -> Case:
        """Return the case as this cell trains it: with fewer steps, and nothing to look at, if it is short."""
        return replace(self.case, steps=self.steps, expect=(), show=()) if self.short else self.case

    @property
    def label(self) -> str:
        """Return "case[device-dtype]"."""
        return f"{self.case.name}[{self.device}-{self.dtype}]"


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A device that was looked for and is not here."""

    device: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run trains, in the order in which it is recorded."""

    cells: tuple[Cell, ...]
    skipped: tuple[Skip, ...] = ()
    modes: tuple[str, ...] = ()
    """What was asked for, whether every case can be trained so or not."""

    @property
    def trials(self) -> int:
        """Count all trials."""
        return sum(len(cell.seeds) for cell in self.cells)


def make_plan(
    cases: Sequence[Case],
    *,
    seeds: range | None = None,
    devices: Sequence[str] = ("cpu",),
    dtypes: Sequence[str] = DTYPES,
    modes: Sequence[str] | None = None,
    skipped: Sequence[Skip] = (),
) -> Plan:
    """Cross cases, devices, dtypes and modes; ``seeds`` None stands for the first hundred.

    ``modes`` None trains every cell as an ensemble, and its first seeds and steps eagerly beside it.

    Raises:
        SuiteError: naming every case that expects something in a dtype that is none.
    """
    raise_all(f"{case.file}: {case.name}: {fault}" for case in cases for fault in _unknown_dtypes(case))
    versions = {case.name: case_version(case) for case in cases}
    chosen = range(DEFAULT_SEEDS) if seeds is None else seeds
    planned = (EAGER, ENSEMBLE) if modes is None else tuple(modes)
    probing = probing_mode(planned)
    cells = (
        Cell(
            case=case,
            version=versions[case.name],
            device=device,
            dtype=dtype,
            mode=mode,
            seeds=chosen[:REFERENCE_SEEDS] if modes is None and mode == EAGER else chosen,
            short=modes is None and mode == EAGER,
            probed=chosen[:PROBED_SEEDS] if mode == probing else (),
            pictured=chosen[:PICTURED_SEEDS] if mode == probing else (),
        )
        for case, device, dtype, mode in product(cases, devices, dtypes, planned)
    )
    return Plan(cells=tuple(cells), skipped=tuple(skipped), modes=planned)


def _unknown_dtypes(case: Case) -> Iterator[str]:
    """Say what a case expects in a dtype that it is never trained in, and that would never be judged."""
    expected = {
        dtype: e.clause.observation for e in case.expect if isinstance(e, Expectation) for dtype in e.clause.bounds
    }
    for dtype in sorted(expected.keys() - {*DTYPES, ANY_DTYPE}):
        yield f'{expected[dtype]} has bounds in "{dtype}"; choose from {", ".join(DTYPES)}'


def probing_mode(modes: Iterable[str]) -> str:
    """Return the one of these modes, in which a cell is trained, whose first seeds are probed and pictured."""
    return min(modes, key=lambda mode: mode == EAGER)


def parse_seeds(text: str, option: str = "--seeds") -> range:
    """Read "100" (the first hundred) or "20:120" (20 to 119).

    Raises:
        SuiteError: if the text is no range of whole numbers from 0 up to 2⁶⁴ − 1, or one that is empty or too long.
    """
    match = re.fullmatch(r"(?:(\d{1,20}):)?(\d{1,20})", text, flags=re.ASCII)
    if match is None:
        raise SuiteError(f'{option} "{text}" is no range; give a number, as 100, or first and end, as 20:120')
    start, stop = int(match[1] or 0), int(match[2])
    if not start < stop <= SEED_LIMIT:
        raise SuiteError(f'{option} "{text}" holds no seed; the end must lie above the start, at most 2^64')
    if stop - start > sys.maxsize:
        raise SuiteError(f'{option} "{text}" holds more seeds than can be counted; give at most {sys.maxsize}')
    return range(start, stop)


def parse_choice(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Read a comma-separated choice from ``known``, or "all".

    Raises:
        SuiteError: naming every word that is not known.
    """
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    if words == ("all",):
        return tuple(known)
    raise_all(f'{option} "{word}" is not known; choose from {", ".join(known)}' for word in words if word not in known)
    return words


def parse_devices(text: str, option: str = "--device") -> tuple[tuple[str, ...], tuple[Skip, ...]]:
    """Read torch device strings, or "auto"; give those that are here, and those that ``auto`` missed.

    Raises:
        SuiteError: naming every device that was asked for by name and is not here.
    """
    asked = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    reasons = {device: unavailable(device) for device in (AUTO_DEVICES if asked == (AUTO,) else asked)}
    missing = {device: reason for device, reason in reasons.items() if reason is not None}
    if asked != (AUTO,):
        raise_all(f'{option} "{device}" is not here: {reason}' for device, reason in missing.items())
    skipped = tuple(Skip(device=device, reason=reason) for device, reason in missing.items())
    return tuple(device for device in reasons if device not in missing), skipped
