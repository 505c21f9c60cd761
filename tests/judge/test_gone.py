"""A case of the baseline is missed wherever a run looked for it, and noted where it did not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from suite.judge import Outcome, Verdict, exit_code, judge
from suite.trial import RunRecord, Trial

RunOf = Callable[..., RunRecord]


@pytest.fixture
def compare(run_of: RunOf, trial_of: Callable[..., Trial]) -> Callable[..., list[Verdict]]:
    """Judge a run of one case beside a baseline of it and others, each begun with roots of its own."""

    def judged(then: str, now: str, *others: str) -> list[Verdict]:
        trials = [trial_of(seed) for seed in range(20)]
        more = [trial_of(0, case=name) for name in (others or ("other",))]
        baseline = run_of([*trials, *more], roots=tuple(then.split()))
        return judge(run_of(trials, roots=tuple(now.split())), {"cpu": baseline})

    return judged


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("my/cases others", "others my/cases"),
        ("my/cases", "my/cases others"),
        ("my/cases", "cases"),
        ("my/cases", "/home/me/my/cases"),
        ("/home/me/my/cases", "my/cases"),
        ("my/guide others", "guide"),
        ("guide/other.py guide/neuron.py", "guide/other.py"),
        ("documented", "documented"),
    ],
)
def test_a_case_is_missed_however_its_root_is_called(
    compare: Callable[..., list[Verdict]], then: str, now: str
) -> None:
    """In another order, from another working folder, or among others: what was looked for and is not there is gone."""
    verdicts = compare(then, now)
    found = [(v.case, v.outcome) for v in verdicts if v.case == "other"]
    assert found == [("other", Outcome.MISSING)]
    assert exit_code(verdicts) == 3


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("my/cases", "my/cases/neuron.py"),
        ("my/cases", "."),
        ("cases others", "others"),
        ("/one/cases", "/another/cases"),
        ("my/documented", "documented"),
        ("guide/other.py guide/neuron.py", "guide/neuron.py"),
    ],
)
def test_a_case_that_was_not_looked_for_is_noted(compare: Callable[..., list[Verdict]], then: str, now: str) -> None:
    """One file of a folder is judged by itself; that the rest was not looked for is said, and is no fault."""
    verdicts = compare(then, now)
    (note,) = [v for v in verdicts if v.case == "*"]
    told = f"the baseline has other from {then.replace(' ', ', ')}; this run looked in {now} only"
    assert (note.outcome, note.device, note.sentence) == (Outcome.SKIPPED, "cpu", told)
    assert exit_code(verdicts) == 0


def test_few_of_many_cases_are_named(compare: Callable[..., list[Verdict]]) -> None:
    """A note stays a line."""
    (note,) = [v for v in compare("mine", "mine/neuron.py", *(f"n{k}" for k in range(8))) if v.case == "*"]
    assert note.sentence.startswith("the baseline has n0, n1, n2, n3, n4 and 3 more from mine; ")
