"""The command line: each verb does what it says, prints what a program can read, and exits with the verdict's code."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from click.testing import Result
from torch import nn
from torch.optim import SGD

from suite import trial
from suite.cli import main, training
from suite.discover import discover
from suite.judge import judge
from suite.records import find_baselines, read_run
from suite.workflow import planned_again, timed_again

Invoke = Callable[..., Result]
Write = Callable[[str, str], Path]

CLOCKS = ("run", *trial.CLOCKS)
SMALL = ("--cases", "cases", "--device", "cpu", "--dtype", "float64", "--mode", "eager", "--seeds", "16")

EXPECTATIONS = {
    0: "parameter('weight', at_start=True, low=-1.0, high=1.0)",
    1: "parameter('weight', low=1e6)",
    3: "parameter('weight', low=0.0).among(untrained('weight'))",
}
"""What one may expect of a neuron, by the exit code that it leads to."""


@pytest.fixture
def cases(write: Write, case_text: str) -> Path:
    """Write a folder of two cases: a neuron, and one with a leaky ReLU behind it."""
    longer = case_text.replace("steps=3", "steps=30")
    leaky = longer.replace("partial(nn.Linear, 1, 1, bias=False)", "build").replace("CASE =", f"{BUILD}\nCASE =")
    write("cases/leaky.py", leaky)
    return write("cases/neuron.py", longer).parent


BUILD = "def build():\n    return nn.Sequential(nn.Linear(1, 1), nn.LeakyReLU())\n"


@pytest.fixture
def expecting(write: Write, case_text: str) -> Callable[[str], Path]:
    """Write a case that expects this."""

    def make(expectation: str) -> Path:
        text = case_text.replace("Case, fixed", "Case, fixed, parameter, untrained")
        return write("cases/neuron.py", text.replace("steps=3,", f"steps=3, expect=[{expectation}],"))

    return make


def rows_of(run: Path) -> list[dict[str, str]]:
    """Return the rows of a run's trials, without what the clocks and the run's name make of them."""
    with (run / "trials.csv").open(encoding="utf-8", newline="") as stream:
        return [{k: v for k, v in row.items() if k not in CLOCKS} for row in csv.DictReader(stream)]


@pytest.mark.parametrize("code", EXPECTATIONS)
def test_run_exits_with_what_its_expectations_come_to(
    expecting: Callable[[str], Path], invoke: Invoke, code: int
) -> None:
    """A run exits 0 if what its cases expect holds, 1 if it does not, 3 if that cannot be told."""
    expecting(EXPECTATIONS[code])
    done = invoke("run", *SMALL, "--out", "a-run")
    assert (done.exit_code, done.stderr) == (code, "")
    assert ("neuron[cpu-float64]" in done.stdout) == bool(code)
    with Path("a-run/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["verdict"] == {0: "pass", 1: "broken", 3: "inconclusive"}[code]


def test_run_prints_its_folder_last(cases: Path, invoke: Invoke) -> None:
    """A run without --out makes a folder where git does not look, and its last line names it."""
    done = invoke("run", *SMALL, "neuron")
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.parent == Path("results/runs")
    assert read_run(folder).manifest.complete


def test_run_trains_what_was_asked_for(cases: Path, invoke: Invoke) -> None:
    """Patterns choose cases; seeds, devices and dtypes are those that were asked for."""
    words = ("--cases", "cases", "--device", "cpu", "--dtype", "bfloat16,float32", "--mode", "eager")
    assert invoke("run", *words, "--seeds", "5:7", "lea*", "--out", "a-run").exit_code == 0
    found = [(row["case"], row["device"], row["dtype"], row["mode"], row["seed"]) for row in rows_of(Path("a-run"))]
    assert found == [("leaky", "cpu", dtype, "eager", seed) for dtype in ("bfloat16", "float32") for seed in "56"]


def test_run_says_which_devices_are_not_here(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that auto looked for and did not find is skipped with its reason, and that fails nothing."""
    monkeypatch.setattr("suite.plan.unavailable", lambda device: None if device == "cpu" else "there is none")
    words = ("--cases", "cases", "--dtype", "float64", "--mode", "eager", "--seeds", "1")
    done = invoke("run", *words, "--out", "a-run")
    assert done.exit_code == 0
    assert "skipped" in done.stdout
    assert "there is none" in done.stdout


