"""Reading a CSV file of a run folder: bit for bit what was written, or refused by row and column."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from suite.errors import SuiteError
from suite.records.faults import named, short
from suite.records.grow import whole_rows
from suite.records.own import read_own
from suite.records.quick import Places, read_plainly, unquoted
from suite.records.schema import DIGEST, FLOAT, LONGEST_DIGEST, SCHEMA_VERSION, SEED, TEXT, WHOLE, Table, check

NUMERALS = {
    FLOAT: re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|inf)|nan"),
    WHOLE: re.compile(r"-?[0-9]{1,19}"),
    SEED: re.compile(r"[0-9]{1,20}"),
    DIGEST: re.compile(rf"[^\0]{{0,{LONGEST_DIGEST}}}"),
}
"""How a number, or a digest, of each kind may be written."""

LIMITS = {WHOLE: (-(2**63), 2**63 - 1), SEED: (0, 2**64 - 1)}


@dataclass(frozen=True)
class _Text:
    """What a file holds, before it is known to be a table; its header is row 1."""

    file: Path
    data: bytes

    @cached_property
    def ends(self) -> Places:
        """Return where the rows end."""
        return self.unquoted(b"\n")

    def unquoted(self, mark: bytes) -> Places:
        """Return where a mark stands outside quoted texts."""
        return unquoted(ord(mark), np.frombuffer(self.data, dtype=np.uint8))

    def fault(self, row: int, what: str) -> SuiteError:
        """Return the error that names the file, one of its rows and what is wrong there."""
        return SuiteError(f"{self.file}: row {row}: {what}")

    def row_at(self, place: int) -> int:
        """Return the number of the row that the byte at ``place`` belongs to."""
        return 1 + int(np.searchsorted(self.ends, place))

    def fields(self, row: int) -> list[str]:
        """Return what stands in one row; nothing, if there is no such row or it is no CSV."""
        start, end = (0 if place < 0 else int(self.ends[place]) + 1 for place in (row - 2, row - 1))
        try:
            return next(csv.reader([self.data[start:end].decode()]), [])
        except csv.Error:
            return []


def read_table(file: Path, table: Table, *, torn: bool = False) -> pd.DataFrame:
    """Read one CSV file of a run folder, bit for bit; of one that is ``torn``, all but the half row at its end.

    Raises:
        SuiteError: naming file, row and column, if it is missing, cut off, of another schema
            version, or holds something else than its columns promise.
    """
    data = read_own(file)
    text = _Text(file, data[: whole_rows(data)] if torn else data)
    rows = read_plainly(text.data, table)
    return check(_read_with_care(text, table) if rows is None else rows, table, file)


def _read_with_care(text: _Text, table: Table) -> pd.DataFrame:
    """Read word by word; whatever is at fault is found and named."""
    _refuse_cut_off(text)
    _refuse_foreign_text(text, table)
    _refuse_quotes(text)
    _refuse_header(text, table)
    _refuse_fields(text, table)
    return _parsed(text, table)


def _refuse_cut_off(text: _Text) -> None:
    if not text.data:
        raise SuiteError(f"{text.file}: is empty; a header was expected")
    if not len(text.ends) or text.ends[-1] != len(text.data) - 1:
        remedy = f"complete the run with: suite run --resume --out {text.file.parent}; in a baseline's place accept one"
        raise text.fault(len(text.ends) + 1, f"is cut off; {remedy}")


def _refuse_foreign_text(text: _Text, table: Table) -> None:
    """Refuse what is no UTF-8, or has other line ends than this suite writes."""
    if text.data.startswith(codecs.BOM_UTF8):
        raise text.fault(1, "begins with a byte order mark; take it away")
    for place in text.unquoted(b"\r")[:1]:
        raise text.fault(text.row_at(place), "holds a carriage return; lines end in a line feed alone")
    try:
        text.data.decode()
    except UnicodeDecodeError as error:
        row = text.row_at(error.start)
        start = int(text.ends[row - 2]) + 1 if row > 1 else 0
        before = _Text(text.file, text.data[start : error.start]).unquoted(b",")
        column = list(table.columns)[min(len(before), len(table.columns) - 1)]
        raise text.fault(row, f"column {column}: is no UTF-8: {error.reason}") from error


def _refuse_quotes(text: _Text) -> None:
    """Refuse a quote within a bare word, where one reader sees a text begin and another does not."""
    characters = np.frombuffer(b"\n" + text.data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    beside = np.where(np.arange(len(quotes)) % 2, characters[quotes + 1], characters[quotes - 1])
    for place in quotes[~np.isin(beside, list(b'\n,"'))][:1]:
        raise text.fault(text.row_at(place - 1), "holds a quote within a word")


def _refuse_header(text: _Text, table: Table) -> None:
    """Refuse another schema version by its name, then any other columns than the table's."""
    header = text.fields(1)
    first = text.fields(2) if len(text.ends) > 1 else []
    version = dict(zip(header, first, strict=False)).get("schema", "")
    if version.isdigit() and version != str(SCHEMA_VERSION):
        raise SuiteError(
            f"{text.file}: has schema version {short(version)}; this suite reads version {SCHEMA_VERSION} only"
        )
    missing, unknown = [c for c in table.columns if c not in header], [c for c in header if c not in table.columns]
    if header == list(table.columns):
        return
    fault = "the columns stand in another order"
    if missing or unknown:
        fault = f"column {missing[0]} is missing" if missing else f"column {named(unknown[0])} is not known"
    raise text.fault(1, f"{fault}; expected {', '.join(table.columns)}")


