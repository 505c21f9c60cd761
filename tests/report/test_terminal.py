"""What a terminal shows of verdicts: the worst first, what passes only counted, and the closing sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge import Aspect, Outcome, Verdict, exit_code
from suite.report.terminal import CLOSING, SHOWN_FIRST, verdict_lines

VerdictOf = Callable[..., Verdict]


def test_every_outcome_is_shown_but_pass() -> None:
    """An outcome that is no pass is shown once; those that fail come first, then those that could not be judged."""
    assert sorted(SHOWN_FIRST, key=str) == sorted(set(Outcome) - {Outcome.PASS}, key=str)
    assert [outcome.code for outcome in SHOWN_FIRST] == [1] * 3 + [3] * 3 + [0] * 3


def test_the_worst_comes_first(verdict_of: VerdictOf) -> None:
    """Lines come by how bad they are, whatever order the verdicts came in; what passes has none."""
    verdicts = [verdict_of(outcome, case=outcome.word) for outcome in Outcome]
    *lines, _ = verdict_lines(verdicts)
    assert [line.split()[0] for line in lines] == [outcome.word for outcome in SHOWN_FIRST]
    assert list(verdict_lines(verdicts[::-1])) == [*lines, list(verdict_lines(verdicts))[-1]]


def test_a_line_names_cell_aspect_and_sentence(verdict_of: VerdictOf) -> None:
    """A verdict's line holds its word, its aspect, its cell and its sentence."""
    line, _ = verdict_lines([verdict_of(Outcome.REGRESSED, aspect=Aspect.TIME, sentence="twice as slow")])
    assert line.split(maxsplit=3) == ["regressed", "time", "neuron[cpu-float32]:", "twice as slow"]


def test_what_is_said_of_many_cells_is_said_once(verdict_of: VerdictOf) -> None:
    """Verdicts with one sentence share a line that counts them; another sentence or aspect has its own."""
    alike = [verdict_of(Outcome.MISSING, dtype=dtype) for dtype in ("float64", "float32", "float16")]
    others = [verdict_of(Outcome.MISSING, sentence="else"), verdict_of(Outcome.MISSING, aspect=Aspect.TIME)]
    first, second, third, last = verdict_lines([*alike, *others])
    assert "neuron[cpu-float64] and 2 more cells: so it is" in first
    assert "more" not in second + third
    assert last.startswith("5 missing")
    assert "and 1 more cell:" in next(iter(verdict_lines(alike[:2])))


@pytest.mark.parametrize("outcome", Outcome)
def test_the_last_line_counts_and_closes(verdict_of: VerdictOf, outcome: Outcome) -> None:
    """The last line counts every outcome that occurred, and says what the exit code means."""
    verdicts = [verdict_of(Outcome.PASS), verdict_of(outcome), verdict_of(outcome)]
    counts, _, closing = list(verdict_lines(verdicts))[-1].partition(": ")
    assert closing == CLOSING[exit_code(verdicts)]
    assert counts == ("3 pass" if outcome is Outcome.PASS else f"1 pass, 2 {outcome.word}")


def test_strict_closes_strictly(verdict_of: VerdictOf) -> None:
    """With --strict, other bits within tolerance close as a failure does."""
    changed = [verdict_of(Outcome.CHANGED)]
    closings = [list(verdict_lines(changed, strict=strict))[-1].partition(": ")[2] for strict in (False, True)]
    assert closings == [CLOSING[0], CLOSING[1]]


def test_nothing_is_said_where_nothing_was_judged() -> None:
    """No verdict leaves one line, and it says so."""
    (line,) = verdict_lines([])
    assert line.startswith("no verdicts")


@given(case=st.text(), sentence=st.text())
def test_no_file_can_steer_the_terminal(verdict_of: VerdictOf, case: str, sentence: str) -> None:
    """Whatever names and sentences hold, each line is one printable line."""
    assert all(line.isprintable() for line in verdict_lines([verdict_of(Outcome.BROKEN, case=case, sentence=sentence)]))
