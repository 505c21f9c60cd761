"""What compares and what accepts: the exit code is the verdict's, and every form tells the same."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from click.testing import Result
from torch import nn
from torch.optim import SGD

from suite.discover import discover
from suite.judge import judge
from suite.records import find_baselines, read_run
from suite.workflow import planned_again, timed_again

Invoke = Callable[..., Result]
RowsOf = Callable[[Path], list[dict[str, str]]]


def test_compare_exits_0_where_nothing_changed(accepted: Path, invoke: Invoke, train: Invoke) -> None:
    """Another run of the same is bit for bit the baseline; its verdicts are kept with it."""
    train("--out", "after")
    done = invoke("compare", "after", "--json")
    read = json.loads(done.stdout)
    losses = {row["case"]: row["verdict"] for row in read["verdicts"] if row["aspect"] == "loss"}
    assert (done.exit_code, read["exit_code"], losses) == (0, 0, {"leaky": "pass", "neuron": "pass"})
    with Path("after/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["aspect"] for row in csv.DictReader(stream)} == {"expectation", "loss", "time"}


def scaled(name: str, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make torch take another value of SGD's option than the one that it is given."""
    original = SGD.__init__

    @wraps(original)
    def changed(self: SGD, *args: Any, **options: Any) -> None:
        original(self, *args, **options | {name: options[name] * factor})

    monkeypatch.setattr(SGD, "__init__", changed)


def steeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make torch's leaky ReLU twice as steep below zero."""
    original = nn.LeakyReLU.__init__
    monkeypatch.setattr(nn.LeakyReLU, "__init__", lambda self: original(self, negative_slope=0.02))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda patch: scaled("momentum", 0.89 / 0.9, patch), {"leaky", "neuron"}),
        (lambda patch: scaled("lr", 1.01, patch), {"leaky", "neuron"}),
        (steeper, {"leaky"}),
    ],
    ids=["momentum", "lr", "slope"],
)
def test_compare_exits_1_and_names_the_cases_where_torch_changed(
    accepted: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
    names: set[str],
    train: Invoke,
) -> None:
    """A change inside torch is a regression of the cases that it touches, and of no other."""
    with monkeypatch.context() as patch:
        change(patch)
        train("--out", "after")
    done = invoke("compare", "after", "--json")
    verdicts = json.loads(done.stdout)["verdicts"]
    assert {row["case"] for row in verdicts if row["verdict"] == "regressed" and row["aspect"] == "loss"} == names
    assert done.exit_code == 1
    told = invoke("compare", "after", "--report", "verdicts.md", "--report", "verdicts.json")
    assert all(name in told.stdout and name in Path("verdicts.md").read_text(encoding="utf-8") for name in names)
    assert json.loads(Path("verdicts.json").read_text(encoding="utf-8"))["verdicts"] == verdicts


def test_compare_exits_3_where_it_cannot_tell(cases: Path, invoke: Invoke, train: Invoke) -> None:
    """Without a baseline every cell is named, and the exit code says that something could not be judged."""
    train("--out", "a-run")
    done = invoke("compare", "a-run", "--json")
    losses = [row for row in json.loads(done.stdout)["verdicts"] if row["aspect"] == "loss"]
    assert (done.exit_code, [row["verdict"] for row in losses]) == (3, ["missing", "missing"])


def test_a_case_that_disappeared_is_named(accepted: Path, invoke: Invoke, train: Invoke) -> None:
    """A case of the baseline that is no longer declared is missing, not forgotten; one that was not run is."""
    train("neuron", "--out", "fewer")
    assert invoke("compare", "fewer").exit_code == 0
    Path("cases/leaky.py").unlink()
    train("--out", "after")
    done = invoke("compare", "after")
    assert done.exit_code == 3
    assert "leaky[cpu-float64]" in done.stdout


def test_strict_fails_on_other_bits(accepted: Path, invoke: Invoke) -> None:
    """Other bits within tolerance are shown and pass; with --strict they fail."""
    rows = Path("before/trials.csv").read_text(encoding="utf-8")
    digest = rows.splitlines()[1].split(",")[-1]
    Path("before/trials.csv").write_text(rows.replace(digest, "0" * len(digest)), encoding="utf-8")
    lenient, strict = invoke("compare", "before"), invoke("compare", "before", "--strict")
    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    assert "changed" in lenient.stdout
    assert json.loads(invoke("compare", "before", "--strict", "--json").stdout)["exit_code"] == 1


def test_a_comparison_writes_every_form(accepted: Path, invoke: Invoke) -> None:
    """Each --report is a file of its own: JUnit XML has a test a verdict, the benchmark a time and a loss a cell."""
    files = ("v.md", "v.json", "v.xml", "v.benchmark.json")
    invoke("compare", "before", *(word for file in files for word in ("--report", file)))
    verdicts = json.loads(Path("v.json").read_text(encoding="utf-8"))["verdicts"]
    tests = list(ET.parse("v.xml").iter("testcase"))
    assert len(tests) == len(verdicts)
    assert {Path(test.attrib["file"]).as_posix() for test in tests} == {"cases/leaky.py", "cases/neuron.py"}
    names = {row["name"] for row in json.loads(Path("v.benchmark.json").read_text(encoding="utf-8"))}
    assert names == {f"{case}[cpu-float64] {what}" for case in ("leaky", "neuron") for what in ("time", "final loss")}


