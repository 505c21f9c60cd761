"""A run trains what was asked for; whatever ends it early, it says how to go on, and nothing recorded is lost."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import Result
from psutil import pid_exists

from suite.cli import training
from suite.records import find_baselines, read_run
from tests.mortal import Mortal
from tests.soaked import Soaked

Invoke = Callable[..., Result]
RowsOf = Callable[[Path], list[dict[str, str]]]
Write = Callable[[str, str], Path]

DEAF = """

def build():
    try:
        os.kill(os.getpid(), {number})
    except BaseException:
        pass
    return nn.Linear(1, 1, bias=False)


CASE ="""


@pytest.mark.parametrize("engine", ["inline", "processes"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_killed_is_completed_to_the_byte(mortal: Mortal, number: signal.Signals, engine: str) -> None:
    """At whatever moment, what stands is readable and part of the whole, and --resume makes it the whole."""
    moments = Random(number)
    for _ in range(2):
        folder, _, told = mortal.killed(number, moments.uniform(0.0, mortal.seconds), "--engine", engine)
        assert told.count("\n") <= 1
        mortal.check(folder)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_end_says_how_to_complete_it(mortal: Mortal, number: int, expected: int) -> None:
    """SIGTERM ends it as Ctrl-C does: one line with the command, the shell's code for the signal, and no worker."""
    with mortal.held() as (folder, begun):
        workers = begun.workers()
        begun.send(number)
        code, told = begun.wait()
    assert (code, bool(workers)) == (expected, True)
    (line,) = told.splitlines()
    assert line.startswith("suite: interrupted; complete it with: suite run --resume ")
    assert shlex.split(line)[-3:] == shlex.split(f"{shlex.quote(folder.name)} --engine processes")
    assert not any(map(pid_exists, workers))
    mortal.check(folder)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_case_that_catches_it_cannot_keep_a_run_from_ending(
    tmp_path: Path, case_text: str, invoke: Invoke, number: int, expected: int
) -> None:
    """It ends before the next rows are written, which may be others than an undisturbed case's."""
    build = DEAF.format(number=int(number))
    text = case_text.replace("partial(nn.Linear, 1, 1, bias=False)", "build").replace("\nCASE =", build)
    (tmp_path / "deaf.py").write_text(text.replace("from functools", "import os\nfrom functools", 1))
    done = invoke("run", "--cases", "deaf.py", "--device", "cpu", "--seeds", "3", "--out", "run")
    assert (done.exit_code, done.stderr[:36]) == (expected, "suite: interrupted; complete it with")
    begun = read_run(tmp_path / "run")
    assert (begun.manifest.complete, len(begun.trials)) == (False, 0)


def test_the_folder_that_is_printed_steers_nothing(tmp_path: Path, case_text: str, invoke: Invoke) -> None:
    """Whatever --out is called, it stands on one line, as text."""
    (tmp_path / "neuron.py").write_text(case_text)
    words = ("run", "--cases", "neuron.py", "--device", "cpu", "--dtype", "float64", "--seeds", "2")
    done = invoke(*words, "--out", "x\n::error::\x1b[2J")
    assert done.stdout.splitlines()[-1] == r"x\x0a\x3a:error\x3a:\x1b[2J"


def test_a_run_needs_a_folder_with_a_name(tmp_path: Path, case_text: str, invoke: Invoke) -> None:
    """The root of the disk has none; nothing is trained, or written there."""
    (tmp_path / "neuron.py").write_text(case_text)
    done = invoke("run", "--cases", "neuron.py", "--device", "cpu", "--seeds", "2", "--out", "/")
    assert (done.exit_code, done.stderr) == (2, "suite: /run.json: run: found '', expected some text\n")
    assert not Path("/run.json").exists()


def test_a_run_is_resumed_whatever_was_seen_of_its_cases(mortal: Mortal) -> None:
    """A case that could not be looked at when the run began, since the machine was busy, is no other case for it."""
    folder, begun = mortal.begin()
    assert begun.wait() == (0, "")
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    manifest["cases"][0] |= {"drawn": False, "sketch": {"layers": [], "points": []}}
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert mortal.start(mortal.home, *mortal.words, "--out", folder, "--resume").wait() == (0, "")


def test_a_worker_that_is_killed_is_replaced(mortal: Mortal) -> None:
    """What it was at is trained again by another, and the run is whole, as if nothing had been."""
    with mortal.held() as (folder, begun):
        os.kill(begun.workers()[0], signal.SIGKILL)
    assert begun.wait() == (0, "")
    assert mortal.read(folder) == mortal.whole


def test_a_run_that_is_under_way_is_not_resumed(mortal: Mortal) -> None:
    """A second process that would write to the same folder is told who does already, and changes nothing."""
    with mortal.held() as (folder, begun):
        code, told = mortal.start(mortal.home, *mortal.words, "--out", folder.name, "--resume").wait()
        assert code == 2
        assert told.startswith(f"suite: {folder.name}: process {begun.pid} of ")
        assert told.endswith(" is writing there; wait until it has ended, or end it, and try again\n")
    assert begun.wait() == (0, "")
    mortal.check(folder)


