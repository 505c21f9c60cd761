"""The tables of a run folder: their columns, and what must hold of what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from suite.errors import SuiteError
from suite.plan import DTYPES
from suite.trial import Status

SCHEMA_VERSION = 2
"""Of every file in a run folder; a file of another version is refused."""

FLOAT, WHOLE, SEED, TEXT = "float64", "int64", "uint64", "str"

CELL = {"case": TEXT, "device": TEXT, "dtype": TEXT, "mode": TEXT}
KEY = {**CELL, "seed": SEED}

TRAINED = {"dtype": pa.Check.isin(DTYPES)}
"""Of the tables whose rows are about one trained seed; a verdict may be about every dtype."""

CHECKS = {
    "schema": pa.Check.eq(SCHEMA_VERSION),
    "status": pa.Check.isin([str(status) for status in Status]),
    "steps": pa.Check.ge(0),
    "step": pa.Check.ge(0),
    "seeds_together": pa.Check.ge(1),
}


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
            name: pa.Column(None if kind == TEXT else kind, self._law_of(name), nullable=kind == FLOAT)
            for name, kind in self.columns.items()
        }
        return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(self.key))

    def _law_of(self, name: str) -> pa.Check | None:
        filled = SOME_TEXT if self.columns[name] == TEXT and name not in self.blank else None
        return self.laws.get(name, filled)

    def empty(self) -> pd.DataFrame:
        """Return the table without a row."""
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in self.columns.items()})


TRIALS = Table(
    file="trials.csv",
    columns={
        "schema": WHOLE,
        "run": TEXT,
        "case": TEXT,
        "case_version": TEXT,
        "seed": SEED,
        "device": TEXT,
        "dtype": TEXT,
        "mode": TEXT,
        "status": TEXT,
        "steps": WHOLE,
        "first_loss": FLOAT,
        "final_loss": FLOAT,
        "train_seconds": FLOAT,
        "compile_seconds": FLOAT,
        "seeds_together": WHOLE,
        "yardstick_seconds": FLOAT,
        "data_norm": FLOAT,
        "init_norm": FLOAT,
        "start_norm": FLOAT,
        "gradient_norm": FLOAT,
        "update_norm": FLOAT,
        "final_norm": FLOAT,
        "reason": TEXT,
        "data_digest": TEXT,
        "init_digest": TEXT,
        "gradient_digest": TEXT,
        "update_digest": TEXT,
        "final_digest": TEXT,
    },
    key=tuple(KEY),
    blank=("reason",),
)

CURVES = Table(
    file="curves.csv",
    columns={"schema": WHOLE, **KEY, "step": WHOLE, "loss": FLOAT},
    key=(*KEY, "step"),
)

OBSERVATIONS = Table(
    file="observations.csv",
    columns={"schema": WHOLE, **KEY, "value": FLOAT, "name": TEXT},
    key=(*KEY, "name"),
)

VERDICTS = Table(
    file="verdicts.csv",
    columns={"schema": WHOLE, **CELL, "aspect": TEXT, "stage": TEXT, "sentence": TEXT, "verdict": TEXT},
    key=(*CELL, "aspect"),
    laws=CHECKS,
    blank=("stage",),
)


def check(rows: pd.DataFrame, table: Table, place: Path | str) -> pd.DataFrame:
    """Return ``rows`` if they fulfil the table's schema.

    Raises:
        SuiteError: naming the place, the first row at fault and its column.
    """
    try:
        table.checks.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise SuiteError(*_failures(error.failure_cases, table, place)) from error
    return rows


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
        yield f"{place}{row}: column {column}: found {shown!r}, expected {law}"
