"""The rows that a listing prints, kept between calls: to make them takes an import of torch, to read them none.

Kept rows count as long as what they were made from is the same, byte for byte: the case files, the modules beside
them, their claims, the suite itself, and the versions of Python and torch. What else a case file opens or imports is
not looked at. To lose the rows costs time and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from hashlib import sha256
from importlib.metadata import distributions
from itertools import islice
from pathlib import Path

from platformdirs import user_cache_path

from suite.claims import CLAIMS_FILE, claims_places
from suite.errors import SuiteError

Row = dict[str, object]


class Listing(StrEnum):
    """What can be listed."""

    CASES = "cases"
    CLAIMS = "claims"


FIELDS: dict[Listing, dict[str, type]] = {
    Listing.CASES: {
        "folder": str,
        "case": str,
        "steps": int,
        "claims": list,
        "expectations": int,
        "document": str,
    },
    Listing.CLAIMS: {"claim": str, "says": str, "case": str, "expected": list},
}
"""What a row of each listing holds; a list holds texts."""

MOST_FILES = 10_000
"""Nothing is kept of folders with more files than this: to look through them would take as long as torch."""


def catalogued(listing: Listing, roots: Sequence[Path], make: Callable[[], list[Row]]) -> list[Row]:
    """Return the rows that were kept for the cases under ``roots``; else those that ``make`` returns, which are kept.

    What ``make`` raises is raised, and nothing is kept.
    """
    digest = _digest(roots)
    if digest is None:
        return make()
    file = _place(listing, roots)
    rows = _kept(file, listing, digest)
    if rows is None:
        rows = make()
        if _is_listing(rows, listing) and _digest(roots) == digest:  # else a file changed while it was imported
            _keep(file, digest, rows)
    return rows


def _place(listing: Listing, roots: Sequence[Path]) -> Path:
    """Return the file that keeps one listing of these roots, whatever they hold: a new one replaces the old."""
    asked = sha256(repr([str(listing), *(str(root.absolute()) for root in roots)]).encode()).hexdigest()
    return user_cache_path("suite", appauthor=False) / f"{listing}-{asked[:16]}.json"


def _kept(file: Path, listing: Listing, digest: str) -> list[Row] | None:
    """Read the rows back; None if there are none, they are of other files, or they are damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("digest") != digest:
        return None
    rows = found.get("rows")
    return rows if _is_listing(rows, listing) else None


def _is_listing(rows: object, listing: Listing) -> bool:
    return isinstance(rows, list) and all(_is_row(row, FIELDS[listing]) for row in rows)


def _is_row(row: object, fields: dict[str, type]) -> bool:
    return (
        isinstance(row, dict)
        and list(row) == list(fields)
        and all(type(row[name]) is kind for name, kind in fields.items())
        and all(type(text) is str for name, kind in fields.items() if kind is list for text in row[name])
    )


def _keep(file: Path, digest: str, rows: list[Row]) -> None:
    """Write the rows, if the user has a folder for them that can be written; it is no fault if not."""
    from suite.records.atomic import replace_text, writing

    if not file.is_absolute():  # there is no home, and what stands for it would be a folder here
        return
    with suppress(SuiteError):
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps({"digest": digest, "rows": rows}, indent=1) + "\n")


def _digest(roots: Sequence[Path]) -> str | None:
    """Hash all that rows are made from; None if it is too much, cannot be read, or lies elsewhere behind a link."""
    versions = [sys.version, *(found.version for found in distributions(name="torch"))]
    total = sha256(repr(versions).encode())
    files = list(islice(_files([Path(__file__).parent, *roots]), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        return None
    try:
        for file in (file for file in files if file.suffix == ".py" or file.name == CLAIMS_FILE):
            if file.is_symlink():
                return None
            total.update(repr((str(file), sha256(file.read_bytes()).digest())).encode())
    except OSError:
        return None
    return total.hexdigest()


def _files(roots: Sequence[Path]) -> Iterator[Path]:
    """Give every file that the cases under ``roots`` may be made from: below a folder, or beside a file, and above."""
    for root in roots:
        place = root.absolute()
        yield from _below(place if place.is_dir() else place.parent)
        yield from (claims for above in claims_places(place) if (claims := above / CLAIMS_FILE).is_file())
        yield from [place] * place.is_file()


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        yield from (Path(place, name) for name in sorted(names))
