"""The tables of a run folder: their columns, and what must hold of what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from suite.errors import SuiteError
from suite.picture import FORMS
from suite.plan import DTYPES
from suite.records import digests
from suite.records.faults import short
from suite.trial import PARTS, Status

SCHEMA_VERSION = 4
"""Of every file in a run folder; a file of another version is refused."""

FLOAT, WHOLE, SEED, WORD, DIGEST, TEXT = "float64", "int64", "uint64", "category", digests.NAME, "str"
"""What a column may hold, as pandas calls it; a word is a text that many rows share, which is kept once."""

LONGEST_DIGEST = 64
"""Characters: digests stand in memory side by side, each as wide as the widest."""

ROOM = 16
"""How much larger than its rows the space of keys may be in which they are told apart."""

TEXTS = (WORD, DIGEST, TEXT)

CELL = {"case": WORD, "device": WORD, "dtype": WORD, "mode": WORD}
KEY = {**CELL, "seed": SEED}

TRAINED = {"dtype": pa.Check.isin(DTYPES)}
"""Of the tables whose rows are about one trained seed; a verdict may be about every dtype."""

CHECKS = {
    "schema": pa.Check.eq(SCHEMA_VERSION),
    "status": pa.Check.isin([str(status) for status in Status]),
    "steps": pa.Check.ge(0),
    "step": pa.Check.ge(0),
    "seeds_together": pa.Check.ge(1),
    "distance": pa.Check.ge(0.0),
}


LONGEST_WORD = 40
"""Characters of a verdict's aspect, stage and outcome."""

SOME_TEXT = pa.Check(lambda column: column != "", error="some text")


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One CSV file of a run folder."""

    file: str
    columns: dict[str, str]
    """Names, in order, and what each holds."""
    key: tuple[str, ...]
    """Columns that together name a row."""
    laws: Mapping[str, pa.Check] = field(default_factory=lambda: CHECKS | TRAINED)
    """What must hold of the values in a column."""
    blank: tuple[str, ...] = ()
    """Columns of text that may be empty."""

    @cached_property
    def checks(self) -> pa.DataFrameSchema:
        """Return the schema that a table must fulfil, on reading and on writing."""
        columns = {
            name: pa.Column(None if kind in TEXTS else kind, self.law_of(name), nullable=kind == FLOAT)
            for name, kind in self.columns.items()
        }
        return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(self.key))

    def law_of(self, name: str) -> pa.Check | None:
        """Return what must hold of the values in a column."""
        filled = SOME_TEXT if self.columns[name] in TEXTS and name not in self.blank else None
        return self.laws.get(name, filled)

    @cached_property
    def empty(self) -> pd.DataFrame:
        """Return the table without a row."""
        return pd.DataFrame(columns=list(self.columns), dtype=TEXT).astype(self.columns)


TRIALS = Table(
    file="trials.csv",
    columns={
        "schema": WHOLE,
        "run": WORD,
        "case": WORD,
        "case_version": WORD,
        "seed": SEED,
        "device": WORD,
        "dtype": WORD,
        "mode": WORD,
        "status": WORD,
        "steps": WHOLE,
        "first_loss": FLOAT,
        "final_loss": FLOAT,
        "train_seconds": FLOAT,
        "compile_seconds": FLOAT,
        "seeds_together": WHOLE,
        "yardstick_seconds": FLOAT,
        "waiting_share": FLOAT,
        "data_norm": FLOAT,
        "init_norm": FLOAT,
        "start_norm": FLOAT,
        "gradient_norm": FLOAT,
        "update_norm": FLOAT,
        "final_norm": FLOAT,
        "data_projection": FLOAT,
        "start_projection": FLOAT,
        "gradient_projection": FLOAT,
        "update_projection": FLOAT,
        "reason": WORD,
        "data_digest": DIGEST,
        "init_digest": DIGEST,
        "gradient_digest": DIGEST,
        "update_digest": DIGEST,
        "final_digest": DIGEST,
    },
    key=tuple(KEY),
    blank=("reason",),
)

FIRST = replace(TRIALS, file="first.csv")
"""Of a baseline: rows of trials that were timed when their cells were first accepted on its machine."""

AGAIN = replace(TRIALS, file="again.csv")
"""Rows of trials that were timed once more, if any were."""

CURVES = Table(
    file="curves.csv",
    columns={"schema": WHOLE, **KEY, "step": WHOLE, "loss": FLOAT},
    key=(*KEY, "step"),
)

OBSERVATIONS = Table(
    file="observations.csv",
    columns={"schema": WHOLE, **KEY, "value": FLOAT, "name": WORD},
    key=(*KEY, "name"),
)

PROBES = Table(
    file="probes.csv",
    columns={"schema": WHOLE, **KEY, "part": WORD, "step": WHOLE, "distance": FLOAT},
    key=(*KEY, "part", "step"),
    laws=CHECKS | TRAINED | {"part": pa.Check.isin(PARTS)},
)

GRAPHS = Table(
    file="graphs.csv",
    columns={"schema": WHOLE, **KEY, "name": WORD, "form": WORD, "x": FLOAT, "y": FLOAT},
    key=(*KEY, "name", "form", "x"),
    laws=CHECKS | TRAINED | {"form": pa.Check.isin(FORMS)},
)
"""What a page draws of a few seeds; no verdict looks at it."""

SHORT = pa.Check.str_length(1, LONGEST_WORD)
VERDICTS = Table(
    file="verdicts.csv",
    columns={"schema": WHOLE, **CELL, "aspect": TEXT, "stage": TEXT, "sentence": TEXT, "verdict": TEXT},
    key=(*CELL, "aspect"),
    laws=CHECKS | {"aspect": SHORT, "verdict": SHORT, "stage": pa.Check.str_length(0, LONGEST_WORD)},
    blank=("stage",),
)


def check(rows: pd.DataFrame, table: Table, place: Path | str) -> pd.DataFrame:
    """Return ``rows`` if they fulfil the table's schema.

    Raises:
        SuiteError: naming the place, the first row at fault and its column.
    """
    if _plainly_lawful(rows, table):
        return rows
    try:
        # The first rows at fault come first: each takes a kilobyte to tell, and all of a file's may be at fault.
        for part in (_suspects(rows, table), rows):
            table.checks.validate(part, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise SuiteError(*_failures(error.failure_cases, table, place)) from error
    return rows


def _suspects(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the first row against each law, and the first two of those that are told apart by nothing."""
    laws = ((name, table.law_of(name)) for name in table.columns if name in rows)
    broken = [~law(rows[name]).check_output.to_numpy(dtype=bool) for name, law in laws if law is not None]
    places = {int(wrong.argmax()) for wrong in broken if wrong.any()}
    again = rows.duplicated(list(table.key))
    if again.any():
        second = int(again.to_numpy().argmax())
        first = int(rows[: second + 1].duplicated(list(table.key), keep="last").to_numpy().argmax())
        places |= {first, second}
    return rows.iloc[sorted(places)]


