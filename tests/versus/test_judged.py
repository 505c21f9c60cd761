"""What a sitting comes to, and how it is shown."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.clause import Clause
from suite.errors import SuiteError
from suite.expect import Expectation, parameter
from suite.judge import Aspect, Outcome
from suite.machine import Machine
from suite.records import in_memory
from suite.trial import Manifest, RunRecord, Status, Trial
from suite.versus.judged import judge_sitting
from suite.versus.report import json_text, lines, tabulated, write
from suite.versus.sitting import Sitting
from suite.versus.times import Sample

KEY = ("neuron", "cpu", "float64")


@pytest.fixture
def sitting_of(
    manifest_of: Callable[..., Manifest], machine: Machine, trial_of: Callable[..., Trial]
) -> Callable[..., Sitting]:
    """Make a sitting that left these trials, A's and B's, and timed it in two dtypes, B slower by a share."""
    cpu = replace(machine, devices={"cpu": machine.devices["cpu"]})

    def record(trials: Sequence[Trial], torch: str, clauses: Sequence[Clause]) -> RunRecord:
        return in_memory(manifest_of(trials, clauses=clauses), replace(cpu, torch=torch), trials)

    def make(ours: Sequence[Trial], theirs: Sequence[Trial], *clauses: Clause, slower: float = 0.0) -> Sitting:
        ratios = {key: np.linspace(-0.01, 0.01, 20) + math.log1p(slower) for key in (KEY, (*KEY[:2], "float32"))}
        records = record(ours, "2.8.0", clauses), record(theirs, "2.13.0", clauses)
        return Sitting(records=records, sample=Sample(first=ratios, second=ratios))

    return make


@pytest.fixture
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return eager and ensemble trials of one cell."""
    return [trial_of(seed, mode=mode) for mode in ("eager", "ensemble") for seed in range(3)]


