"""What a terminal shows of verdicts: the worst first, what passes only counted, no line too long, no steering."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from suite.judge import Aspect, Outcome, Stage, Verdict
from suite.report.escape import plain
from suite.report.ranking import CLOSING, SHOWN_FIRST
from suite.report.verdicts.onward import Step
from suite.report.verdicts.terminal import NARROWEST, WORD, show, step_lines, terminal, verdict_lines

VerdictOf = Callable[..., Verdict]

WIDTHS = (80, 40, NARROWEST)
HOSTILE = (
    "[bold red]red[/]",
    "\x1b[31mred",
    "::error::",
    ":smile:",
    "x" * 300,
    "汉字" * 50,
    "a\nb\r\tc",
    "[/]",
    "\u202e",
)


def shown(verdicts: Sequence[Verdict], width: int = 80, *, strict: bool = False) -> list[str]:
    """Return the lines as a file would hold them."""
    return [line.plain for line in verdict_lines(verdicts, strict=strict, width=width)]


def unfolded(lines: Sequence[str]) -> str:
    """Return what lines say, without the spaces that indent, part or fold it."""
    return "".join("".join(lines).split())


def test_the_worst_comes_first(verdict_of: VerdictOf) -> None:
    """Verdicts come by how bad they are, whatever order they came in; what passes is not listed."""
    verdicts = [verdict_of(outcome, case=outcome.word) for outcome in Outcome]
    for given_in in (verdicts, verdicts[::-1]):
        listed = [line.split()[0] for line in shown(given_in) if f"loss of {line.split()[0]}[" in line]
        assert listed == [outcome.word for outcome in SHOWN_FIRST]


def test_a_verdict_is_told_beside_its_word(verdict_of: VerdictOf) -> None:
    """Beside the word stand aspect, cell, mode and stage; the sentence stands below, further in."""
    verdict = verdict_of(Outcome.REGRESSED, aspect=Aspect.TIME, sentence="twice as slow", stage=Stage.UPDATE)
    assert shown([verdict])[:2] == [
        "regressed     time of neuron[cpu-float32] (eager), at stage update",
        "                twice as slow",
    ]


def test_a_long_sentence_is_folded_under_its_cell(verdict_of: VerdictOf) -> None:
    """Every line but the first of a verdict begins where its cell does, or further in."""
    for width in WIDTHS:
        first, *rest = shown(
            [verdict_of(Outcome.BROKEN, case="a_rather_long_name" * 4, sentence="so it is " * 40)], width
        )
        assert first.startswith("broken")
        assert not any(line.endswith(" ") for line in (first, *rest))
        told = [line for line in rest if line.startswith(" " * WORD)]
        assert "".join(told).replace(" ", "").endswith("soitis" * 40)


def test_what_is_said_of_many_cells_is_said_once(verdict_of: VerdictOf) -> None:
    """Verdicts with one sentence share a place that counts them; another sentence or aspect has its own."""
    alike = [verdict_of(Outcome.MISSING, dtype=dtype) for dtype in ("float64", "float32", "float16")]
    others = [verdict_of(Outcome.MISSING, sentence="else"), verdict_of(Outcome.MISSING, aspect=Aspect.TIME)]
    lines = shown([*alike, *others])
    assert [line for line in lines if "more" in line] == [
        "missing       loss of neuron[cpu-float64] and 2 more cells (eager)"
    ]
    assert sum(line.startswith("missing") for line in lines) == 3
    assert lines[-1].startswith("5 missing")


@pytest.mark.parametrize("strict", [False, True])
def test_the_last_line_counts_and_closes(verdict_of: VerdictOf, strict: bool) -> None:
    """The last line counts every outcome that occurred, and says what the exit code means, strict or not."""
    verdicts = [verdict_of(Outcome.PASS), verdict_of(Outcome.CHANGED)]
    assert shown(verdicts, strict=strict)[-1] == f"1 pass, 1 changed: {CLOSING[int(strict)]}"
    assert shown([]) == ["no verdicts: nothing was judged"]


ANYTHING = st.one_of(st.text(), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map(" ".join))


@given(case=ANYTHING, sentence=ANYTHING, width=st.sampled_from(WIDTHS))
def test_no_file_can_steer_the_terminal(verdict_of: VerdictOf, case: str, sentence: str, width: int) -> None:
    """Whatever names and sentences hold, each line is printable, no longer than the width, and tells them unchanged."""
    lines = shown([verdict_of(Outcome.BROKEN, case=case, sentence=sentence)], width)
    assert all(line.isprintable() and cell_len(line) <= width for line in lines)
    told = "".join((plain(f"loss of {case}[cpu-float32] (eager)") + plain(sentence)).split())
    assert told.replace(r"\x3a", ":") in unfolded(lines).replace(r"\x3a", ":")


@pytest.mark.parametrize("width", [*WIDTHS, 33, 46])
@pytest.mark.parametrize("colons", [2, 3, 4])
@pytest.mark.parametrize("letter", ["a", "汉"])
def test_no_folded_line_is_a_command_to_a_runner(verdict_of: VerdictOf, width: int, colons: int, letter: str) -> None:
    """Wherever a sentence is broken, in the middle of a word, too, no line begins as a command does."""
    for before in range(90):
        sentence = f"{letter * before}{':' * colons}error title=x::pwned"
        lines = shown([verdict_of(Outcome.BROKEN, sentence=sentence, case=sentence)], width)
        assert not [line for line in lines if line.lstrip().startswith("::")]
        assert all(cell_len(line) <= width for line in lines)


def printed(verdicts: Sequence[Verdict], monkeypatch: pytest.MonkeyPatch, *, tty: bool, **environment: str) -> str:
    """Return what is printed to a standard output that is a terminal, or is none."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: tty, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    show(verdicts, terminal(), steps=[Step(purpose="next", parts=("suite", "accept"))])
    return stream.getvalue()


