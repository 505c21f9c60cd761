"""What is told of a stranger's file is little, and stays in its line."""

from __future__ import annotations

import pytest

from suite.records.faults import LONGEST_QUOTED, MOST_FAULTS, few, named, short


@pytest.mark.parametrize(("number", "more"), [(0, []), (MOST_FAULTS, []), (MOST_FAULTS + 7, ["and 7 more faults"])])
def test_of_many_faults_the_first_are_told_and_the_others_counted(number: int, more: list[str]) -> None:
    """As many as may be told are told, without a count behind them."""
    assert list(few(f"{k}" for k in range(number))) == [f"{k}" for k in range(min(number, MOST_FAULTS))] + more


def test_a_long_text_is_told_by_its_beginning() -> None:
    """What is not longer than may be, and what is no text, is told as it is."""
    assert short("x" * LONGEST_QUOTED) == "x" * LONGEST_QUOTED
    assert short("x" * 10**6) == named("x" * 10**6) == "x" * LONGEST_QUOTED + "…"
    assert short(7) == 7


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\udfff", "\u202e" * 10**6])
def test_a_name_stays_in_its_line(name: str) -> None:
    """What is not printable is told by its number."""
    assert named(name).isprintable()
    assert len(named(name)) < 8 * LONGEST_QUOTED
