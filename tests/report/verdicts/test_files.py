"""Verdicts as files: JSON parses, each ending has its form, and what cannot be written is said."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.judge import Outcome, Verdict
from suite.judge.verdict import Finding
from suite.report.judged import JudgedRun
from suite.report.verdicts.benchmark import benchmark_json
from suite.report.verdicts.files import verdict_json, write_report
from suite.report.verdicts.junit import junit_xml
from suite.report.verdicts.markdown import verdict_markdown
from suite.trial import RunRecord, Trial

VerdictOf = Callable[..., Verdict]


@pytest.fixture
def judged(verdict_of: VerdictOf, run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial]) -> JudgedRun:
    """Return a run with one verdict, strictly judged."""
    return JudgedRun(run=run_of([trial_of()]), verdicts=[verdict_of(Outcome.CHANGED)], strict=True)


@pytest.mark.parametrize("strict", [False, True])
def test_json_holds_all(verdict_of: VerdictOf, strict: bool) -> None:
    """The JSON holds every verdict with its findings, those that pass too, and the exit code."""
    finding = Finding(clause=1, outcome=Outcome.PASS, sentence="as expected")
    verdicts = [replace(verdict_of(Outcome.PASS), findings=(finding,)), verdict_of(Outcome.CHANGED, sentence='"\x1b')]
    read = json.loads(verdict_json(verdicts, strict=strict))
    assert read["exit_code"] == int(strict)
    assert [row.pop("findings") for row in read["verdicts"]] == [[{"verdict": "pass", "sentence": "as expected"}], []]
    assert read["verdicts"] == [verdict.row() for verdict in verdicts]


FORMS: dict[str, Callable[[JudgedRun], str]] = {
    "v.md": lambda judged: verdict_markdown(judged.verdicts, strict=True),
    "v.json": lambda judged: verdict_json(judged.verdicts, strict=True),
    "v.benchmark.json": benchmark_json,
    "v.xml": junit_xml,
}


@pytest.mark.parametrize("name", FORMS)
def test_the_ending_names_the_form(judged: JudgedRun, tmp_path: Path, name: str) -> None:
    """A file gets the form of its ending, of the longer one where two fit, and strict where that is asked."""
    write_report(tmp_path / name, judged)
    assert (tmp_path / name).read_text(encoding="utf-8") == FORMS[name](judged)


def test_every_form_is_another(judged: JudgedRun) -> None:
    """No two endings hold the same."""
    assert len({form(judged) for form in FORMS.values()}) == len(FORMS)


def test_an_unknown_ending_writes_nothing(judged: JudgedRun, tmp_path: Path) -> None:
    """A file whose ending names no form is refused by name, with the endings that do."""
    with pytest.raises(SuiteError, match=r"v\.pdf.*\.md.*\.benchmark\.json.*\.json.*\.xml"):
        write_report(tmp_path / "v.pdf", judged)
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_leaves_the_one_before(
    judged: JudgedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is replaced whole or not at all, and nothing is left beside it."""
    file = tmp_path / "v.md"
    file.write_text("before", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SuiteError, match=r"^--report .*v\.md: cannot be written: No space left"):
        write_report(file, judged)
    assert [(found.name, found.read_text(encoding="utf-8")) for found in tmp_path.iterdir()] == [("v.md", "before")]


def test_a_report_goes_into_a_pipe(judged: JudgedRun, tmp_path: Path) -> None:
    """What a reader waits at is written into, and not replaced."""
    pipe = tmp_path / "v.json"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_report(pipe, judged)
        assert json.loads(os.read(reader, 2**16))["exit_code"] == 1
    finally:
        os.close(reader)


def test_what_cannot_be_written_is_named(judged: JudgedRun, tmp_path: Path) -> None:
    """A file in a folder that is none is refused by name, with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SuiteError, match=r"file/v\.md: cannot be written: \w+"):
        write_report(tmp_path / "file" / "v.md", judged)
