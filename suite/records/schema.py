"""The tables of a run folder: their columns, and how a file that does not hold them is refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from suite.errors import SuiteError
from suite.plan import DTYPES
from suite.trial import Status

SCHEMA_VERSION = 1
"""Of every file in a run folder; a file of another version is refused."""

FLOAT, WHOLE, SEED, TEXT = "float64", "int64", "uint64", "str"
NAN = "nan"

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

    @property
    def checks(self) -> pa.DataFrameSchema:
        """Return the schema that a table must fulfil, on reading and on writing."""
        columns = {
            name: pa.Column(None if kind == TEXT else kind, self.laws.get(name), nullable=kind == FLOAT)
            for name, kind in self.columns.items()
        }
        return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(self.key))

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
        yield f"{place}{row}: column {column}: found {first['failure_case']!r}, expected {law}"


def read_table(file: Path, table: Table) -> pd.DataFrame:
    """Read one CSV file of a run folder, bit for bit.

    Raises:
        SuiteError: naming file, row and column, if it is missing, cut off, of another schema
            version, or holds something else than its columns promise.
    """
    _check_whole(file)
    _check_header(file, table)
    numbers = {name: [NAN] for name, kind in table.columns.items() if kind == FLOAT}
    try:
        rows = pd.read_csv(
            file, dtype=table.columns, keep_default_na=False, na_values=numbers, index_col=False, encoding="utf-8"
        )
    except (ValueError, OverflowError, pd.errors.ParserError) as error:
        raise SuiteError(_first_fault(file, table) or f"{file}: is no table: {error}") from error
    if rows[list(table.columns)[-1]].eq("").any():
        raise SuiteError(_first_fault(file, table) or f"{file}: has an empty {list(table.columns)[-1]}")
    return check(rows, table, file)


def _check_whole(file: Path) -> None:
    """Refuse a file that is missing, empty, or whose last row was cut off."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - 1))
            last = stream.read()
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror}") from error
    if size == 0:
        raise SuiteError(f"{file}: is empty; a header was expected")
    if last != b"\n":
        raise SuiteError(f"{file}: the last row is cut off; complete the run with: suite run --resume --out {file.parent}")


def _check_header(file: Path, table: Table) -> None:
    """Refuse another schema version by its name, then any other columns than the table's."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            header, first = next(rows, []), next(rows, [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise SuiteError(f"{file}: row 1: is no CSV in UTF-8: {error}") from error
    _check_version(file, dict(zip(header, first, strict=False)).get("schema"))
    missing, unknown = [c for c in table.columns if c not in header], [c for c in header if c not in table.columns]
    if missing:
        raise SuiteError(f"{file}: row 1: column {missing[0]} is missing; expected {', '.join(table.columns)}")
    if unknown or header != list(table.columns):
        named = f"column {unknown[0]} is not known" if unknown else "the columns stand in another order"
        raise SuiteError(f"{file}: row 1: {named}; expected {', '.join(table.columns)}")


def _check_version(file: Path, version: str | None) -> None:
    if version is not None and version != str(SCHEMA_VERSION) and version.isdigit():
        raise SuiteError(f"{file}: has schema version {version}; this suite reads version {SCHEMA_VERSION} only")


def _first_fault(file: Path, table: Table) -> str | None:
    """Find the first row and column that cannot be read as what they should be."""
    with file.open(encoding="utf-8", errors="replace", newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        for number, row in enumerate(rows, start=2):
            if len(row) != len(table.columns):
                return f"{file}: row {number}: has {len(row)} fields; {len(table.columns)} were expected"
            for (name, kind), text in zip(table.columns.items(), row, strict=True):
                if not _readable(text, kind):
                    return f"{file}: row {number}: column {name}: found {text!r}, expected {kind}"
    return None


def _readable(text: str, kind: str) -> bool:
    try:
        {FLOAT: float, WHOLE: int, SEED: int, TEXT: str}[kind](text)
    except ValueError:
        return False
    return kind != SEED or 0 <= int(text) < 2**64
