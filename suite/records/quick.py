"""Reading what this suite itself writes, in blocks and in threads; whatever is in doubt is declined.

A word that no regular expression has looked at is taken for a number only if it begins and ends as one and pandas,
which parses every word to the nearest float or not at all, makes one of it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from suite.records.digests import Digests
from suite.records.schema import DIGEST, FLOAT, LONGEST_DIGEST, SCHEMA_VERSION, SEED, TEXT, WHOLE, WORD, Table

BLOCK = 2**24
"""Bytes that are read at once: many rows, but few beside those of a whole file."""
MOST_THREADS = 4
LONGEST = 18
"""Digits of a whole number that fits whatever they are."""

MOST_CHANGES = 1000
"""Rows of a block whose words are not those of the row before, beyond which pandas sorts them out."""

ENDLESS = (b"inf", b"-inf")
UNDEFINED = b"nan"
COMMA, LINE_END, QUOTE, MINUS, POINT, ZERO = b',\n"-.0'

Places = np.ndarray[Any, np.dtype[np.intp]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Column = Any  # an array of NumPy's or of pandas'


class DeclinedError(ValueError):
    """A block is not plainly what this suite writes; it may be good all the same, or damaged."""


def read_plainly(data: bytes, table: Table) -> pd.DataFrame | None:
    """Return the rows of a file, or None where they are not plainly rows of this table."""
    header = ",".join(table.columns).encode() + b"\n"
    if not data.startswith(header) or len(data) == len(header):
        return None
    try:
        blocks = list(_blocks(data, len(header)))
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(partial(_read, data, table), blocks))
            _decline(parts[0]["schema"][0] != SCHEMA_VERSION)
            columns = pool.map(_joined, ([part.pop(name) for part in parts] for name in table.columns))
            return pd.DataFrame(dict(zip(table.columns, columns, strict=True)), copy=False)
    except (ValueError, OverflowError, csv.Error):  # ours, and what others raise of what they cannot read
        return None


def _blocks(data: bytes, start: int) -> Iterator[slice]:
    """Cut the rows into blocks; a block ends at a line end before which all quotes have their partners."""
    while start < len(data):
        size = BLOCK
        while (end := _row_end(data, start, start + size)) == start:
            _decline(start + size >= len(data))
            size *= 2
        yield slice(start, end)
        start = end


def _row_end(data: bytes, start: int, end: int) -> int:
    """Return where the last whole row between two places ends; ``start`` if none does."""
    end = max(start, data.rfind(b"\n", start, end) + 1)
    if data.count(b'"', start, end) % 2 == 0:
        return end
    whole = unquoted(LINE_END, np.frombuffer(data, np.uint8, end - start, start))
    return start + int(whole[-1]) + 1 if len(whole) else start


def unquoted(mark: int, characters: Bytes) -> Places:
    """Return where a mark stands outside quoted texts: an even number of quotes precedes it."""
    found, quotes = (np.flatnonzero(characters == each) for each in (mark, QUOTE))
    outside: Places = found[np.searchsorted(quotes, found) % 2 == 0]
    return outside


def _decline(doubt: object) -> None:
    if doubt:
        raise DeclinedError


def _joined(parts: list[Column]) -> Column:
    """Return one column of all blocks; categories in order, as pandas has them."""
    if isinstance(parts[0], pd.Categorical):
        return union_categoricals(parts, sort_categories=True)
    return Digests(np.concatenate(parts)) if parts[0].dtype.kind == "S" else np.concatenate(parts)


def _read(data: bytes, table: Table, place: slice) -> dict[str, Column]:
    return _Block(data[place], table).read()


class _Block:
    """Whole rows of a file, and where their fields end."""

    def __init__(self, data: bytes, table: Table) -> None:
        """Find the ends of the fields: as many in each row as the table has columns."""
        _decline(b"\r" in data or b"\0" in data)
        _decline(not data.isascii() and not data.decode())
        self.data, self.table, self.names = data, table, list(table.columns)
        self.characters = np.frombuffer(data, dtype=np.uint8)
        commas, self.lines = (_plainly_unquoted(mark, data, self.characters) for mark in (COMMA, LINE_END))
        within = len(self.names) - 1
        _decline(len(commas) != within * len(self.lines))
        self.commas = commas.reshape(-1, within)
        _decline((self.commas[:, -1] > self.lines).any() or (self.commas[1:, 0] < self.lines[:-1]).any())

    def span(self, first: int, last: int) -> tuple[Places, Places]:
        """Return where the fields from one column to another begin and end, row by row."""
        ends = self.lines if last == len(self.names) - 1 else self.commas[:, last]
        before = self.commas[:, first - 1] if first else np.concatenate([[-1], self.lines[:-1]])
        return before + 1, np.ascontiguousarray(ends)

    def columns_of(self, *kinds: str) -> list[int]:
        """Return the places of the columns of some kinds."""
        return [place for place, kind in enumerate(self.table.columns.values()) if kind in kinds]

    def read(self) -> dict[str, Column]:
        """Return all columns by name."""
        wholes = {place: self.whole(place) for place in self.columns_of(WHOLE, SEED)}
        digests = {place: self.digest(place) for place in self.columns_of(DIGEST)}
        words: dict[int, Column] = {}
        for first, last in _runs(self.columns_of(WORD)):
            words |= self.words(first, last)
        rest = self.parsed([p for p in range(len(self.names)) if p not in wholes | digests | words])
        return {self.names[place]: column for place, column in (wholes | digests | words | rest).items()}

    def whole(self, place: int) -> Column:
        """Return a column of whole numbers, each of a few digits and nothing else."""
        starts, ends = self.span(place, place)
        lengths = ends - starts
        most = int(lengths.max())
        _decline(lengths.min() < 1 or most > LONGEST)
        numbers = np.zeros(len(ends), dtype=np.int64)
        for power in range(most):
            digits = self.characters[ends - 1 - power] - np.uint8(ZERO)
            digits[lengths <= power] = 0  # what stands there belongs to another field
            _decline((digits > 9).any())
            numbers += digits * np.int64(10**power)
        return numbers.astype(self.table.columns[self.names[place]])

    def digest(self, place: int) -> Column:
        """Return a column of digests, padded to one width."""
        starts, ends = self.span(place, place)
        width = int((ends - starts).max())
        _decline(width < 1 or width > LONGEST_DIGEST or (self.characters[starts] == QUOTE).any())
        if (ends - starts == width).all():
            return self._of_width(starts, width)
        padded = np.zeros((len(starts), width), dtype=np.uint8)
        for offset in range(width):
            inside = np.flatnonzero(starts + offset < ends)
            padded[inside, offset] = self.characters[starts[inside] + offset]
        return padded.view(f"S{width}").ravel()

    def _of_width(self, starts: Places, width: int) -> Column:
        """Return the bytes from each place on, so many each."""
        everywhere = np.ndarray((len(self.data) - width + 1,), f"S{width}", self.data, strides=(1,))
        return everywhere[starts]

    def words(self, first: int, last: int) -> dict[int, Column]:
        """Return neighbouring columns of words, each row alike the one before it or the first of many that are."""
        starts, ends = self.span(first, last)
        begun = self._changes(starts, ends - starts)
        if begun is None:
            return {}
        places = zip(starts[begun].tolist(), ends[begun].tolist(), strict=True)
        rows = list(csv.reader([self.data[start:end].decode() + "," for start, end in places]))
        columns = list(zip(*rows, strict=True))[:-1]  # without the comma behind it, an empty text would be no row
        _decline(len(rows) != len(begun) or len(columns) != last - first + 1)
        repeats = np.diff(begun, append=len(starts))
        return {place: _repeated(column, repeats) for place, column in enumerate(columns, start=first)}

    def _changes(self, starts: Places, lengths: Places) -> Places | None:
        """Return the rows that do not say what the row before them says; None if they are many."""
        edges = np.concatenate([[0], np.flatnonzero(np.diff(lengths)) + 1])
        if len(edges) > MOST_CHANGES:
            return None
        found = []
        for low, high in pairwise([*edges.tolist(), len(lengths)]):
            if lengths[low]:
                part = self._of_width(starts[low:high], int(lengths[low]))
                found += [low, *(low + 1 + np.flatnonzero(part[1:] != part[:-1])).tolist()]
            else:
                found.append(low)
        return np.array(found) if len(found) <= MOST_CHANGES else None

    def parsed(self, places: Sequence[int]) -> dict[int, Column]:
        """Return what pandas makes of columns: of floats above all."""
        floats = [self.names[place] for place in places if self.table.columns[self.names[place]] == FLOAT]
        undefined, endless = self._no_numbers([self.names.index(name) for name in floats])
        columns = pd.read_csv(
            BytesIO(self.data),
            header=None,
            names=self.names,
            usecols=list(places),
            dtype={self.names[place]: self.table.columns[self.names[place]] for place in places},
            na_values={name: [UNDEFINED.decode()] for name in floats},
            keep_default_na=False,
            na_filter=undefined > 0,
            index_col=False,
            encoding="utf-8",
            low_memory=False,
        )
        _decline(sum(int(np.isinf(columns[name].to_numpy()).sum()) for name in floats) != endless)
        found = {place: columns[self.names[place]] for place in places}
        return {p: column.to_numpy() if self.names[p] in floats else column.array for p, column in found.items()}

    def _no_numbers(self, places: Sequence[int]) -> tuple[int, int]:
        """Return how many floats are undefined and how many infinite; decline what looks like none."""
        undefined = endless = 0
        for place in places:
            starts, ends = self.span(place, place)
            first = self.characters[starts + (self.characters[starts] == MINUS)] - np.uint8(ZERO)
            last = self.characters[ends - 1] - np.uint8(ZERO)
            odd = np.flatnonzero((first > 9) | ((last > 9) & (last != np.uint8(POINT - ZERO + 256))))
            words = [self.data[start:end] for start, end in zip(starts[odd].tolist(), ends[odd].tolist(), strict=True)]
            undefined += words.count(UNDEFINED)
            endless += sum(map(words.count, ENDLESS))
            _decline(any(word not in (UNDEFINED, *ENDLESS) for word in words))
        return undefined, endless


def _plainly_unquoted(mark: int, data: bytes, characters: Bytes) -> Places:
    """Return where a mark stands outside quotes; decline quotes within words."""
    if b'"' not in data:
        return np.flatnonzero(characters == mark)
    quotes = np.flatnonzero(characters == QUOTE)
    around = np.frombuffer(b"\n" + data, dtype=np.uint8)
    beside = around[quotes + 2 * (np.arange(len(quotes)) % 2)]
    _decline(not np.isin(beside, (COMMA, LINE_END, QUOTE)).all())
    return unquoted(mark, characters)


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the first and the last of neighbouring places."""
    ends = [place for place in places if place + 1 not in places]
    yield from zip([place for place in places if place - 1 not in places], ends, strict=True)


def _repeated(words: Sequence[str], repeats: Places) -> Column:
    """Return a column of words, each repeated so many times."""
    few = pd.Categorical(pd.Series(words, dtype=TEXT))
    many: Column = few.take(np.repeat(np.arange(len(few)), repeats))
    return many
