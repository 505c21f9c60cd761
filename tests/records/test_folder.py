"""A folder that holds no run is told, and verdicts are added to one that does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from suite.errors import SuiteError
from suite.records import read_run, write_verdicts
from suite.records.folder import read_verdicts
from suite.records.schema import LONGEST_WORD, VERDICTS

LONG = "x" * 300
"""A name that is longer than any system takes."""


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "no such run folder"),
        ("file/run", "no such run folder"),
        (LONG, "cannot be read: File name too long"),
    ],
    ids=["nowhere", "below a file", "of a long name"],
)
def test_a_run_that_is_not_there_is_one_line(tmp_path: Path, place: str, told: str) -> None:
    """The folder's name is told, not that of some file in it."""
    (tmp_path / "file").touch()
    with pytest.raises(SuiteError) as caught:
        read_run(tmp_path / place)
    assert caught.value.faults == (f"{tmp_path / place}: {told}",)


ROW = {"case": "a, b", "device": "cpu", "dtype": "*", "mode": "eager", "aspect": "loss", "verdict": "pass", "stage": ""}


def test_verdicts_are_written_with_their_sentences(tmp_path: Path) -> None:
    """Whatever a sentence says, it is one cell, in the columns that the design promises."""
    rows = [{**ROW, "sentence": 'it said "x",\nand more'}, {**ROW, "aspect": "time", "sentence": "µs"}]
    write_verdicts(tmp_path, rows)
    found = pd.read_csv(tmp_path / "verdicts.csv", keep_default_na=False)
    assert list(found.columns) == list(VERDICTS.columns)
    assert found.drop(columns="schema").to_dict("records") == rows


def test_verdicts_are_replaced_not_added_to(tmp_path: Path) -> None:
    """Comparing again leaves the verdicts of the last time alone."""
    write_verdicts(tmp_path, [{**ROW, "sentence": "first"}, {**ROW, "aspect": "time", "sentence": "first"}])
    write_verdicts(tmp_path, [])
    assert (tmp_path / "verdicts.csv").read_text() == ",".join(VERDICTS.columns) + "\n"


def test_two_verdicts_about_the_same_are_refused(tmp_path: Path) -> None:
    """An aspect of a cell comes out one way."""
    with pytest.raises(SuiteError, match="stands there twice"):
        write_verdicts(tmp_path, [{**ROW, "sentence": "one"}, {**ROW, "sentence": "other"}])
    assert not list(tmp_path.iterdir())


def test_verdicts_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    """The file is named, with the system's reason."""
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "run"
    with pytest.raises(SuiteError) as caught:
        write_verdicts(place, [{**ROW, "sentence": "lost"}])
    assert caught.value.faults == (f"{place}/verdicts.csv: cannot be written: Not a directory",)


@pytest.mark.parametrize("column", ["aspect", "stage", "verdict"])
def test_a_verdicts_words_are_short(tmp_path: Path, column: str) -> None:
    """Whoever lays out a table looks at every letter of them; a long one is refused by row and column."""
    write_verdicts(tmp_path, [{**ROW, "sentence": "s" * 10_000, column: "x" * LONGEST_WORD}])
    file = tmp_path / "verdicts.csv"
    file.write_text(file.read_text().replace("x" * LONGEST_WORD, "x" * (LONGEST_WORD + 1)))
    with pytest.raises(SuiteError, match=rf"verdicts.csv: row 2: column {column}: found "):
        read_verdicts(tmp_path)