def test_a_disk_that_fills_is_told_in_one_line(mortal: Mortal) -> None:
    """Where the rows of a run find no room, earlier ones stay, and the run is completed once there is some."""
    folder, begun = mortal.begin()
    resource.prlimit(begun.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    code, told = begun.wait()
    assert code == 2
    assert re.match(rf"suite: {folder.name}/\w+\.csv: cannot be written: File too large\n", told)
    assert len(read_run(folder).trials)
    mortal.check(folder)


def test_a_folder_that_is_taken_away_is_told_in_one_line(mortal: Mortal) -> None:
    """Nothing is begun in its place; put back, it is completed."""
    with mortal.held() as (folder, begun):
        aside = folder.rename(folder.with_name("aside"))
    code, told = begun.wait()
    assert code == 2
    assert told == f"suite: {folder.name}/curves.csv: cannot be written: No such file or directory\n"
    assert not folder.exists()
    aside.rename(folder)
    mortal.check(folder)


def test_runs_and_acceptances_side_by_side_are_whole(mortal: Mortal) -> None:
    """Three that begin and are accepted at once have folders of their own, and one of them is the baseline."""
    begun = [mortal.start(mortal.home, *mortal.words) for _ in range(3)]
    assert [one.wait() for one in begun] == [(0, "")] * 3
    kept = sorted((mortal.home / "results" / "runs").iterdir())
    assert [mortal.read(folder) for folder in kept] == [mortal.whole] * 3
    accepting = [mortal.start(mortal.home, "accept", folder, "--reason", "crowd") for folder in kept]
    assert [one.wait() for one in accepting] == [(0, "")] * 3
    accepted = find_baselines(mortal.home / "results" / "baselines")["cpu"].manifest
    names = {folder.name for folder in kept}
    assert accepted.run in names
    assert accepted.accepted is not None
    assert accepted.accepted.replaced in names - {accepted.run}


def test_many_runs_in_one_process_leave_nothing_behind(soak: Callable[[float], Soaked]) -> None:
    """Repeated, small runs that are accepted, compared and drawn hold no more memory, files or threads."""
    soak(5.0).check()


EXPECTATIONS = {
    0: "parameter('weight', at_start=True, low=-1.0, high=1.0)",
    1: "parameter('weight', low=1e6)",
    3: "parameter('weight', low=0.0).among(untrained('weight'))",
}
"""What one may expect of a neuron, by the exit code that it leads to."""


@pytest.mark.parametrize("code", EXPECTATIONS)
def test_run_exits_with_what_its_expectations_come_to(
    expecting: Callable[[str], Path], code: int, train: Invoke
) -> None:
    """A run exits 0 if what its cases expect holds, 1 if it does not, 3 if that cannot be told."""
    expecting(EXPECTATIONS[code])
    done = train("--out", "a-run")
    assert (done.exit_code, done.stderr) == (code, "")
    assert ("neuron[cpu-float64]" in done.stdout) == bool(code)
    with Path("a-run/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["verdict"] == {0: "pass", 1: "broken", 3: "inconclusive"}[code]


def test_run_prints_its_folder_last(cases: Path, train: Invoke) -> None:
    """A run without --out makes a folder where git does not look, and its last line names it."""
    done = train("neuron")
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.parent == Path("results/runs")
    assert read_run(folder).manifest.complete


def test_run_trains_what_was_asked_for(cases: Path, invoke: Invoke, rows_of: RowsOf) -> None:
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


def test_threads_are_part_of_the_fingerprint(cases: Path, train: Invoke) -> None:
    """What the user chooses of torch's settings is recorded with the run."""
    assert train("neuron", "--threads", "2", "--tf32", "--out", "a-run").exit_code == 0
    settings = read_run(Path("a-run")).machine.settings
    assert (settings.threads, settings.tf32, settings.deterministic) == (2, True, True)


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


def test_ctrl_c_leaves_a_run_that_the_printed_command_completes(
    waiting: Path, tmp_path: Path, invoke: Invoke, rows_of: RowsOf
) -> None:
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


def test_a_run_that_had_not_begun_is_not_resumed(
    cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, rows_of: RowsOf
) -> None:
    """Interrupted before its folder is there, a run exits 130, and the printed command begins it."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ("run", "--cases", "cases", "--device", "cpu", "--dtype", "float64", "--mode", "eager", "--seeds", "16")
    with monkeypatch.context() as patch:
        patch.setattr("suite.workflow.execute", interrupt)
        patch.setattr(sys, "argv", ["suite", *words])
        done = invoke(*words)
    assert done.exit_code == 130
    printed = shlex.split(done.stderr.partition("complete it with: ")[2])
    assert "--resume" not in printed
    assert invoke(*printed[1:]).exit_code == 0
    assert len(rows_of(Path(printed[printed.index("--out") + 1]))) == 2 * 16
