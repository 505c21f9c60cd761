"""What is remembered of a case is what the accepted baseline and the newest run hold of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite.case import Case
from suite.judge import Outcome, Verdict
from suite.machine import Machine
from suite.records import Recorder, accept, read_run, write_verdicts
from suite.report.cases.remember import BASELINE, NEWEST, Remembered, remember
from suite.trial import Manifest, Trial


@pytest.fixture
def keep(
    tmp_path: Path, machine: Machine, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]
) -> Callable[..., Path]:
    """Keep a run of three seeds of the neuron, and of another case."""

    def make(name: str, *, day: int = 1, cases: tuple[str, ...] = ("neuron", "other"), **given: Any) -> Path:
        trials = [trial_of(seed, case=case, **given) for case in cases for seed in range(3)]
        manifest = manifest_of(trials, run=name, started=f"2030-01-{day:02}T00:00:00+00:00", complete=False)
        cpu = replace(machine, devices={"cpu": machine.devices["cpu"]})
        recorder = Recorder(tmp_path / "runs" / name, manifest, cpu)
        recorder.append(trials)
        recorder.finish()
        return recorder.folder

    return make


@pytest.fixture
def remembered(tmp_path: Path, neuron: Case) -> Callable[[], tuple[list[Remembered], list[str]]]:
    """Remember the neuron."""
    return lambda: remember(neuron, baseline=tmp_path / "baselines", runs=tmp_path / "runs")


def test_the_baseline_and_the_newest_run_are_remembered(
    keep: Callable[..., Path], remembered: Callable[..., Any], tmp_path: Path
) -> None:
    """Each with where it comes from and a row for each device and dtype; nothing of other cases."""
    accept(read_run(keep("z", day=1)), tmp_path / "baselines", reason="so it is", who="who")
    keep("b", day=3, dtype="float16", case_version="1" * 12)
    keep("c", day=2)
    (baseline, run), faults = remembered()
    assert faults == []
    assert (baseline.what, baseline.run, baseline.why, baseline.version) == (BASELINE, "z", "so it is", "0" * 12)
    assert (run.what, run.run, run.why, run.version) == (NEWEST, "b", "", "1" * 12)
    assert (run.started, run.torch) == ("2030-01-03T00:00:00+00:00", "2.13.0")
    assert [list(record.points["dtype"]) for record in (baseline, run)] == [["float64"], ["float16"]]
    assert set(run.points["case"]) == {"neuron"}
    assert run.verdicts.empty


def test_the_newest_run_is_the_newest_of_the_case(keep: Callable[..., Path], remembered: Callable[..., Any]) -> None:
    """A newer run of other cases says nothing of this one."""
    keep("a", day=1)
    keep("b", day=2, cases=("other",))
    (run,), faults = remembered()
    assert (run.run, faults) == ("a", [])


def test_verdicts_of_the_case_are_remembered(
    keep: Callable[..., Path], remembered: Callable[..., Any], verdict_of: Callable[..., Verdict]
) -> None:
    """What was judged of the newest run, of this case only."""
    verdicts = [verdict_of(Outcome.CHANGED), verdict_of(Outcome.PASS, case="other")]
    write_verdicts(keep("a"), [verdict.row() for verdict in verdicts])
    ((run,), _) = remembered()
    assert list(run.verdicts["verdict"]) == ["changed"]


def test_what_is_damaged_is_named(keep: Callable[..., Path], remembered: Callable[..., Any], tmp_path: Path) -> None:
    """A damaged run, or baseline, keeps nothing else from being remembered."""
    (keep("a", day=3) / "run.json").write_text("{", encoding="utf-8")
    keep("b", day=1)
    (baseline,) = accept(read_run(keep("c", day=2)), tmp_path / "baselines", reason="why", who="who")
    (baseline / "trials.csv").unlink()
    (run,), faults = remembered()
    assert run.run == "c"
    assert [fault.partition(": ")[0] for fault in faults] == [
        str(baseline / "trials.csv"),
        str(tmp_path / "runs/a/run.json"),
    ]
    (tmp_path / "runs/c/verdicts.csv").write_text("x\n", encoding="utf-8")
    assert "verdicts.csv" in remembered()[1][-1]


def test_a_folder_that_cannot_be_read_is_named(
    keep: Callable[..., Path], remembered: Callable[..., Any], tmp_path: Path, refuse_folder: Callable[[str], None]
) -> None:
    """A folder among the runs that the system refuses keeps no run from being remembered."""
    keep("a")
    (tmp_path / "runs/no").mkdir()
    refuse_folder("no")
    (run,), faults = remembered()
    assert (run.run, faults) == ("a", [f"{tmp_path / 'runs/no'}: cannot be read: Permission denied"])


def test_where_nothing_was_kept_nothing_is_remembered(remembered: Callable[..., Any]) -> None:
    """A fresh checkout without a run is no fault."""
    assert remembered() == ([], [])