def _refuse_fields(text: _Text, table: Table) -> None:
    """Refuse a row of more or fewer fields than there are columns; pandas would fill or cut it in silence."""
    fields = 1 + np.diff(np.searchsorted(text.unquoted(b","), text.ends), prepend=0)
    for place in np.flatnonzero(fields != len(table.columns))[:1]:
        raise text.fault(place + 1, f"has {fields[place]} fields; {len(table.columns)} were expected")


def _parsed(text: _Text, table: Table) -> pd.DataFrame:
    """Return the rows, every number read to the last bit from a word that stands for one.

    Pandas gives the words alone: left to itself, it takes "1e999" for an infinity, and casts it to some seed.
    """
    words = pd.read_csv(BytesIO(text.data), dtype=TEXT, na_filter=False, index_col=False, encoding="utf-8")
    numerals = {name: pd.factorize(words[name]) for name, kind in table.columns.items() if kind in NUMERALS}
    _refuse_numerals(text, table, numerals)
    numbers = {
        name: np.array([_number(word, table.columns[name]) for word in different], dtype=table.columns[name])[places]
        for name, (places, different) in numerals.items()
        if table.columns[name] != DIGEST
    }
    return words.assign(**numbers).astype(table.columns)


def _refuse_numerals(text: _Text, table: Table, numerals: Mapping[str, tuple[Places, pd.Index[str]]]) -> None:
    """Refuse the first row that holds no number of its column's kind; columns come as words' places and words."""
    wrong = []
    for name, (places, different) in numerals.items():
        readable = np.array([_number(word, table.columns[name]) is not None for word in different], dtype=bool)
        wrong += [(int(place), name, different[places[place]]) for place in np.flatnonzero(~readable[places])[:1]]
    for place, name, word in sorted(wrong)[:1]:
        raise text.fault(place + 2, f"column {name}: found {short(word)!r}, expected {table.columns[name]}")


def _number(word: str, kind: str) -> float | int | str | None:
    """Return the number, or the digest, of this kind that a word stands for; None, if it stands for none."""
    if NUMERALS[kind].fullmatch(word) is None:
        return None
    if kind == DIGEST:
        return word
    if kind == FLOAT:
        return float(word) if "inf" in word or not math.isinf(float(word)) else None
    low, high = LIMITS[kind]
    return int(word) if low <= int(word) <= high else None
