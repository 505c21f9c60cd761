"""History for people and for programs: every run and point is shown, changes are marked, and lines fit 80 columns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from suite.machine import Machine
from suite.records import Recorder, accept, read_run
from suite.report.history.series import COLUMNS
from suite.report.history.timeline import WIDTH, history_json, history_lines
from suite.trial import Manifest, Trial

Invoke = Callable[..., Result]

POINT: dict[str, Any] = {
    "torch": "2.13.0+cpu",
    "accepted": False,
    "machine": "m",
    "folder": "guide",
    "case": "relu",
    "case_version": "0" * 12,
    "device": "cpu",
    "dtype": "float32",
    "seeds": 100,
    "median_final_loss": 0.0001962,
    "dead_rate": 0.46,
    "microseconds_a_step": 153.149,
    "log_yardsticks": 0.5,
}


@pytest.fixture
def history_of() -> Callable[..., pd.DataFrame]:
    """Make the history of one cell from what is different in each run, a day apart."""

    def make(fields: Sequence[dict[str, Any]]) -> pd.DataFrame:
        days = [{"run": f"r{day}", "started": f"2030-01-{day:02}T10:20:30+00:00"} for day in range(1, len(fields) + 1)]
        rows = [POINT | day | mine for day, mine in zip(days, fields, strict=True)]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)

    return make


def test_a_history_to_the_letter(history_of: Callable[..., pd.DataFrame]) -> None:
    """Runs with their numbers, a table a cell, a mark at the first figure of a new stretch, and a sentence below it."""
    slower = {"microseconds_a_step": 306.3, "log_yardsticks": 0.5 + math.log(2.0), "torch": "2.14.0"}
    history = history_of([{"accepted": True}, {}, {}, {}, slower, slower])
    assert list(history_lines(history)) == [
        "#    started           run    torch       accepted",
        "---  ----------------  -----  ----------  ----------",
        "1    2030-01-01 10:20  r1     2.13.0+cpu  yes",
        "2    2030-01-02 10:20  r2     2.13.0+cpu",
        "3    2030-01-03 10:20  r3     2.13.0+cpu",
        "4    2030-01-04 10:20  r4     2.13.0+cpu",
        "5    2030-01-05 10:20  r5     2.14.0",
        "6    2030-01-06 10:20  r6     2.14.0",
        "",
        "relu[cpu-float32]",
        "    #  date          seeds    final loss    dead    µs a step    ln yardsticks",
        "  ---  ----------  -------  ------------  ------  -----------  ---------------",
        "    1  2030-01-01      100     0.0001962    0.46        153.1            0.500",
        "    2  2030-01-02      100     0.0001962    0.46        153.1            0.500",
        "    3  2030-01-03      100     0.0001962    0.46        153.1            0.500",
        "    4  2030-01-04      100     0.0001962    0.46        153.1            0.500",
        "    5  2030-01-05      100     0.0001962    0.46        306.3          > 1.193",
        "    6  2030-01-06      100     0.0001962    0.46        306.3            1.193",
        "  time: the median moved from 1.649 to 3.297 yardsticks, 2-fold, between r4",
        "    (torch 2.13.0+cpu) and r5 (torch 2.14.0)",
    ]


def test_a_moved_loss_is_told_by_how_much(history_of: Callable[..., pd.DataFrame]) -> None:
    """A loss that moves in a digit that is not shown is told with what it moved by."""
    lines = list(history_lines(history_of([{}] * 3 + [{"median_final_loss": 0.0001962 + 3e-11, "machine": "n"}] * 3)))
    assert sum("> 0.0001962" in line for line in lines) == 1
    told = " ".join(line.strip() for line in lines[-3:])
    assert "loss: the median moved from 0.0001962 to 0.0001962, by +3e-11, between r3" in told
    assert told.endswith("another machine or software")


def test_few_runs_are_too_few_to_tell(history_of: Callable[..., pd.DataFrame]) -> None:
    """Below six runs no change is marked, and that is said; what a run lacks is left blank."""
    lines = list(history_lines(history_of([{"dead_rate": math.nan}] * 2 + [{"median_final_loss": 9.0}] * 3)))
    assert lines[-1] == "  too few runs to tell a change from luck: 6 are needed"
    assert not any(">" in line for line in lines)
    assert "nan" not in "\n".join(lines)


def test_every_line_fits_and_steers_no_terminal(history_of: Callable[..., pd.DataFrame]) -> None:
    """Names of any length go on in the next line; control characters in them are shown."""
    odd = {"torch": "2.14.0.dev20300101+cu999", "run": "a-very-long-name-of-a-run-in-a-file\x1b[2J\n" * 2}
    worse = {"median_final_loss": -1.2345e-100, "seeds": 1_000_000, "microseconds_a_step": 123456.7}
    changed = odd | worse | {"case_version": "1", "machine": "n"}
    lines = list(history_lines(history_of([{}] * 3 + [changed] * 3)))
    assert max(map(len, lines)) <= WIDTH
    assert all(line.isprintable() for line in lines)


def test_a_name_of_any_length_is_shown_in_part(history_of: Callable[..., pd.DataFrame]) -> None:
    """Names that fill a file are cut, where they are told of a change, too; a program reads them in full."""
    long = {"run": "r" * 100_000, "torch": "t" * 100_000}
    history = history_of([{}] * 3 + [long | {"median_final_loss": 1.0}] * 3)
    text = "\n".join(history_lines(history))
    assert len(text) < 5_000
    assert [text.replace("\n", "").replace(" ", "").count(f"{word * 99}…") > 0 for word in "rt"] == [True, True]
    assert len(json.loads(history_json(history))["changes"][0]["after_run"]) == 100_000


def test_a_program_reads_points_and_changes(history_of: Callable[..., pd.DataFrame]) -> None:
    """The JSON holds every point in full, every change, and what there are too few runs for."""
    whole = history_of([{"median_final_loss": 1 / 3}] * 3 + [{"median_final_loss": math.inf, "seeds": 5}] * 3)
    few = history_of([{"case": "bias", "dead_rate": math.nan}])
    read = json.loads(history_json(pd.concat([whole, few], ignore_index=True)))
    assert [list(point) for point in read["points"]] == [list(COLUMNS)] * 7
    assert (read["points"][0]["median_final_loss"], read["points"][0]["accepted"]) == (1 / 3, False)
    assert (read["points"][3]["median_final_loss"], read["points"][6]["dead_rate"]) == ("inf", None)
    (change,) = read["changes"]
    assert (change["figure"], change["before_run"], change["after"]) == ("median_final_loss", "r3", "inf")
    assert change["also"] == ["100 and then 5 seeds"]
    assert read["too_few"] == ["bias[cpu-float32]"]


def test_without_changes_there_are_none(history_of: Callable[..., pd.DataFrame]) -> None:
    """A history of nothing new is read by a program, too."""
    assert json.loads(history_json(history_of([{}] * 7)))["changes"] == []


# On the command line.


@pytest.fixture
def keep(
    tmp_path: Path, machine: Machine, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]
) -> Callable[..., Path]:
    """Keep a run of the first seeds of a neuron in results/runs."""

    def make(name: str, *, day: int = 1, complete: bool = True, **given: Any) -> Path:
        trials = [trial_of(seed, **given) for seed in range(3)]
        folder = tmp_path / "results/runs" / name
        manifest = manifest_of(trials, run=name, started=f"2030-01-{day:02}T00:00:00+00:00", complete=False)
        cpu = replace(machine, devices={"cpu": machine.devices["cpu"]})
        recorder = Recorder(folder, manifest, cpu)
        recorder.append(trials)
        if complete:
            recorder.finish()
        return folder

    return make


def test_runs_and_baselines_are_shown(keep: Callable[..., Path], invoke: Invoke, tmp_path: Path) -> None:
    """Without a place, what lies in results; a run and the baseline that it became are one."""
    first = keep("first", day=2)
    keep("second", day=3)
    keep("zeroth", day=1, dtype="float16")
    accept(read_run(first), tmp_path / "results/baselines", reason="why", who="who")
    done = invoke("history")
    assert (done.exit_code, done.stderr) == (0, "")
    runs = [line.split()[3:] for line in done.stdout.splitlines()[2:5]]
    assert runs == [["zeroth", "2.13.0"], ["first", "2.13.0", "yes"], ["second", "2.13.0"]]
    read = json.loads(invoke("history", "--json", "--dtype", "float64", "--case", "guide/*").stdout)
    assert [(point["run"], point["accepted"]) for point in read["points"]] == [("first", True), ("second", False)]


def test_a_place_is_a_run_or_a_folder_of_some(keep: Callable[..., Path], invoke: Invoke) -> None:
    """What is named is shown, and nothing else."""
    for day, name in enumerate(("a", "b", "c"), start=1):
        keep(name, day=day)
    read = json.loads(invoke("history", "results/runs/a", "results/runs/c", "--json", "--device", "cpu").stdout)
    assert [point["run"] for point in read["points"]] == ["a", "c"]
    assert len(json.loads(invoke("history", "results", "--json").stdout)["points"]) == 3


def test_a_damaged_run_is_named_and_the_others_shown(keep: Callable[..., Path], invoke: Invoke) -> None:
    """What could not be read makes the exit code 2, after all that could; an incomplete run is a note."""
    damaged = keep("a\x1b[2J")
    (damaged / "machine.json").unlink()
    keep("b")
    keep("c", complete=False)
    done = invoke("history")
    assert (done.exit_code, "neuron[cpu-float64]" in done.stdout) == (2, True)
    note, fault = sorted(done.stderr.splitlines(), reverse=True)
    assert note == "suite: results/runs/c: is not complete, and left out; complete it with --resume"
    assert fault == r"suite: results/runs/a\x1b[2J/machine.json: cannot be read: No such file or directory"
    assert invoke("history", "results/runs/b", "results/runs/c").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "there is no run to show"),
        (("nowhere",), "nowhere: no such folder of runs"),
        (("results", "--case", "relu"), "--case relu: is in none of these runs"),
        (("results", "--dtype", "float16,float64"), "--dtype float16: is in none of these runs"),
    ],
)
def test_what_is_not_there_is_named(keep: Callable[..., Path], invoke: Invoke, words: Sequence[str], told: str) -> None:
    """Nothing to show is a fault in one line."""
    if words:
        keep("a")
    done = invoke("history", *words)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(f"suite: {told}")
