"""A short audit: some faults, two controls, and the unchanged run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from suite.audit.audit import Finding, audit, choose
from suite.audit.controls import UNCHANGED
from suite.audit.table import outcome
from suite.audit.train import CASES, Attempt, audit_plan, timed_plan, train_with
from suite.discover import Collection, discover, documented
from suite.errors import SuiteError
from suite.plan import EAGER

SOON = ("relu_leaks", "loss_root", "momentum_lower", "last_parameter_climbs")
ALIKE = ("update_written_out", "another_stream", "unchanged")


@pytest.fixture(scope="module")
def few() -> Collection:
    """Return three cases of a hundred steps."""
    return discover([documented() / "guide" / f"{name}.py" for name in ("single_neuron", "relu", "leaky_relu")])


@pytest.fixture(scope="module")
def findings(few: Collection) -> list[Finding]:
    """Audit with four faults and runs without one."""
    return audit(few, choose([*SOON, *ALIKE]), seeds=range(12), repeats=1)


def test_faults_are_caught_and_named(findings: list[Finding]) -> None:
    """What goes wrong at the first step and what goes wrong later are caught, each at its stage."""
    told = {finding.planted.name: outcome(finding) for finding in findings}
    assert [told[name] for name in SOON] == ["caught"] * len(SOON)


def test_what_lies_within_rounding_is_seen(findings: list[Finding]) -> None:
    """Other bits that stay within tolerance are shown, and fail nothing."""
    (finding,) = (finding for finding in findings if finding.planted.name == "update_written_out")
    assert (finding.failing, bool(finding.shown)) == ((), True)


def test_nothing_else_is_flagged(findings: list[Finding]) -> None:
    """The same algebra in other words, another random stream, and no change at all pass; the last is timed, too."""
    told = [(finding.planted.name, outcome(finding)) for finding in findings if finding.planted.name in ALIKE]
    assert sorted(told) == sorted((name, "not flagged") for name in (*ALIKE, "unchanged"))


def test_findings_come_in_the_order_chosen(findings: list[Finding]) -> None:
    """Whichever ends first, the table is in the order of the list."""
    names = [finding.planted.name for finding in findings]
    order = [planted.name for planted in choose([*SOON, *ALIKE])]
    assert list(dict.fromkeys(names)) == order


def test_the_plan_trains_every_case_together_and_one_by_one(few: Collection) -> None:
    """As a run does unless told otherwise; times are taken of the reference alone."""
    plan = audit_plan(few)
    assert {cell.case.name for cell in plan.cells} == set(CASES) & {case.name for case in few.cases}
    assert all(cell.short == (cell.mode == EAGER) for cell in plan.cells)
    assert {cell.case.name for cell in timed_plan(few).cells} == {case.name for case in few.cases}
    assert all(cell.short for cell in timed_plan(few).cells)


def test_a_fault_leaves_nothing_behind_in_its_process(few: Collection) -> None:
    """The unchanged run leaves the same bits before a fault was planted and after."""
    errands = Attempt(planted=UNCHANGED).errands(audit_plan(few, range(3)))
    digests = [
        [trial.final_digest for trial in train_with(name, errands)[0]]
        for name in ("unchanged", "product_strides_ignored", "rate_off", "unchanged")
    ]
    assert digests[0] == digests[3] != digests[2]


def test_a_name_that_is_not_known_is_named() -> None:
    """Every pattern that matches nothing is a fault of its own."""
    with pytest.raises(SuiteError) as caught:
        choose(["relu_*", "nothing", "none"])
    assert [fault.split()[0] for fault in caught.value.faults] == ['"nothing"', '"none"']


def test_the_command_exits_with_what_it_found(
    few: Collection, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`suite audit` prints a table or JSON, tells each finding as it comes, and exits with the audit's code."""
    monkeypatch.setattr("suite.cli.proving.collection_of", lambda _cases: few)
    done = invoke("audit", "slower_by_5", "--seeds", "6", "--json")
    read = json.loads(done.stdout)
    assert (done.exit_code, [row["planted"] for row in read["findings"]]) == (read["exit_code"], ["slower_by_5"])
    assert "slower_by_5: " in done.stderr
    assert invoke("audit", "nothing").exit_code == 2