def test_colours_are_for_terminals(verdict_of: VerdictOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a failure is red; elsewhere, or where NO_COLOR is set, nothing but the text is printed."""
    verdicts = [verdict_of(outcome, case="[bold red]\x1b[31m") for outcome in Outcome]
    bare = printed(verdicts, monkeypatch, tty=False)
    assert "\x1b" not in bare
    assert bare.splitlines()[:-1] == shown(verdicts)
    assert bare.splitlines()[-1] == "next: suite accept"
    coloured = printed(verdicts, monkeypatch, tty=True)
    assert "\x1b[1;31mbroken" in coloured
    assert Text.from_ansi(coloured).plain.rstrip("\n") == bare.rstrip("\n")
    assert printed(verdicts, monkeypatch, tty=True, NO_COLOR="1") == bare
    assert printed(verdicts, monkeypatch, tty=False, FORCE_COLOR="1") == coloured
    assert printed(verdicts, monkeypatch, tty=False, FORCE_COLOR="1", NO_COLOR="1") == bare


def test_a_failure_is_red_only_where_it_fails(verdict_of: VerdictOf) -> None:
    """Other bits and losses that improved are red with --strict alone; what fails nothing is never red."""
    red = {
        (outcome, strict)
        for outcome in SHOWN_FIRST
        for strict in (False, True)
        if "red" in str(next(verdict_lines([verdict_of(outcome)], strict=strict)).spans[0].style)
    }
    failing = {Outcome.ERROR, Outcome.BROKEN, Outcome.REGRESSED}
    assert red == {(o, s) for o in failing for s in (False, True)} | {(Outcome.CHANGED, True), (Outcome.IMPROVED, True)}


@pytest.mark.parametrize("columns", ["40", "100", "0", "3"])
def test_the_width_is_the_terminals(verdict_of: VerdictOf, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """Lines are as long as the terminal is wide; one that calls itself too narrow to be read is not believed."""
    verdicts = [verdict_of(Outcome.BROKEN, sentence="so it is " * 40)]
    width = max(int(columns), NARROWEST)
    lines = printed(verdicts, monkeypatch, tty=True, NO_COLOR="1", COLUMNS=columns).splitlines()
    assert lines[:-1] == shown(verdicts, width)
    assert width - 9 < max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_a_folded_command_is_still_one(width: int) -> None:
    """A command is never longer than the width while its parts are not, and a shell reads it as it was."""
    parts = ("suite", "compare", "'a run'", "--baseline b", "--strict", "--reason x", "--again")
    purpose, *lines = (line.plain for line in step_lines([Step(purpose="do it", parts=parts)], width=width))
    command = "\n".join(lines) if lines else purpose.partition(": ")[2]
    assert shlex.split(command.replace("\\\n", "")) == shlex.split(" ".join(parts))
    assert all(cell_len(line) <= width for line in (purpose, *lines))


def test_a_part_that_is_too_long_stays_whole() -> None:
    """A path that is longer than the terminal is wide is not broken: it could not be copied."""
    path = "/a/very/long/path" * 6
    lines = [line.plain for line in step_lines([Step(purpose="do it", parts=("suite", "report", path))], width=40)]
    assert lines == ["do it:", "  suite report \\", f"    {path}"]


@given(part=ANYTHING)
def test_no_path_can_steer_the_terminal(part: str) -> None:
    """A run's folder is shown without control characters, on a console that reads no markup."""
    stream = io.StringIO()
    show([], Console(file=stream, width=80), steps=[Step(purpose="do it", parts=("suite", part))])
    assert plain(part) in stream.getvalue()
    assert stream.getvalue().replace("\n", "").isprintable()
