"""The commands that are offered are those that do what they are offered for."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.judge import Aspect, Outcome, Verdict
from suite.report.verdicts.onward import Step, after_compare, after_run

VerdictOf = Callable[..., Verdict]
RUN = Path("my runs/it's one")
TO_BE_ACCEPTED = {Outcome.CHANGED, Outcome.REGRESSED, Outcome.IMPROVED, Outcome.MISSING, Outcome.INCOMPARABLE}


def words(step: Step) -> list[str]:
    """Return the command as a shell reads it."""
    return shlex.split(" ".join(step.parts))


def compared(*verdicts: Verdict, **given: Any) -> list[list[str]]:
    """Return the commands after these verdicts: against the default baseline, of a whole run, unless said otherwise."""
    options: dict[str, Any] = {"baseline": None, "acceptable": True, "strict": False}
    return [words(step) for step in after_compare(RUN, verdicts, **options | given)]


def test_a_run_is_compared_and_reported_next() -> None:
    """After a run come its comparison and its page, by the run's real folder."""
    assert [words(step) for step in after_run(RUN)] == [["suite", "compare", str(RUN)], ["suite", "report", str(RUN)]]


def test_a_comparison_offers_more_of_itself(verdict_of: VerdictOf) -> None:
    """After a comparison come its page and its file, against the same baseline, as strict as it was."""
    old = Path("old ones")
    assert compared() == [["suite", "report", str(RUN)], ["suite", "compare", str(RUN), "--report", "verdicts.md"]]
    report = ["suite", "compare", str(RUN), "--baseline", "old ones", "--strict", "--report", "verdicts.md"]
    assert compared(baseline=old, strict=True)[1] == report


@pytest.mark.parametrize("outcome", Outcome)
def test_what_differs_from_the_baseline_can_be_accepted(verdict_of: VerdictOf, outcome: Outcome) -> None:
    """Accepting is offered where it would change the verdict, into the baseline that was compared with."""
    found = compared(verdict_of(Outcome.PASS), verdict_of(outcome), baseline=Path("b"))
    accept = ["suite", "accept", str(RUN), "--baseline", "b", "--reason", "…"]
    assert found[2:] == [accept] * (outcome in TO_BE_ACCEPTED)


@pytest.mark.parametrize("outcome", Outcome)
def test_what_a_case_expects_cannot_be_accepted(verdict_of: VerdictOf, outcome: Outcome) -> None:
    """No baseline mends an expectation, but one that expects as much; or makes another machine's times comparable."""
    offered = outcome is Outcome.CHANGED
    assert len(compared(verdict_of(outcome, aspect=Aspect.EXPECTATION))) == 2 + offered
    assert len(compared(verdict_of(Outcome.INCOMPARABLE, aspect=Aspect.TIME))) == 2


def test_nothing_is_accepted_where_that_would_be_refused(verdict_of: VerdictOf) -> None:
    """What cannot be accepted is not offered."""
    assert len(compared(verdict_of(Outcome.REGRESSED), acceptable=False)) == 2
