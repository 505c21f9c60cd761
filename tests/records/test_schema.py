"""A table is what its columns and its laws say, on writing as on reading, or it is refused by row and column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.records.faults import LONGEST_QUOTED
from suite.records.rows import frames
from suite.records.schema import (
    CELL,
    CURVES,
    GRAPHS,
    KEY,
    OBSERVATIONS,
    SCHEMA_VERSION,
    TRIALS,
    VERDICTS,
    Table,
    check,
)
from suite.trial import Trial

PROMISED = (
    "run, case, case_version, seed, device, dtype, mode, status, steps, first_loss, final_loss, train_seconds, "
    "compile_seconds, seeds_together, yardstick_seconds, data_digest, init_digest, gradient_digest, update_digest, "
    "final_digest"
)
TABLES = (TRIALS, CURVES, OBSERVATIONS, VERDICTS)


@pytest.fixture(scope="module")
def three_rows(trial_of: Callable[..., Trial]) -> dict[str, pd.DataFrame]:
    """Return each table with at least three rows, by its file."""
    return frames("a-run", [trial_of(seed) for seed in range(3)])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.file))
def test_every_table_carries_its_version_first_and_names_its_cell(table: Table) -> None:
    """A reader finds the version before it needs to know any other column, and every row tells its cell."""
    assert next(iter(table.columns)) == "schema"
    assert set(CELL) <= set(table.columns)
    assert set(table.key) <= set(table.columns)


def test_trials_hold_every_promised_column() -> None:
    """No column that the design promises is missing from ``trials.csv``."""
    assert set(PROMISED.split(", ")) <= set(TRIALS.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.file))
def test_a_table_without_a_row_fulfils_its_schema(table: Table) -> None:
    """A run that has not trained yet is no damaged run."""
    empty = table.empty
    assert list(empty.columns) == list(table.columns)
    assert check(empty, table, "here") is empty


def test_rows_that_fulfil_the_schema_are_given_back(three_rows: dict[str, pd.DataFrame]) -> None:
    """Checking changes nothing."""
    for table in (TRIALS, CURVES, OBSERVATIONS):
        before = three_rows[table.file].copy(deep=True)
        pd.testing.assert_frame_equal(check(three_rows[table.file], table, "here"), before)


LAWS: list[tuple[str, Any, str]] = [
    ("schema", SCHEMA_VERSION + 1, f"found {SCHEMA_VERSION + 1}, expected equal_to({SCHEMA_VERSION})"),
    ("status", "fine", "found 'fine', expected isin(['ok', 'diverged', 'error'])"),
    ("dtype", "float8", "found 'float8', expected isin(('float64', 'float32', 'bfloat16', 'float16'))"),
    ("steps", -1, "found -1, expected greater_than_or_equal_to(0)"),
    ("seeds_together", 0, "found 0, expected greater_than_or_equal_to(1)"),
    ("case", "", "found '', expected some text"),
    ("final_digest", "", "found '', expected some text"),
]


@pytest.mark.parametrize(("column", "value", "told"), LAWS, ids=lambda part: str(part)[:20])
@pytest.mark.parametrize("row", [0, 2])
def test_a_value_against_a_law_is_named_by_row_and_column(
    three_rows: dict[str, pd.DataFrame], row: int, column: str, value: Any, told: str
) -> None:
    """The error names the place, the row as a file counts it, the column, what was found and what was expected."""
    rows = three_rows["trials.csv"].copy()
    rows[column] = [value if place == row else old for place, old in enumerate(rows[column])]
    with pytest.raises(SuiteError) as caught:
        check(rows, TRIALS, "here")
    assert caught.value.faults == (f"here: row {row + 2}: column {column}: {told}",)


@pytest.mark.parametrize("row", [1, 2])
def test_a_key_that_stands_there_twice_is_refused(three_rows: dict[str, pd.DataFrame], row: int) -> None:
    """No seed of a cell is recorded twice: which of the two would count?"""
    rows = three_rows["trials.csv"].copy()
    rows["seed"] = rows["seed"].where(rows.index != row, 0)
    with pytest.raises(SuiteError) as caught:
        check(rows, TRIALS, "here")
    assert caught.value.faults == ("here: row 2: the same case, device, dtype, mode, seed stands there twice",)


@pytest.mark.parametrize("column", KEY)
def test_rows_that_differ_in_any_part_of_the_key_are_two(three_rows: dict[str, pd.DataFrame], column: str) -> None:
    """Case, device, dtype, mode and seed tell trials apart, each of them alone."""
    rows = three_rows["trials.csv"].iloc[[0, 0]].reset_index(drop=True)
    other = {"dtype": "float16", "seed": np.uint64(7)}.get(column, "other")
    rows[column] = [rows[column][0], other]
    check(rows.astype(TRIALS.columns), TRIALS, "here")


def test_all_columns_at_fault_are_named_at_once(three_rows: dict[str, pd.DataFrame]) -> None:
    """One line a column, each with its first row; not one at a time, and not one for every row."""
    rows = three_rows["trials.csv"].copy()
    rows["steps"] = [3, -1, -2]
    rows["status"] = ["fine", "fine", "ok"]
    with pytest.raises(SuiteError) as caught:
        check(rows, TRIALS, "here")
    assert sorted(fault.split(": found")[0] for fault in caught.value.faults) == [
        "here: row 2: column status",
        "here: row 3: column steps",
    ]


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        (lambda rows: rows.drop(columns="run"), "run"),
        (lambda rows: rows.assign(extra=1), "extra"),
        (lambda rows: rows.assign(seed=rows["seed"].astype("int64")), "seed"),
        (lambda rows: rows.assign(steps=rows["steps"].astype("float64")), "steps"),
    ],
    ids=["missing", "extra", "signed seeds", "broken steps"],
)
def test_other_columns_or_kinds_are_refused(
    three_rows: dict[str, pd.DataFrame], spoil: Callable[[pd.DataFrame], pd.DataFrame], column: str
) -> None:
    """Nothing is written that could not be read back as it is."""
    with pytest.raises(SuiteError, match=column):
        check(spoil(three_rows["trials.csv"]), TRIALS, "here")


@given(st.lists(st.floats(), min_size=3, max_size=3))
@settings(max_examples=25)
def test_any_float_is_a_loss(three_rows: dict[str, pd.DataFrame], losses: list[float]) -> None:
    """Infinite and undefined losses are recorded as they are, never refused and never replaced."""
    rows = three_rows["trials.csv"].assign(final_loss=np.array(losses))
    assert check(rows, TRIALS, "here") is rows


def test_only_a_reason_and_a_stage_may_be_empty() -> None:
    """A trial that was trained needs no reason, and one that never left its baseline no stage."""
    blank = {table.file: table.blank for table in TABLES}
    assert blank == {"trials.csv": ("reason",), "curves.csv": (), "observations.csv": (), "verdicts.csv": ("stage",)}


def test_a_verdict_may_be_about_every_dtype() -> None:
    """A device that is not here is skipped in all dtypes; the law for dtypes is about trained seeds."""
    row = {"case": "*", "device": "cuda", "dtype": "*", "mode": "*", "aspect": "expectation"}
    row |= {"stage": "", "sentence": "not here", "verdict": "skipped"}
    rows = pd.DataFrame([{"schema": SCHEMA_VERSION, **row}]).astype(VERDICTS.columns)
    assert check(rows, VERDICTS, "here") is rows


def test_a_key_that_is_no_number_is_a_key_all_the_same(three_rows: dict[str, pd.DataFrame]) -> None:
    """Points of a graph at no number are told apart from others, and the same one does not stand there twice."""
    curve = three_rows["curves.csv"].rename(columns={"step": "x", "loss": "y"}).assign(name="w", form="trained")
    points = curve[list(GRAPHS.columns)].astype(GRAPHS.columns)
    nowhere = points.assign(x=np.nan).drop_duplicates("seed")
    assert check(nowhere, GRAPHS, "graphs.csv") is nowhere
    both = pd.concat([points, nowhere], ignore_index=True).astype(GRAPHS.columns)
    assert check(both, GRAPHS, "graphs.csv") is both
    with pytest.raises(SuiteError, match="row 2: the same case, device, dtype, mode, seed, name, form, x stands"):
        check(pd.concat([nowhere, nowhere], ignore_index=True).astype(GRAPHS.columns), GRAPHS, "graphs.csv")


def test_a_long_text_is_quoted_by_its_beginning(three_rows: dict[str, pd.DataFrame]) -> None:
    """A fault stays a line that can be read."""
    rows = three_rows["curves.csv"].assign(dtype="x" * 10**6).astype(CURVES.columns)
    with pytest.raises(SuiteError) as caught:
        check(rows, CURVES, "curves.csv")
    assert caught.value.faults[0].startswith(
        f"curves.csv: row 2: column dtype: found '{'x' * LONGEST_QUOTED}…', expected"
    )
