"""Verdicts as files: Markdown reads back, JSON parses, and what cannot be written is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.judge import Outcome, Stage, Verdict
from suite.judge.verdict import Finding
from suite.report.escape import plain
from suite.report.files import verdict_json, verdict_markdown, write_report
from suite.report.terminal import CLOSING, SHOWN_FIRST

VerdictOf = Callable[..., Verdict]
ReadTables = Callable[[str], list[list[str]]]


def test_markdown_shows_the_worst_first(verdict_of: VerdictOf, read_tables: ReadTables) -> None:
    """The table holds every verdict that is no pass, worst first, each as it is."""
    verdicts = [verdict_of(outcome, case=f"case_of_{outcome.word}", stage=Stage.UPDATE) for outcome in Outcome]
    _, *rows = read_tables(verdict_markdown(verdicts))
    assert rows == [
        [outcome.word, "loss", f"case_of_{outcome.word}[cpu-float32]", "update", "so it is"] for outcome in SHOWN_FIRST
    ]


@given(case=st.text(), sentence=st.text())
def test_markdown_shows_markup_as_text(
    verdict_of: VerdictOf, read_tables: ReadTables, case: str, sentence: str
) -> None:
    """Names and sentences read as they stand, whatever markup or control characters they hold."""
    verdict = verdict_of(Outcome.BROKEN, case=case, sentence=sentence)
    _, (word, aspect, cell, stage, told) = read_tables(verdict_markdown([verdict]))
    assert (word, aspect, stage) == ("broken", "loss", "")
    assert (cell, told) == (plain(verdict.label).strip(" "), plain(sentence).strip(" "))


@pytest.mark.parametrize("strict", [False, True])
def test_markdown_begins_with_what_it_comes_to(verdict_of: VerdictOf, strict: bool) -> None:
    """The first line says what the exit code means, and how many pass; with nothing to list it is all."""
    changed = [verdict_of(Outcome.PASS), verdict_of(Outcome.CHANGED)]
    head = verdict_markdown(changed, strict=strict).splitlines()[0]
    assert CLOSING[int(strict)] in head
    assert "1 of 2" in head
    assert len(verdict_markdown([verdict_of(Outcome.PASS)]).splitlines()) == 1


@pytest.mark.parametrize("strict", [False, True])
def test_json_holds_all(verdict_of: VerdictOf, strict: bool) -> None:
    """The JSON holds every verdict with its findings, those that pass too, and the exit code."""
    finding = Finding(clause=1, outcome=Outcome.PASS, sentence="as expected")
    verdicts = [replace(verdict_of(Outcome.PASS), findings=(finding,)), verdict_of(Outcome.CHANGED, sentence='"\x1b')]
    read = json.loads(verdict_json(verdicts, strict=strict))
    assert read["exit_code"] == int(strict)
    assert [row.pop("findings") for row in read["verdicts"]] == [[{"verdict": "pass", "sentence": "as expected"}], []]
    assert read["verdicts"] == [verdict.row() for verdict in verdicts]


def test_the_ending_names_the_form(verdict_of: VerdictOf, tmp_path: Path) -> None:
    """A file gets the form of its ending, strict where that is asked."""
    changed = [verdict_of(Outcome.CHANGED)]
    for name, form in (("v.md", verdict_markdown), ("v.json", verdict_json)):
        write_report(tmp_path / name, changed, strict=True)
        assert (tmp_path / name).read_text(encoding="utf-8") == form(changed, strict=True)


def test_an_unknown_ending_writes_nothing(tmp_path: Path) -> None:
    """A file whose ending names no form is refused by name, with the endings that do."""
    with pytest.raises(SuiteError, match=r"v\.pdf.*\.md.*\.json"):
        write_report(tmp_path / "v.pdf", [])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in a folder that is none is refused by name, with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SuiteError, match=r"file/v\.md: cannot be written: \w+"):
        write_report(tmp_path / "file" / "v.md", [])
