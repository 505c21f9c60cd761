"""The order of verdicts: the worst first, what says the same together, and every outcome counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge import Aspect, Outcome, Stage, Verdict, exit_code
from suite.judge.verdict import ALL
from suite.report.ranking import CLOSING, SHOWN_FIRST, closing, counted, fails, grouped, rank

VerdictOf = Callable[..., Verdict]


def test_every_outcome_has_a_place_and_pass_the_last() -> None:
    """An outcome that is no pass is ranked once; those that fail come first, then those that could not be judged."""
    assert sorted(Outcome, key=rank) == [*SHOWN_FIRST, Outcome.PASS]
    assert [outcome.code for outcome in SHOWN_FIRST] == [1] * 3 + [3] * 3 + [0] * 3


@given(outcomes=st.lists(st.sampled_from(Outcome), max_size=12), said=st.lists(st.sampled_from("ab"), max_size=12))
def test_groups_hold_every_verdict_once(
    verdict_of: VerdictOf, outcomes: Sequence[Outcome], said: Sequence[str]
) -> None:
    """No verdict is lost or told twice, the worst come first, and a group says one thing."""
    verdicts = [verdict_of(o, sentence=s, case=f"c{i}") for i, (o, s) in enumerate(zip(outcomes, said, strict=False))]
    groups = grouped(verdicts)
    told = [verdict for group in groups for verdict in group.verdicts]
    assert Counter(told) == Counter(verdicts)
    assert [rank(v.outcome) for v in told] == sorted(rank(v.outcome) for v in verdicts)
    assert len({(g.first.outcome, g.first.sentence) for g in groups}) == len(groups)


def test_another_outcome_aspect_stage_or_sentence_is_told_apart(verdict_of: VerdictOf) -> None:
    """What differs in anything but its cell does not share a group."""
    others: list[dict[str, str]] = [
        {"aspect": Aspect.TIME},
        {"stage": Stage.DATA},
        {"sentence": "else"},
        {"dtype": "float16"},
    ]
    verdicts = [verdict_of(Outcome.MISSING), *(verdict_of(Outcome.MISSING, **other) for other in others)]
    assert [len(group.verdicts) for group in grouped([*verdicts, verdict_of(Outcome.BROKEN)])] == [1, 2, 1, 1, 1]


def test_a_group_says_what_it_is_about(verdict_of: VerdictOf) -> None:
    """Its first cell is named and the others are counted; mode and stage are told where there is one."""
    cells = [verdict_of(Outcome.REGRESSED, dtype=dtype, stage=Stage.UPDATE) for dtype in ("float64", "float32")]
    ensemble = verdict_of(Outcome.REGRESSED, mode="ensemble", stage=Stage.UPDATE)
    every = verdict_of(Outcome.SKIPPED, case=ALL, dtype=ALL, mode=ALL)
    told = [grouped(verdicts)[0].subject for verdicts in (cells[:1], cells, [*cells, ensemble], [every])]
    assert told == [
        "loss of neuron[cpu-float64] (eager), at stage update",
        "loss of neuron[cpu-float64] and 1 more cell (eager), at stage update",
        "loss of neuron[cpu-float64] and 2 more cells, at stage update",
        "loss of all cells on cpu",
    ]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("outcome", Outcome)
def test_closing_and_failing_follow_the_exit_code(verdict_of: VerdictOf, outcome: Outcome, strict: bool) -> None:
    """The closing sentence is the exit code's, and what makes that 1 fails."""
    verdicts = [verdict_of(Outcome.PASS), verdict_of(outcome)]
    code = exit_code(verdicts, strict=strict)
    assert closing(verdicts, strict=strict).startswith(
        "nothing regressed; 1 " if code == 0 and unjudged(verdicts) else CLOSING[code]
    )
    assert fails(verdicts[1], strict=strict) == (code == 1)


def unjudged(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether something was not judged that is no fault."""
    outcomes = {verdict.outcome for verdict in verdicts}
    return exit_code(verdicts) == 0 and not outcomes.isdisjoint({Outcome.INCOMPARABLE, Outcome.SKIPPED})


@pytest.mark.parametrize(
    ("incomparable", "skipped", "told"),
    [
        (0, 0, "everything judged, nothing regressed"),
        (9, 0, "nothing regressed; 9 could not be compared"),
        (0, 1, "nothing regressed; 1 skipped"),
        (9, 2, "nothing regressed; 9 could not be compared, 2 skipped"),
    ],
)
def test_not_everything_was_judged_where_times_were_not(
    verdict_of: VerdictOf, incomparable: int, skipped: int, told: str
) -> None:
    """What could not be compared, and what was not trained, is counted, though neither fails anything."""
    times = [verdict_of(Outcome.INCOMPARABLE, aspect=Aspect.TIME)] * incomparable
    verdicts = [verdict_of(Outcome.PASS), *times, *[verdict_of(Outcome.SKIPPED)] * skipped]
    assert exit_code(verdicts) == 0
    assert closing(verdicts, strict=False) == told


@pytest.mark.parametrize("strict", [False, True])
def test_no_verdicts_say_that_nothing_was_judged(strict: bool) -> None:
    """Where there was nothing to judge, nobody is told that everything was."""
    assert closing([], strict=strict) == "nothing was judged"


@pytest.mark.parametrize("outcome", Outcome)
def test_outcomes_that_occurred_are_counted(verdict_of: VerdictOf, outcome: Outcome) -> None:
    """What passes is counted first; what did not occur is not named."""
    told = counted([verdict_of(outcome), verdict_of(Outcome.PASS), verdict_of(outcome)])
    assert told == ("3 pass" if outcome is Outcome.PASS else f"1 pass, 2 {outcome.word}")
    assert counted([]) == "no verdicts"