def test_threads_are_part_of_the_fingerprint(cases: Path, invoke: Invoke) -> None:
    """What the user chooses of torch's settings is recorded with the run."""
    assert invoke("run", *SMALL, "neuron", "--threads", "2", "--tf32", "--out", "a-run").exit_code == 0
    settings = read_run(Path("a-run")).machine.settings
    assert (settings.threads, settings.tf32, settings.deterministic) == (2, True, True)


@pytest.fixture
def accepted(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train the cases and accept them as the baseline, on a machine whose other work is nothing to the verdicts."""
    monkeypatch.setattr("suite.judge.time.SLOWER", 1000.0)
    assert invoke("run", *SMALL, "--out", "before").exit_code == 0
    assert invoke("accept", "before", "--reason", "the first").exit_code == 0
    return Path("before")


def test_compare_exits_0_where_nothing_changed(accepted: Path, invoke: Invoke) -> None:
    """Another run of the same is bit for bit the baseline; its verdicts are kept with it."""
    invoke("run", *SMALL, "--out", "after")
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
) -> None:
    """A change inside torch is a regression of the cases that it touches, and of no other."""
    with monkeypatch.context() as patch:
        change(patch)
        invoke("run", *SMALL, "--out", "after")
    done = invoke("compare", "after", "--json")
    verdicts = json.loads(done.stdout)["verdicts"]
    assert {row["case"] for row in verdicts if row["verdict"] == "regressed" and row["aspect"] == "loss"} == names
    assert done.exit_code == 1
    told = invoke("compare", "after", "--report", "verdicts.md", "--report", "verdicts.json")
    assert all(name in told.stdout and name in Path("verdicts.md").read_text(encoding="utf-8") for name in names)
    assert json.loads(Path("verdicts.json").read_text(encoding="utf-8"))["verdicts"] == verdicts


def test_compare_exits_3_where_it_cannot_tell(cases: Path, invoke: Invoke) -> None:
    """Without a baseline every cell is named, and the exit code says that something could not be judged."""
    invoke("run", *SMALL, "--out", "a-run")
    done = invoke("compare", "a-run", "--json")
    losses = [row for row in json.loads(done.stdout)["verdicts"] if row["aspect"] == "loss"]
    assert (done.exit_code, [row["verdict"] for row in losses]) == (3, ["missing", "missing"])


def test_a_case_that_disappeared_is_named(accepted: Path, invoke: Invoke) -> None:
    """A case of the baseline that is no longer declared is missing, not forgotten; one that was not run is."""
    invoke("run", *SMALL, "neuron", "--out", "fewer")
    assert invoke("compare", "fewer").exit_code == 0
    Path("cases/leaky.py").unlink()
    invoke("run", *SMALL, "--out", "after")
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


def test_github_shows_what_differs(accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --github, the job's summary is written and the case's file annotated, and nothing else is a command."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    with monkeypatch.context() as patch:
        steeper(patch)
        invoke("run", *SMALL, "--out", "after")
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


def test_what_is_printed_says_what_to_do_next(accepted: Path, invoke: Invoke) -> None:
    """A run names its comparison, and its folder last; a comparison that differs names the command that accepts."""
    done = invoke("run", *SMALL, "neuron", "--out", "a run")
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


def test_a_run_can_be_the_baseline_of_another(accepted: Path, invoke: Invoke) -> None:
    """A run folder given as --baseline is compared with, without being accepted."""
    invoke("run", *SMALL, "--out", "after")
    assert invoke("compare", "after", "--baseline", "before").exit_code == 0


def slowed(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that takes a millisecond longer, and has the processor meanwhile."""

    @wraps(step)
    def longer(*args: Any, **options: Any) -> Any:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return step(*args, **options)

    return longer


def test_what_looks_slower_is_timed_again(accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --again, here and now; a time that was bad luck once is none then, and a real one is one still."""
    invoke("run", *SMALL, "--out", "after")
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


def test_a_run_of_another_machine_is_not_timed_again(accepted: Path, invoke: Invoke) -> None:
    """Nor one whose case is another by now: what would be timed is not what was."""
    invoke("run", *SMALL, "--out", "after")
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


def test_accept_says_where_and_keeps_why(accepted: Path, invoke: Invoke) -> None:
    """Accepting prints the baseline's folder, which holds who accepted it, why, and what it replaced."""
    invoke("run", *SMALL, "--out", "after")
    done = invoke("accept", "after", "--reason", "a better one", "--who", "me")
    place = Path("results/baselines/cpu")
    assert (done.exit_code, done.stdout.split()[-1]) == (0, str(place))
    note = read_run(place).manifest.accepted
    assert note is not None
    assert (note.who, note.why, note.replaced) == ("me", "a better one", "before")


def test_accept_loses_no_cell_unasked(accepted: Path, invoke: Invoke) -> None:
    """A run that lacks cells of the present baseline is accepted with --drop only."""
    invoke("run", *SMALL, "neuron", "--out", "fewer")
    refused = invoke("accept", "fewer", "--reason", "x")
    assert (refused.exit_code, "leaky[cpu-float64]" in refused.stderr) == (2, True)
    assert rows_of(Path("results/baselines/cpu")) == rows_of(accepted)
    assert invoke("accept", "fewer", "--reason", "x", "--drop").exit_code == 0
    assert rows_of(Path("results/baselines/cpu")) == rows_of(Path("fewer"))


def test_table_has_one_content_in_three_forms(accepted: Path, invoke: Invoke) -> None:
    """Markdown, CSV and JSON hold the same cells, on the screen or in a file."""
    words = ("table", "before", "results/baselines/cpu")
    rows = json.loads(invoke(*words, "--json").stdout)
    assert [(row["case"], row["device"]) for row in rows] == [
        ("leaky", "before:cpu"),
        ("leaky", "before(2):cpu"),
        ("neuron", "before:cpu"),
        ("neuron", "before(2):cpu"),
    ]
    in_csv = list(csv.DictReader(io.StringIO(invoke(*words, "--form", "csv").stdout)))
    assert [(row["device"], float(row["median_final_loss"])) for row in in_csv] == [
        (row["device"], row["median_final_loss"]) for row in rows
    ]
    markdown = invoke(*words)
    assert markdown.exit_code == 0
    assert len(markdown.stdout.splitlines()) == 2 + len(rows)
    assert invoke(*words, "--out", "table.md").stdout == ""
    assert Path("table.md").read_text(encoding="utf-8") == markdown.stdout


CLAIMS = '[[document]]\ntitle = "T"\nclaim = [{ id = "Q1", heading = "H", says = "it\\u001b[2J learns" }]\n'


def test_list_holds_every_case(cases: Path, invoke: Invoke) -> None:
    """The list names every case, for people and for programs."""
    rows = json.loads(invoke("list", "--cases", "cases", "--json").stdout)
    assert [(row["case"], row["steps"]) for row in rows] == [("leaky", 30), ("neuron", 30)]
    done = invoke("list", "--cases", "cases/neuron.py")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "cases/"
    assert done.stdout.splitlines()[-1].split() == ["neuron", "30", "0"]


def test_list_claims_names_cases_and_bounds(expecting: Callable[[str], Path], write: Write, invoke: Invoke) -> None:
    """Each claim stands with its case and what is expected; control characters in it are shown, not obeyed."""
    write("cases/claims.toml", CLAIMS)
    file = expecting("parameter('weight', low=-1.0, high=9.0)")
    file.write_text(file.read_text(encoding="utf-8").replace("steps=3", "claims=('Q1',), steps=3"), encoding="utf-8")
    done = invoke("list", "--claims", "--cases", "cases")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first.split(maxsplit=2) == ["Q1", "neuron:", r"it\x1b[2J learns"]
    assert second.strip() == "- weight -1 to 9"
    (row,) = json.loads(invoke("list", "--claims", "--cases", "cases", "--json").stdout)
    assert (row["claim"], row["case"], row["expected"]) == ("Q1", "neuron", ["weight -1 to 9"])


def test_list_claims_fails_on_a_claim_without_a_case(cases: Path, write: Write, invoke: Invoke) -> None:
    """A claim that no case shows is named, and nothing is listed."""
    write("cases/claims.toml", CLAIMS)
    done = invoke("list", "--claims", "--cases", "cases")
    assert (done.exit_code, done.stdout, "Q1" in done.stderr) == (2, "", True)


def test_every_documented_claim_has_a_case(invoke: Invoke) -> None:
    """The documented cases together show every claim of their documents."""
    done = invoke("list", "--claims")
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("name", main.commands)
def test_help_shows_an_example(invoke: Invoke, name: str) -> None:
    """Each verb's help holds an example of a command line that begins with that verb."""
    done = invoke(name, "--help")
    (example,) = (line.partition("Example: ")[2] for line in done.stdout.splitlines() if "Example: " in line)
    words = shlex.split(example)
    assert words[:2] == ["suite", name]
    given = {word for word in words if word.startswith("--")}
    assert given <= {option for parameter in main.commands[name].params for option in parameter.opts}


def test_help_of_all_shows_an_example_and_every_exit_code(invoke: Invoke) -> None:
    """The help of the whole names each verb, each exit code, and an example."""
    text = invoke("--help").stdout
    assert "Example: suite run" in text
    assert all(f"\n  {name} " in text for name in main.commands)
    assert all(f" {code} " in text for code in (0, 1, 2, 3))


# An interruption.

WAITING = """
    def build():
        rows = Path("a run/trials.csv")
        if Path("wait").exists() and rows.exists() and rows.read_text().count("\\n") > 1:
            Path("reached").touch()
            time.sleep(60)
        return nn.Linear(1, 1, bias=False)


    CASE = Case("""


@pytest.fixture
def waiting(write: Write, case_text: str) -> Path:
    """Write a case that, once its first cell is recorded, waits for as long as a file is there."""
    text = case_text.replace("partial(nn.Linear, 1, 1, bias=False)", "build")
    text = text.replace("from functools", "import time\nfrom pathlib import Path\nfrom functools")
    body = "\n".join(line.removeprefix("    ") for line in WAITING.splitlines())
    return write("my cases/slow.py", text.replace("CASE = Case(", body)).parent


def command(*words: str) -> list[str]:
    """Return a command line for the `suite` that is installed beside this Python."""
    return [str(Path(sys.executable).with_name("suite")), *words]


def until(file: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file is there, for as long as the process that makes it runs."""
    while not file.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def interrupted(words: list[str], folder: Path) -> tuple[int, str]:
    """Start a command in a folder, send it SIGINT when it is reached, and return its code and its error output."""
    (folder / "wait").touch()
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # else a child of a background job ignores it
    try:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, ours)
    with process:
        try:
            until(folder / "reached", process)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    (folder / "wait").unlink()
    return process.returncode, told


def test_ctrl_c_leaves_a_run_that_the_printed_command_completes(waiting: Path, tmp_path: Path, invoke: Invoke) -> None:
    """A run that gets SIGINT exits 130 and prints a command; run as printed, it completes the run to the same bytes."""
    words = ["run", "--cases", "my cases", "--device=cpu", "--dtype", "float32,float64", "--mode=eager", "--seeds=3"]
    code, told = interrupted(command(*words, "--out", "a run"), tmp_path)
    assert code == 130
    (line,) = told.splitlines()
    assert len(rows_of(tmp_path / "a run")) == 3
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env, printed = {**os.environ, "PATH": path}, line.partition("complete it with: ")[2]
    done = subprocess.run(printed, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert invoke(*words, "--out", "whole").exit_code == 0
    assert rows_of(tmp_path / "a run") == rows_of(tmp_path / "whole")
    for table in ("curves.csv", "observations.csv"):
        assert (tmp_path / "a run" / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (["--seeds", "3"], "suite run --out 'a run' --resume --seeds 3"),
        (["--out", "a run", "x*"], "suite run --resume --out 'a run' 'x*'"),
        (["--out=a run", "--resume"], "suite run --resume '--out=a run'"),
        (["--", "x"], "suite run --out 'a run' --resume -- x"),
    ],
)
def test_the_printed_command_is_the_one_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], printed: str
) -> None:
    """The command that completes a run is the given one, with the run's folder and --resume each once."""
    monkeypatch.chdir(tmp_path)
    Path("a run").mkdir()
    Path("a run/run.json").touch()
    monkeypatch.setattr(sys, "argv", ["/somewhere/suite", "run", *given])
    assert training._resume_command(Path("a run")) == printed


def test_a_run_that_had_not_begun_is_not_resumed(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted before its folder is there, a run exits 130, and the printed command begins it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("suite.workflow.execute", interrupt)
        patch.setattr(sys, "argv", ["suite", "run", *SMALL])
        done = invoke("run", *SMALL)
    assert done.exit_code == 130
    printed = shlex.split(done.stderr.partition("complete it with: ")[2])
    assert "--resume" not in printed
    assert invoke(*printed[1:]).exit_code == 0
    assert len(rows_of(Path(printed[printed.index("--out") + 1]))) == 2 * 16


def test_ctrl_c_anywhere_is_no_verdict(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a verb is at when it is interrupted, it exits 130, which no verdict does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("suite.discover.discover", interrupt)
    for verb in ("list", "run"):
        done = invoke(verb)
        assert (done.exit_code, done.stderr) == (130, "suite: interrupted\n")


# A case of one's own.

NETWORK = """
    import colorsys

    from torch import nn


    class Network(nn.Linear):
        def __init__(self) -> None:
            super().__init__(1, OUTPUTS)
"""

OWN = """
    from functools import partial
    from torch import nn
    from torch.optim import SGD
    from suite import Case, final_loss, fixed
    from _network import Network

    CASE = Case(
        architecture=Network, data=fixed(x=[1.0], target=[5.0]), loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1), steps=60, expect=[final_loss(high=1e-3)],
    )
"""


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_case_of_ones_own_is_one_file_beside_its_module(write: Write, invoke: Invoke, engine: str) -> None:
    """A file of ten lines beside a module, in a folder outside the project, is a case; its folder is all one names."""
    write("mine/_network.py", NETWORK.replace("OUTPUTS", "1"))
    assert len(write("mine/own.py", OWN).read_text(encoding="utf-8").splitlines()) <= 10
    words = ("--cases", "mine", "--seeds", "30", "--device", "cpu", "--dtype", "float32", "--mode", "eager")
    assert invoke("run", *words, "--engine", engine, "--out", "a-run").exit_code == 0
    assert {row["status"] for row in rows_of(Path("a-run"))} == {"ok"}
    assert len(rows_of(Path("a-run"))) == 30


def test_modules_of_one_name_are_kept_apart(write: Write, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders may each have a module of one name; each case gets that of its own folder, and nothing else does."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    for place, outputs in (("a", 1), ("b", 2)):
        write(f"mine/{place}/_network.py", NETWORK.replace("OUTPUTS", str(outputs)))
        write(f"mine/{place}/case_{place}.py", OWN.replace("[5.0]", str([5.0] * outputs)))
    words = ("--cases", "mine", "--seeds", "1", "--device", "cpu", "--dtype", "float64", "--mode", "eager")
    done = invoke("run", *words, "--out", "a-run")
    assert done.exit_code == 0, done.stderr
    first, second = (row["init_digest"] for row in rows_of(Path("a-run")))
    assert first != second
    assert "_network" not in sys.modules
    assert "colorsys" in sys.modules
    assert str(Path("mine/a").resolve()) not in sys.path


def test_a_module_that_python_finds_anyway_is_imported_once(
    write: Write, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a case's folder is on Python's path already, its modules are those that everyone imports."""
    folder = write("mine/_network.py", NETWORK.replace("OUTPUTS", "1")).parent
    write("mine/own.py", OWN)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "_network", ModuleType("_network"))  # so that it is forgotten after the test
    del sys.modules["_network"]
    assert invoke("list", "--cases", "mine").exit_code == 0
    assert "_network" in sys.modules
    assert str(folder) in sys.path
