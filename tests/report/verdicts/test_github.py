"""What GitHub's runner is told: annotations that it reads back as they were meant, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.judge import Outcome, Stage, Verdict, exit_code
from suite.report.escape import plain
from suite.report.judged import JudgedRun
from suite.report.verdicts.github import MOST, annotation_lines, append_summary, command, silenced, summary_file
from suite.report.verdicts.markdown import verdict_markdown
from suite.trial import RunRecord, Trial

VerdictOf = Callable[..., Verdict]
JudgedOf = Callable[..., JudgedRun]
Read = tuple[str, dict[str, str], str]


@pytest.fixture(scope="session")
def judged_of(run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial]) -> JudgedOf:
    """Put verdicts beside a run of one case."""

    def make(verdicts: Sequence[Verdict], *, strict: bool = False) -> JudgedRun:
        return JudgedRun(run=run_of([trial_of()]), verdicts=verdicts, strict=strict)

    return make


def read_back(line: str) -> Read:
    """Read a workflow command as GitHub's runner does: split at marks, then undo what stands for them."""
    found = re.fullmatch(r"::(\w+) ([^\r\n]*?)::([^\r\n]*)", line)
    assert found is not None
    kind, told, message = found.groups()
    pairs = (part.split("=", 1) for part in told.split(","))
    return kind, {name: undone(value, {"%3A": ":", "%2C": ","}) for name, value in pairs}, undone(message, {})


def undone(text: str, more: dict[str, str]) -> str:
    """Undo the escapes, the one of the mark that begins them last."""
    for escape, char in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(escape, char)
    return text


@given(
    message=st.text() | st.text(st.sampled_from("%:,\r\n=AD203C5 ")), title=st.text(st.sampled_from("%:,\r\n=A2C3 "))
)
def test_a_command_reads_back_as_it_was_meant(message: str, title: str) -> None:
    """Whatever message and title hold, the runner reads one command, and reads them as they stand."""
    line = command("error", message, {"file": "a,b:c%.py", "title": title})
    assert read_back(line) == ("error", {"file": "a,b:c%.py", "title": plain(title)}, plain(message))


def test_an_annotation_points_at_the_case(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """It names the case's file and line; its title holds outcome, aspect, cell and stage, its message the sentence."""
    (line,) = annotation_lines(judged_of([verdict_of(Outcome.REGRESSED, stage=Stage.UPDATE, sentence="50% worse, so")]))
    title = "regressed%3A loss of neuron[cpu-float32] (eager)%2C at stage update"
    assert line == f"::error file=cases/guide/neuron.py,line=1,title={title}::50%25 worse, so"


def test_a_case_that_is_gone_has_no_file(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """What only the baseline has is annotated without a place."""
    (line,) = annotation_lines(judged_of([verdict_of(Outcome.MISSING, case="gone")]))
    assert list(read_back(line)[1]) == ["title"]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("outcome", Outcome)
def test_what_fails_is_an_error(verdict_of: VerdictOf, judged_of: JudgedOf, outcome: Outcome, strict: bool) -> None:
    """What makes the exit code 1 is an error; what changed or could not be judged a warning; all else is silent."""
    verdicts = [verdict_of(outcome)]
    kinds = [read_back(line)[0] for line in annotation_lines(judged_of(verdicts, strict=strict))]
    warned = outcome in {Outcome.CHANGED, Outcome.INCONCLUSIVE, Outcome.MISSING}
    assert kinds == (["error"] if exit_code(verdicts, strict=strict) == 1 else ["warning"] * warned)


@pytest.mark.parametrize("count", [MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_no_more_than_github_shows(verdict_of: VerdictOf, judged_of: JudgedOf, count: int) -> None:
    """Of each kind there are at most ten; where there would be more, the last says how many are left out."""
    outcomes = (Outcome.REGRESSED, Outcome.MISSING)
    verdicts = [verdict_of(o, sentence=f"because {i}") for o in outcomes for i in range(count)]
    read = [read_back(line) for line in annotation_lines(judged_of(verdicts))]
    for kind in ("error", "warning"):
        messages = [message for found, _, message in read if found == kind]
        assert len(messages) == min(count, MOST)
        told = [message for message in messages if message.startswith("because")]
        more = re.match(r"\d+ more", messages[-1])
        assert len(told) + (int(more[0].split()[0]) if more else 0) == count


def test_the_worst_is_annotated_first(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """What is left out is never worse than what is shown, and what is said of many cells is said once."""
    verdicts = [verdict_of(Outcome.REGRESSED, sentence=f"{i}") for i in range(MOST)]
    verdicts += [verdict_of(Outcome.BROKEN, dtype=dtype) for dtype in ("float64", "float16")]
    first = read_back(next(annotation_lines(judged_of(verdicts))))
    assert first[1]["title"] == "broken: loss of neuron[cpu-float64] and 1 more cell (eager)"


def test_the_summary_is_added_to_what_stands_there(
    verdict_of: VerdictOf, judged_of: JudgedOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other steps' summaries are kept; the verdicts come after them, strict where that is asked."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
    judged = judged_of([verdict_of(Outcome.CHANGED)], strict=True)
    append_summary(summary_file(), judged)
    written = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert written == "before\n" + verdict_markdown(judged.verdicts, strict=True)


@pytest.mark.parametrize("value", [None, ""])
def test_elsewhere_there_is_no_summary(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Where the runner's variable is missing or empty, that is said, with what to do."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    if value is not None:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", value)
    with pytest.raises(SuiteError, match=r"--github: \$GITHUB_STEP_SUMMARY is not set.*--report FILE\.md"):
        summary_file()


def test_a_summary_that_cannot_be_written_is_named(judged_of: JudgedOf, tmp_path: Path) -> None:
    """A folder in the summary's place is refused by name, with the system's reason."""
    with pytest.raises(SuiteError, match=re.escape(str(tmp_path)) + r": cannot be written: \w+"):
        append_summary(tmp_path, judged_of([]))


def test_nothing_is_a_command_between_two_words_of_one_token() -> None:
    """Commands are stopped by a token that nobody can guess, and taken up again by it, whatever happens meanwhile."""
    said = list[str]()

    def fail() -> None:
        with silenced(said.append):
            said.append("::error::not one")
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            fail()
    stops = [line.removeprefix("::stop-commands::") for line in said if line.startswith("::stop-commands::")]
    assert said == [
        line for token in stops for line in (f"::stop-commands::{token}", "::error::not one", f"::{token}::")
    ]
    assert len(set(stops)) == 2
    assert all(len(token) >= 32 for token in stops)