def test_equal_sides_pass(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """Where nothing differs, everything passes: expectation and loss of both modes, and the times."""
    judged = judge_sitting(sitting_of(trials, trials))
    assert {verdict.outcome for verdict in judged.verdicts} == {Outcome.PASS}
    assert [verdict.aspect for verdict in judged.verdicts].count(Aspect.TIME) == 3
    assert len(judged.verdicts) == 7


def test_a_row_shows_the_worst(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """A row holds the worse of both modes' verdicts with its stage, the largest difference, and the time."""
    worse = [*trials[:5], replace(trials[5], final_loss=trials[5].final_loss + 2.0)]
    sitting = sitting_of(trials, worse, slower=0.5)
    (row,) = tabulated(sitting, judge_sitting(sitting)).to_dict("records")
    assert (row["losses"], row["stage"], row["time"]) == ("regressed", "later", "regressed")
    assert row["largest_difference"] == 2.0
    assert row["time_ratio"] == pytest.approx(1.5)


def test_a_loss_that_is_no_number_on_one_side_is_infinitely_far(
    sitting_of: Callable[..., Sitting], trials: list[Trial]
) -> None:
    """NaN on both sides is no difference; on one it is one without end, and read back from JSON as such."""
    nowhere = [replace(trial, final_loss=math.nan) for trial in trials]
    same, apart = sitting_of(nowhere, nowhere), sitting_of(trials, nowhere)
    assert tabulated(same, judge_sitting(same))["largest_difference"].tolist() == [0.0]
    (row,) = json.loads(json_text(apart, judge_sitting(apart), strict=False))["rows"]
    assert row["largest_difference"] == "inf"


def clause_of(expectation: object) -> Clause:
    """Return what an expectation states."""
    assert isinstance(expectation, Expectation)
    return expectation.clause


def test_what_holds_on_neither_side_is_no_difference(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """An expectation that A breaks as B does is left out; one that B alone breaks fails."""
    clause = replace(clause_of(parameter("weight", low=4.0)), observation="w")
    broken = [replace(trial, observations=(("w", 1.0),)) for trial in trials]
    both, alone = (judge_sitting(sitting_of(ours, broken, clause)).verdicts for ours in (broken, trials))
    assert [v.outcome for v in both if v.aspect is Aspect.EXPECTATION] == []
    assert [v.outcome for v in alone if v.aspect is Aspect.EXPECTATION] == [Outcome.BROKEN] * 2


def test_what_was_not_timed_has_no_time(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """A cell that could not be timed is shown without a time, and nothing is said of all cells."""
    sitting = replace(sitting_of(trials, trials), sample=Sample(first={}))
    judged = judge_sitting(sitting)
    assert judged.timings == {}
    (row,) = json.loads(json_text(sitting, judged, strict=False))["rows"]
    assert (row["time"], row["time_ratio"]) == (None, None)


def test_it_is_shown_from_what_differs_to_the_verdict(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """First what differs between the machines, then the table, the times together, and what failed, worst first."""
    sitting = sitting_of(trials, trials, slower=0.5)
    shown = list(lines(sitting, judge_sitting(sitting), strict=False))
    assert shown[0] == "B against A on cpu: torch 2.13.0 (A: 2.8.0)"
    assert shown[2].startswith("| case")
    assert shown[6].startswith("all cells on cpu: 1.500 times A's time a step, ")
    assert shown[7].startswith("regressed     time of neuron[cpu-float64] and 1 more cell (eager)")
    assert shown[-1].endswith("something regressed, is broken, or could not be trained")


def test_what_the_other_side_says_of_itself_steers_nothing(
    sitting_of: Callable[..., Sitting], trials: list[Trial], tmp_path: Path
) -> None:
    """Its torch and its machine are shown as text, and no case's name is a formula."""
    sitting = sitting_of([replace(t, case="=1+1") for t in trials], [replace(t, case="=1+1") for t in trials])
    record = sitting.records[1]
    hostile = replace(record, machine=replace(record.machine, torch="\n::error::x\x1b[2J"))
    sitting = replace(sitting, records=(sitting.records[0], hostile), sample=Sample(first={}))
    judged = judge_sitting(sitting)
    shown = [*lines(sitting, judged, strict=False), *json_text(sitting, judged, strict=False).split("\n")]
    assert all(line.isprintable() and not line.lstrip().startswith("::") for line in shown)
    write(tmp_path, sitting, judged, strict=False)
    assert (tmp_path / "versus.csv").read_text().splitlines()[1].startswith("'=1+1,")


def test_files_say_the_same(sitting_of: Callable[..., Sitting], trials: list[Trial], tmp_path: Path) -> None:
    """Markdown holds what the terminal shows; CSV holds the table with its figures in full."""
    sitting = sitting_of(trials, trials)
    judged = judge_sitting(sitting)
    write(tmp_path / "new/out", sitting, judged, strict=False)
    text = (tmp_path / "new/out/versus.md").read_text(encoding="utf-8")
    assert "torch 2.13.0 (A: 2.8.0)" in text
    assert "| neuron | float64 | cpu" in text
    with (tmp_path / "new/out/versus.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["time_low"]) == judged.timings[KEY].low


def test_a_folder_that_cannot_be_written_is_told(
    sitting_of: Callable[..., Sitting], trials: list[Trial], tmp_path: Path
) -> None:
    """A file where the folder should be is a fault in one line."""
    (tmp_path / "out").touch()
    sitting = sitting_of(trials, trials)
    with pytest.raises(SuiteError, match=r"^--out .*out: cannot be written: "):
        write(tmp_path / "out", sitting, judge_sitting(sitting), strict=False)


def test_strict_fails_on_other_bits(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """The exit code in JSON is the command's, --strict counted."""
    sitting = sitting_of(trials, [replace(trial, final_digest="other") for trial in trials])
    same = replace(
        sitting, records=(sitting.records[0], replace(sitting.records[1], machine=sitting.records[0].machine))
    )
    judged = judge_sitting(same)
    found: list[Any] = [json.loads(json_text(same, judged, strict=strict))["exit_code"] for strict in (False, True)]
    assert found == [0, 1]


def test_what_fails_of_more_is_told(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """A second clause that breaks, or another seed that cannot be trained, is a difference between two that fail."""
    first, second = (Clause(observation="w", bounds={"*": ([low], [9.0])}) for low in (8.0, 4.0))
    worse = [replace(trial, observations=(("w", 1.0),)) for trial in trials]
    told = [
        v for v in judge_sitting(sitting_of(trials, worse, first, second)).verdicts if v.aspect is Aspect.EXPECTATION
    ]
    assert {verdict.outcome for verdict in told} == {Outcome.BROKEN}
    back = judge_sitting(sitting_of(worse, trials, first, second)).verdicts
    assert Aspect.EXPECTATION not in {verdict.aspect for verdict in back}


def test_what_can_be_trained_of_fewer_seeds_is_told(sitting_of: Callable[..., Sitting], trials: list[Trial]) -> None:
    """Not what can be trained of more."""

    def failing(seeds: int) -> list[Trial]:
        failed: dict[str, Any] = {"status": Status.ERROR, "curve": (), "observations": (), "distances": ()}
        return [replace(t, **failed) if t.seed < seeds else t for t in trials]

    worse, better = (judge_sitting(sitting_of(*map(failing, seeds))).verdicts for seeds in ((1, 2), (2, 1)))
    assert Outcome.ERROR in {verdict.outcome for verdict in worse}
    assert Outcome.ERROR not in {verdict.outcome for verdict in better}
