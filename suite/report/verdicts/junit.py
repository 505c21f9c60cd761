"""Verdicts as JUnit XML, which continuous integration systems show as tests: a suite an aspect, a test a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from junitparser import Attr, Failure, IntAttr, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from suite.judge import Aspect, Outcome, Verdict
from suite.judge.verdict import ALL
from suite.report.escape import plain
from suite.report.judged import JudgedRun
from suite.report.ranking import fails

NOT_JUDGED = {Outcome.SKIPPED, Outcome.INCOMPARABLE, Outcome.INCONCLUSIVE, Outcome.MISSING}
SECONDS = len("2030-01-01T00:00:00")
"""JUnit's times of day have no zone; a run's are in UTC."""


class PlacedTest(TestCase):
    """A test that knows where its case is declared, as pytest writes it."""

    file = Attr()
    line = IntAttr()


def junit_xml(judged: JudgedRun) -> str:
    """Return all verdicts as JUnit XML: what fails the run as failures, what could not be judged as skipped."""
    report = JUnitXml("suite")
    for aspect in Aspect:
        verdicts = [verdict for verdict in judged.verdicts if verdict.aspect is aspect]
        suite = TestSuite(str(aspect))
        suite.timestamp = plain(judged.run.manifest.started)[:SECONDS]
        suite.add_testcases([_test(verdict, judged) for verdict in verdicts])
        report.append(suite)
    report.update_statistics()
    buffer = BytesIO()
    report.write(buffer)
    return buffer.getvalue().decode()


def _test(verdict: Verdict, judged: JudgedRun) -> PlacedTest:
    test = PlacedTest(_name(verdict), _class_name(verdict, judged), 0.0)
    if verdict.case in judged.places:
        file, test.line = judged.places[verdict.case]
        test.file = plain(file)
    _conclude(test, verdict, strict=judged.strict)
    return test


def _conclude(test: TestCase, verdict: Verdict, *, strict: bool) -> None:
    """Put into a test how it came out."""
    test.append(_properties(verdict))
    sentence = f"{verdict.outcome.word}: {plain(verdict.sentence)}"
    if fails(verdict, strict=strict):
        failure = Failure(sentence, verdict.outcome.word)
        failure.text = "\n".join(_told(verdict))
        test.append(failure)
    elif verdict.outcome in NOT_JUDGED:
        test.append(Skipped(sentence, verdict.outcome.word))
    else:
        test.system_out = sentence


def _name(verdict: Verdict) -> str:
    """Return "loss[cpu-float32-eager]"."""
    where = (verdict.device, verdict.dtype, verdict.mode)
    return plain(f"{verdict.aspect}[{'-'.join(word for word in where if word != ALL)}]")


def _class_name(verdict: Verdict, judged: JudgedRun) -> str:
    """Return "guide.relu"; a case of which only the baseline knows has no folder."""
    if verdict.case == ALL:
        return "all"
    case = judged.cases.get(verdict.case)
    return plain(f"{case.folder}.{case.name}" if case else verdict.case)


def _properties(verdict: Verdict) -> Properties:
    properties = Properties()
    properties.add_property(Property("verdict", verdict.outcome.word))
    if verdict.stage:
        properties.add_property(Property("stage", str(verdict.stage)))
    return properties


def _told(verdict: Verdict) -> Iterator[str]:
    """Give the sentence, the stage, and the findings clause by clause."""
    yield plain(verdict.sentence)
    if verdict.stage:
        yield f"stage: {verdict.stage}"
    for finding in verdict.findings:
        yield f"{finding.outcome.word}: {plain(finding.sentence)}"