def _plainly_lawful(rows: pd.DataFrame, table: Table) -> bool:
    """Tell whether rows fulfil the schema, from few of their values; if in doubt, they do not."""
    if not len(rows) or rows.dtypes.map(str).to_dict() != table.columns or list(rows.columns) != list(table.columns):
        return False
    laws = ((name, table.law_of(name)) for name in table.columns)
    kept = all(law(_telling(rows[name])).check_passed for name, law in laws if law is not None)
    return kept and _plainly_different(rows[list(table.key)])


def _telling(column: pd.Series) -> pd.Series:
    """Return the values on which a law must hold to hold on all of them: a law about numbers is about a range."""
    if column.dtype == WORD:
        return pd.Series(column.cat.categories)
    if column.dtype == digests.NAME:
        return column[(column == "").to_numpy().argmax() :][:1]
    return pd.Series([column.min(), column.max()]) if column.dtype.kind in "iu" else column


def _plainly_different(keys: pd.DataFrame) -> bool:
    """Tell whether no two rows are equal: each has a place of its own in a space that is not much larger than they."""
    place, size = np.zeros(len(keys), dtype=np.int64), 1
    for name in keys:
        numbers, count = _dense(keys[name])
        size *= count
        if size > ROOM * len(keys):
            return False
        if count > 1:
            place *= count
            place += numbers
    taken = np.zeros(size, dtype=np.bool_)
    taken[place] = True
    return int(np.count_nonzero(taken)) == len(keys)


def _dense(column: pd.Series) -> tuple[np.ndarray[Any, np.dtype[Any]], int]:
    """Return a number from 0 on for each value, the same for the same only, and how many there are at most."""
    if column.dtype == WORD:
        return column.cat.codes.to_numpy(), len(column.cat.categories)
    if column.dtype.kind not in "iu":
        return pd.factorize(column, use_na_sentinel=False)[0], column.nunique(dropna=False)
    values = column.to_numpy()
    offsets = values - values.min()
    span = int(values.max()) - int(values.min()) + 1
    if span > ROOM * len(values):
        return offsets, span
    taken = np.zeros(span, dtype=np.bool_)
    taken[offsets] = True
    ranks = np.cumsum(taken) - 1
    count = int(ranks[-1]) + 1
    return (offsets if count == span else ranks[offsets]).astype(np.int64), count


def _failures(cases: pd.DataFrame, table: Table, place: Path | str) -> Iterator[str]:
    """Name each column at fault once, with its first row; row 2 of a file is its first after the header."""
    for (column, law), failure in cases.groupby(["column", "check"], sort=False, dropna=False):
        first = failure.iloc[0]
        row = "" if pd.isna(first["index"]) else f": row {int(first['index']) + 2}"
        if law == "multiple_fields_uniqueness":
            yield f"{place}{row}: the same {', '.join(table.key)} stands there twice"
            return
        found = first["failure_case"]
        shown = found.item() if isinstance(found, np.generic) else found
        yield f"{place}{row}: column {column}: found {short(shown)!r}, expected {law}"