def test_github_shows_what_differs(
    accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, train: Invoke
) -> None:
    """With --github, the job's summary is written and the case's file annotated, and nothing else is a command."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    with monkeypatch.context() as patch:
        steeper(patch)
        train("--out", "after")
    done = invoke("compare", "after", "--github")
    first, *shown, last = [line for line in done.stdout.splitlines() if not line.startswith(("::error ", "::warning "))]
    assert done.exit_code == 1
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    assert not any(line.strip().startswith("::") for line in shown)
    assert "::error file=cases/leaky.py,line=" in done.stdout
    assert "cases/neuron.py" not in done.stdout
    assert "**regressed**" in Path("summary.md").read_text(encoding="utf-8")
    in_json = invoke("compare", "after", "--github", "--json")
    assert json.loads(in_json.stdout)["exit_code"] == 1
    assert in_json.stderr.startswith("::error file=cases/leaky.py,")


def test_what_is_printed_says_what_to_do_next(accepted: Path, invoke: Invoke, train: Invoke) -> None:
    """A run names its comparison, and its folder last; a comparison that differs names the command that accepts."""
    done = train("neuron", "--out", "a run")
    assert done.stdout.splitlines()[-1] == "a run"
    assert "suite compare 'a run'" in done.stdout
    assert "suite accept" not in done.stdout + invoke("compare", "a run").stdout
    Path("empty").mkdir()
    told = invoke("compare", "a run", "--baseline", "empty").stdout
    command = told.replace("\\\n", "").partition("accept it, if it is meant:")[2]
    words = [word for word in shlex.split(command) if word != "…"]
    assert invoke(*words[1:], "it is meant").exit_code == 0
    assert read_run(Path("empty/cpu")).manifest.accepted is not None
    assert "suite accept" not in invoke("compare", "a run", "--baseline", "before", "--strict").stdout


def test_a_run_can_be_the_baseline_of_another(accepted: Path, invoke: Invoke, train: Invoke) -> None:
    """A run folder given as --baseline is compared with, without being accepted."""
    train("--out", "after")
    assert invoke("compare", "after", "--baseline", "before").exit_code == 0


@pytest.mark.parametrize("name", ["run.json", "RUN.json", "machine.json", "../before/run.json"])
def test_a_report_is_never_written_over_a_record(
    accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A run's own files are refused by name before anything is judged; other names are taken in its folder."""
    shutil.copytree("before", "after")
    before = {file: file.read_bytes() for file in Path().rglob("*.*") if file.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr("suite.judge.judge", None)
        done = invoke("compare", "after", "--report", "v.md", "--report", f"after/{name}")
    told = f"suite: --report after/{name}: is a run's own record, which is not written over; give another name\n"
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", told)
    assert {file: file.read_bytes() for file in Path().rglob("*.*") if file.is_file()} == before
    assert invoke("compare", "after", "--report", "after/v.json", "--report", "run.json").exit_code == 0


def test_a_run_of_nothing_is_not_said_to_be_judged(accepted: Path, invoke: Invoke) -> None:
    """A record without a cell, compared with no baseline, comes to nothing, and that is told."""
    for name, emptied in (("run.json", {"cells": []}), ("machine.json", {"devices": {}})):
        whole = json.loads(Path("before", name).read_text(encoding="utf-8"))
        Path("before", name).write_text(json.dumps(whole | emptied), encoding="utf-8")
    for file in Path("before").glob("*.csv"):
        file.write_text(file.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    Path("none").mkdir()
    done = invoke("compare", "before", "--baseline", "none")
    assert (done.exit_code, done.stdout.partition("\n")[0]) == (3, "no verdicts: nothing was judged")


def slowed(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that takes many times as long, and has the processor meanwhile."""

    @wraps(step)
    def longer(*args: Any, **options: Any) -> Any:
        until = time.perf_counter() + 0.004
        while time.perf_counter() < until:
            pass
        return step(*args, **options)

    return longer


def test_what_looks_slower_is_timed_again(
    accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, train: Invoke
) -> None:
    """With --again, here and now; a time that was bad luck once is none then, and a real one is one still."""
    train("--out", "after")
    unlucky = pd.read_csv("after/trials.csv", dtype=str)
    unlucky["train_seconds"] = (unlucky["train_seconds"].astype(float) * 1e9).map(repr)
    unlucky.to_csv("after/trials.csv", index=False)
    assert invoke("compare", "after").exit_code == 1
    done = invoke("compare", "after", "--again", "--cases", "cases")
    assert done.exit_code == 0
    with Path("after/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        times = [row["sentence"] for row in csv.DictReader(stream) if row["aspect"] == "time"]
    assert len(times) == 2
    assert all("; timed again: " in sentence for sentence in times)
    monkeypatch.setattr("suite.judge.time.SLOWER", 0.25)
    monkeypatch.setattr(SGD, "step", slowed(SGD.step))
    assert invoke("compare", "after", "--again", "--cases", "cases").exit_code == 1


@pytest.fixture
def unlucky(accepted: Path, invoke: Invoke, train: Invoke) -> Path:
    """Return a run that looks far slower than its baseline, and was timed once more, which showed that it is not."""
    train("--out", "after")
    table = pd.read_csv("after/trials.csv", dtype=str)
    table["train_seconds"] = (table["train_seconds"].astype(float) * 1e9).map(repr)
    table.to_csv("after/trials.csv", index=False)
    assert invoke("compare", "after", "--again", "--cases", "cases").exit_code == 0
    return Path("after")


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine without the run's devices."""
    monkeypatch.setattr("suite.workflow.unavailable", lambda _: "not here")


def changed(*names: str) -> None:
    """Make cases compute something else."""
    for name in names:
        file = Path(f"cases/{name}.py")
        file.write_text(file.read_text(encoding="utf-8").replace("lr=0.1", "lr=0.2"), encoding="utf-8")


@pytest.mark.parametrize(
    "change", [elsewhere, lambda _: changed("neuron", "leaky")], ids=["another machine", "other cases"]
)
def test_second_times_stay_where_nothing_can_be_timed(
    unlucky: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """They are judged with, as without --again, and stay as they were recorded."""
    before = (unlucky / "again.csv").read_bytes()
    change(monkeypatch)
    assert invoke("compare", "after", "--again", "--cases", "cases").exit_code == 0
    assert (unlucky / "again.csv").read_bytes() == before


def test_second_times_stay_of_cells_that_cannot_be_timed(unlucky: Path, invoke: Invoke) -> None:
    """A case that is another by now keeps what was measured of it; the others are timed anew."""
    before = (unlucky / "again.csv").read_text(encoding="utf-8").splitlines()
    changed("leaky")
    assert invoke("compare", "after", "--again", "--cases", "cases").exit_code == 0
    after = (unlucky / "again.csv").read_text(encoding="utf-8").splitlines()
    assert [line for line in after if ",leaky," in line] == [line for line in before if ",leaky," in line]
    assert len(after) == len(before)
    assert set(after) != set(before)


def test_a_run_of_another_machine_is_not_timed_again(accepted: Path, train: Invoke) -> None:
    """Nor one whose case is another by now: what would be timed is not what was."""
    train("--out", "after")
    run, (neuron,) = read_run(Path("after")), discover([Path("cases/neuron.py")]).cases
    slow = [v for v in judge(run, find_baselines(Path("results/baselines"))) if v.aspect == "time"]
    elsewhere = replace(run, machine=replace(run.machine, cores=99))
    assert timed_again(elsewhere, slow, [Path("cases")]) is elsewhere
    assert {cell.case.name for cell in planned_again(run, lambda _cell: True, [Path("cases")]).cells} == {
        "leaky",
        "neuron",
    }
    file = Path(neuron.file)
    file.write_text(file.read_text(encoding="utf-8").replace("lr=0.1", "lr=0.2"), encoding="utf-8")
    assert {cell.case.name for cell in planned_again(run, lambda _cell: True, [Path("cases")]).cells} == {"leaky"}


def test_accept_says_where_and_keeps_why(accepted: Path, invoke: Invoke, train: Invoke) -> None:
    """Accepting prints the baseline's folder, which holds who accepted it, why, and what it replaced."""
    train("--out", "after")
    done = invoke("accept", "after", "--reason", "a better one", "--who", "me")
    place = Path("results/baselines/cpu")
    assert (done.exit_code, done.stdout.split()[-1]) == (0, str(place))
    note = read_run(place).manifest.accepted
    assert note is not None
    assert (note.who, note.why, note.replaced) == ("me", "a better one", "before")


def test_accept_loses_no_cell_unasked(accepted: Path, invoke: Invoke, train: Invoke, rows_of: RowsOf) -> None:
    """A run that lacks cells of the present baseline is accepted with --drop only."""
    train("neuron", "--out", "fewer")
    refused = invoke("accept", "fewer", "--reason", "x")
    assert (refused.exit_code, "leaky[cpu-float64]" in refused.stderr) == (2, True)
    assert rows_of(Path("results/baselines/cpu")) == rows_of(accepted)
    assert invoke("accept", "fewer", "--reason", "x", "--drop").exit_code == 0
    assert rows_of(Path("results/baselines/cpu")) == rows_of(Path("fewer"))


def test_accept_prints_no_escape_sequence(accepted: Path, invoke: Invoke) -> None:
    """What a folder is called may come from anyone, and is shown as text."""
    done = invoke("accept", "before", "--reason", "x", "--baseline", "bold \x1b[1mhere")
    assert (done.exit_code, done.stdout) == (0, "accepted as bold \\x1b[1mhere/cpu\n")


def test_folders_of_cases_are_for_timing_again(accepted: Path, invoke: Invoke) -> None:
    """An option that would be passed over is refused."""
    done = invoke("compare", "before", "--cases", "cases")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "suite: --cases goes with --again, which runs them\n"
