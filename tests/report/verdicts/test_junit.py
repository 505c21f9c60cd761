"""Verdicts as JUnit XML: every reader gets every verdict, as a test that passed, failed or was skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from suite.judge import Aspect, Outcome, Stage, Verdict, exit_code
from suite.judge.verdict import ALL, Finding
from suite.report.escape import plain
from suite.report.judged import JudgedRun
from suite.report.verdicts.junit import junit_xml
from suite.trial import RunRecord, Trial

VerdictOf = Callable[..., Verdict]
JudgedOf = Callable[..., JudgedRun]


@pytest.fixture(scope="session")
def judged_of(run_of: Callable[..., RunRecord], trial_of: Callable[..., Trial]) -> JudgedOf:
    """Put verdicts beside a run of one case."""

    def make(verdicts: Sequence[Verdict], *, strict: bool = False) -> JudgedRun:
        return JudgedRun(run=run_of([trial_of()]), verdicts=verdicts, strict=strict)

    return make


def read_back(judged: JudgedRun) -> Iterator[TestCase]:
    """Read the tests back with junitparser."""
    for suite in JUnitXml.fromstring(junit_xml(judged).encode()):
        assert isinstance(suite, TestSuite)
        yield from suite


FAILED, SKIPPED, PASSED = "failed", "skipped", "passed"
READ_AS = {
    Outcome.PASS: PASSED,
    Outcome.IMPROVED: PASSED,
    Outcome.CHANGED: PASSED,
    Outcome.SKIPPED: SKIPPED,
    Outcome.INCOMPARABLE: SKIPPED,
    Outcome.INCONCLUSIVE: SKIPPED,
    Outcome.MISSING: SKIPPED,
    Outcome.REGRESSED: FAILED,
    Outcome.BROKEN: FAILED,
    Outcome.ERROR: FAILED,
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("outcome", Outcome)
def test_a_reader_sees_what_the_exit_code_says(
    verdict_of: VerdictOf, judged_of: JudgedOf, outcome: Outcome, strict: bool
) -> None:
    """What makes the exit code 1 is a failure, what could not be judged is skipped; each with word and sentence."""
    verdict = verdict_of(outcome, sentence="it is so")
    (test,) = read_back(judged_of([verdict], strict=strict))
    kind = FAILED if exit_code([verdict], strict=strict) == 1 else READ_AS[outcome]
    assert (test.is_failure, test.is_skipped, test.is_passed) == (kind == FAILED, kind == SKIPPED, kind == PASSED)
    told = test.system_out if test.is_passed else test.result[0].message
    assert told == f"{outcome.word}: it is so"
    assert test.is_passed or test.result[0].type == outcome.word


def test_a_test_names_its_cell_and_its_file(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """The class is folder and case, the name aspect and cell with mode; file, line and stage stand beside them."""
    (test,) = read_back(judged_of([verdict_of(Outcome.REGRESSED, stage=Stage.UPDATE)]))
    assert (test.classname, test.name) == ("guide.neuron", "loss[cpu-float32-eager]")
    assert (test._elem.get("file"), test._elem.get("line")) == ("cases/guide/neuron.py", "1")
    properties = {p.get("name"): p.get("value") for p in test._elem.iterfind("properties/property")}
    assert properties == {"verdict": "regressed", "stage": "update"}


def test_what_is_about_no_trained_case_has_no_file(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """All cells of a device, and a case that only the baseline has, are tests without a file."""
    every = verdict_of(Outcome.SKIPPED, case=ALL, device="cuda", dtype=ALL, mode=ALL)
    first, second = read_back(judged_of([every, verdict_of(Outcome.MISSING, case="gone")]))
    assert (first.classname, first.name) == ("all", "loss[cuda]")
    assert second.classname == "gone"
    assert [test._elem.get("file") for test in (first, second)] == [None, None]


def test_a_failure_tells_all_that_is_known(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """Its text holds the sentence, the stage and every finding."""
    findings = tuple(Finding(clause=i, outcome=o, sentence=f"s{i}") for i, o in enumerate(Outcome))
    verdict = replace(verdict_of(Outcome.BROKEN, stage=Stage.LATER), findings=findings)
    (test,) = read_back(judged_of([verdict]))
    told = [f"{finding.outcome.word}: {finding.sentence}" for finding in findings]
    assert str(test.result[0].text).splitlines() == ["so it is", "stage: later", *told]


def test_a_suite_an_aspect_and_its_counts(verdict_of: VerdictOf, judged_of: JudgedOf) -> None:
    """Each aspect has a suite that holds its verdicts alone; counts are what a reader would count."""
    verdicts = [verdict_of(o, aspect=a) for a in Aspect for o in list(Outcome)[list(Aspect).index(a) :]]
    report = JUnitXml.fromstring(junit_xml(judged_of(verdicts)).encode())
    suites = list(report)
    assert [suite.name for suite in suites] == [str(aspect) for aspect in Aspect]
    for suite, aspect in zip(suites, Aspect, strict=True):
        kinds = [READ_AS[v.outcome] for v in verdicts if v.aspect is aspect]
        read = (suite.tests, suite.failures, suite.skipped, suite.errors)
        assert read == (len(kinds), kinds.count(FAILED), kinds.count(SKIPPED), 0)
        assert suite.timestamp == "2030-01-01T00:00:00"
    assert (report.tests, report.failures) == (len(verdicts), 9)


HOSTILE = st.text() | st.text(st.sampled_from("\0\x08\x1b\x7f\x85\ud800\ufffe\uffff<>&\"'\n\r]]>"))


@given(case=HOSTILE, sentence=HOSTILE, outcome=st.sampled_from(Outcome))
def test_no_text_breaks_the_file(
    verdict_of: VerdictOf, judged_of: JudgedOf, case: str, sentence: str, outcome: Outcome
) -> None:
    """What XML 1.0 does not allow is replaced, and everything else reads back as it stands, by any reader."""
    verdict = verdict_of(outcome, case=case, sentence=sentence, device=case)
    text = junit_xml(judged_of([verdict]))
    root = ET.fromstring(text.encode())  # a reader that is not junitparser
    (test,) = root.iter("testcase")
    assert test.get("name") == plain(f"loss[{case}-float32-eager]") or case == ALL
    (result,) = (found for tag in ("failure", "skipped", "system-out") for found in test.iter(tag))
    told = result.get("message") if result.tag != "system-out" else result.text
    assert told == f"{outcome.word}: {plain(sentence)}"
    assert isinstance(next(iter(JUnitXml.fromstring(text.encode()))), TestSuite)
    assert {Failure._tag, Skipped._tag, "system-out"} >= {result.tag}
