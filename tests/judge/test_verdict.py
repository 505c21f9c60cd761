"""A verdict is a word, a sentence and an exit code, and the worst of them decides."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge import Aspect, Outcome, Stage, Verdict, exit_code
from suite.records.schema import VERDICTS

WORDS = {"pass", "improved", "changed", "regressed", "broken"}
WORDS |= {"incomparable", "inconclusive", "missing", "error", "skipped"}
STAGES = ["initialisation", "data", "forward", "backward", "update", "later", ""]
CODES = {
    0: {Outcome.PASS, Outcome.IMPROVED, Outcome.CHANGED, Outcome.SKIPPED},
    1: {Outcome.REGRESSED, Outcome.BROKEN, Outcome.ERROR},
    3: {Outcome.INCOMPARABLE, Outcome.INCONCLUSIVE, Outcome.MISSING},
}


def verdict(outcome: Outcome, aspect: Aspect = Aspect.LOSS) -> Verdict:
    """Return a verdict that came out so."""
    return Verdict(
        case="neuron", device="cpu", dtype="float64", mode="eager", aspect=aspect, outcome=outcome, sentence="It did."
    )


VERDICT_LISTS = st.lists(st.builds(verdict, st.sampled_from(Outcome), st.sampled_from(Aspect)), max_size=6, min_size=1)


def test_the_words_are_those_of_the_vocabulary() -> None:
    """Machines read exactly these words, and each is told apart from the others."""
    assert sorted(outcome.word for outcome in Outcome) == sorted(WORDS)
    assert list(Stage) == STAGES


def test_every_outcome_has_a_sentence_of_its_own() -> None:
    """A person reads what happened, in a whole sentence."""
    meanings = [outcome.meaning for outcome in Outcome]
    assert len(set(meanings)) == len(WORDS)
    assert all(meaning[0].isupper() and meaning.endswith(".") for meaning in meanings)


@pytest.mark.parametrize("code", CODES)
def test_each_outcome_asks_for_its_exit_code(code: int) -> None:
    """0: nothing regressed; 1: something regressed or is broken; 3: something could not be judged."""
    assert {outcome for outcome in Outcome if outcome.code == code} == CODES[code]
    assert all(exit_code([verdict(outcome)]) == code for outcome in CODES[code])


def test_times_of_different_machines_are_no_fault() -> None:
    """Incomparable times alone leave the exit code at 0; incomparable losses do not."""
    codes = {aspect: exit_code([verdict(Outcome.INCOMPARABLE, aspect)]) for aspect in Aspect}
    assert codes == {Aspect.EXPECTATION: 3, Aspect.LOSS: 3, Aspect.TIME: 0}
    assert exit_code([verdict(Outcome.INCONCLUSIVE, Aspect.TIME)]) == 3


def test_what_was_not_run_is_not_a_device_that_is_not_here() -> None:
    """Cells that the baseline has are not judged, which is 3 under --strict; a device that is not here is no fault."""
    codes = {aspect: exit_code([verdict(Outcome.SKIPPED, aspect)], strict=True) for aspect in Aspect}
    assert codes == {Aspect.EXPECTATION: 0, Aspect.LOSS: 3, Aspect.TIME: 0}


def test_nothing_to_judge_is_no_pass() -> None:
    """A gate that was given an empty run has not been passed."""
    assert exit_code([]) == 3
    assert exit_code([], strict=True) == 3


@given(one=VERDICT_LISTS, other=VERDICT_LISTS, strict=st.booleans())
def test_the_worst_verdict_decides(one: list[Verdict], other: list[Verdict], strict: bool) -> None:
    """1 outweighs 3, and 3 outweighs 0, however the verdicts are grouped and ordered."""
    worst = max((exit_code(one, strict=strict), exit_code(other, strict=strict)), key=[0, 3, 1].index)
    assert exit_code([*one, *other], strict=strict) == exit_code([*other, *one], strict=strict) == worst


@given(verdicts=VERDICT_LISTS)
def test_strictness_fails_on_what_left_and_on_cells_left_out_and_on_nothing_else(verdicts: list[Verdict]) -> None:
    """Other bits and losses that improved are 0, and 1 under --strict; what was not run is 0, and 3."""
    plain = exit_code(verdicts)
    if any(v.outcome is Outcome.CHANGED or (v.aspect, v.outcome) == MOVED for v in verdicts):
        plain = 1
    elif any(verdict.tells_what_was_not_run for verdict in verdicts):
        plain = plain or 3
    assert exit_code(verdicts, strict=True) == plain


MOVED = (Aspect.LOSS, Outcome.IMPROVED)


@pytest.mark.parametrize("aspect", Aspect)
def test_a_loss_that_improved_is_not_what_was_asked_for(aspect: Aspect) -> None:
    """A wrong momentum may well be the quicker one; a time that improved is nobody's fault."""
    improved = [verdict(Outcome.PASS), verdict(Outcome.IMPROVED, aspect)]
    assert exit_code(improved) == 0
    assert exit_code(improved, strict=True) == (1 if aspect is Aspect.LOSS else 0)


def test_verdicts_may_be_read_once() -> None:
    """An iterator serves as well as a list, strict or not."""
    assert exit_code(iter([verdict(Outcome.PASS), verdict(Outcome.CHANGED)]), strict=True) == 1
    assert exit_code(iter([verdict(Outcome.MISSING)]), strict=True) == 3


@pytest.mark.parametrize(("outcome", "aspect", "stage"), [*product([Outcome.PASS, Outcome.ERROR], Aspect, Stage)])
def test_a_row_holds_the_words(outcome: Outcome, aspect: Aspect, stage: Stage) -> None:
    """``verdicts.csv`` gets plain words in every column but its version."""
    row = Verdict(**{**vars(verdict(outcome, aspect)), "stage": stage}).row()
    assert {"schema", *row} == set(VERDICTS.columns)
    assert row == {
        "case": "neuron",
        "device": "cpu",
        "dtype": "float64",
        "mode": "eager",
        "sentence": "It did.",
        "aspect": aspect.value,
        "verdict": outcome.word,
        "stage": stage.value,
    }
    assert all(type(word) is str for word in row.values())


def test_a_verdict_is_named_after_its_cell() -> None:
    """As everywhere: case, device and dtype."""
    assert verdict(Outcome.PASS).label == "neuron[cpu-float64]"
