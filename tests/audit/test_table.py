"""What is printed of an audit, and what it exits with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.audit.audit import Finding, exit_code
from suite.audit.controls import CONTROLS, UNCHANGED
from suite.audit.fault import Control, Fault
from suite.audit.faults import FAULTS
from suite.audit.table import as_table, json_text, outcome, rows, summary
from suite.judge import Aspect, Outcome, Stage, Verdict

BY_NAME: dict[str, Fault | Control] = {planted.name: planted for planted in (*FAULTS, UNCHANGED, *CONTROLS)}


def verdict(result: Outcome, stage: Stage = Stage.NONE, sentence: str = "as it is") -> Verdict:
    """Return a verdict on the losses of one cell."""
    return Verdict(
        case="relu",
        device="cpu",
        dtype="float32",
        mode="eager",
        aspect=Aspect.LOSS,
        outcome=result,
        sentence=sentence,
        stage=stage,
    )


def finding(name: str, *verdicts: Verdict) -> Finding:
    """Return what the gate said while something was planted."""
    return Finding(planted=BY_NAME[name], verdicts=verdicts)


WRONG = verdict(Outcome.REGRESSED, Stage.FORWARD)
FAILED = verdict(Outcome.ERROR, Stage.INITIALISATION)
OTHER = verdict(Outcome.CHANGED, Stage.UPDATE)
SAME = verdict(Outcome.PASS)
STREAM = verdict(Outcome.PASS, Stage.INITIALISATION, "another random stream: no difference shown")


@pytest.mark.parametrize(
    ("found", "told", "code"),
    [
        (finding("relu_leaks", WRONG), "caught", 0),
        (finding("rate_off", WRONG), "caught, WRONG STAGE", 1),
        (finding("rate_off", OTHER), "SEEN, WITHIN TOLERANCE", 1),
        (finding("rate_off", SAME), "MISSED", 1),
        (finding("rate_off", FAILED), "MISSED", 1),
        (finding("seed_ignored", FAILED), "caught", 0),
        (finding("rate_last_bit", OTHER), "seen, within tolerance (beyond reach)", 0),
        (finding("rate_last_bit", SAME), "missed (beyond reach)", 0),
        (finding("unchanged", SAME), "not flagged", 0),
        (finding("unchanged", OTHER), "FLAGGED", 1),
        (finding("threads_2", OTHER), "not flagged", 0),
        (finding("threads_2", WRONG), "FLAGGED", 1),
        (finding("another_stream", STREAM), "not flagged", 0),
        (finding("another_stream", SAME), "FLAGGED", 1),
    ],
)
def test_a_finding_is_told_and_decides_the_exit_code(found: Finding, told: str, code: int) -> None:
    """A fault must be caught at its stage, unless it is beyond reach; a control must not fail, nor pass for another.

    Seeds that cannot be trained catch no fault, but that of seeds themselves.
    """
    assert (outcome(found), exit_code([found])) == (told, code)
    assert told in as_table([found])


def test_one_stage_in_ten_may_be_named_wrongly() -> None:
    """Nine right stages of ten are enough, eight are not."""
    right, wrong = finding("relu_leaks", WRONG), finding("rate_off", WRONG)
    assert exit_code([*[right] * 9, wrong]) == 0
    assert exit_code([*[right] * 8, wrong, wrong]) == 1


def test_the_stage_is_the_one_that_most_failing_verdicts_name() -> None:
    """Verdicts that do not fail are asked only if none that fails names a stage."""
    assert finding("rate_off", WRONG, OTHER, OTHER).stage is Stage.FORWARD
    assert finding("rate_off", OTHER, SAME).stage is Stage.UPDATE
    assert finding("rate_off", SAME).stage is Stage.NONE


def test_the_summary_counts() -> None:
    """Faults within reach, faults beyond it, and runs without a fault are counted apart."""
    findings = [finding("relu_leaks", WRONG), finding("rate_last_bit", OTHER), finding("unchanged", SAME)]
    assert summary(findings) == (
        "1 of 1 faults within reach caught, with the right stage 1 of 1; 0 of 1 beyond reach caught; "
        "0 of 1 runs without a fault flagged: nothing amiss, but only 2 of "
        f"{len(FAULTS)} faults and 1 of {len(CONTROLS) + 1} changes that are none were tried"
    )
    assert "cannot" in summary([finding("rate_off", SAME)])


def test_only_a_whole_audit_says_that_the_gate_can_be_trusted() -> None:
    """What was left out, as all that is no fault, may have been flagged; what is wrong is so whatever was left out."""
    whole = [
        finding(name, WRONG if isinstance(planted, Fault) else STREAM if planted.told else SAME)
        for name, planted in BY_NAME.items()
    ]
    whole = [
        replace(each, verdicts=(replace(WRONG, stage=(*each.expected, Stage.NONE)[0]),)) if each.expected else each
        for each in whole
    ]
    assert summary(whole).endswith(": the gate can be trusted here")
    for part in (whole[1:], whole[:-1], [each for each in whole if each.planted is not UNCHANGED]):
        assert "can be trusted" not in summary(part)
        assert exit_code(part) == 0
    assert summary([finding("rate_off", SAME)]).endswith(": the gate cannot be trusted here")


def test_json_holds_the_table_and_the_sentences() -> None:
    """A program reads the same rows, and what each verdict that is no pass says."""
    findings = [finding("relu_leaks", WRONG, SAME)]
    read = json.loads(json_text(findings))
    (row,) = read["findings"]
    assert (read["exit_code"], read["summary"]) == (0, summary(findings))
    assert row == {**rows(findings)[0], "says": BY_NAME["relu_leaks"].says, "sentences": row["sentences"]}
    assert row["sentences"] == ["relu[cpu-float32] eager, loss: as it is"]
    assert row["cells"] == "1 of 1"
