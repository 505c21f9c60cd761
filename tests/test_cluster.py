"""Workers of a Dask scheduler leave what training here leaves, though some die, or else are refused with a sentence."""

from __future__ import annotations

import csv
import json
import os
import pickle
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from click.testing import Result
from dask.sizeof import sizeof
from distributed import Client

from suite import cluster as room
from suite import engine, trial
from suite.cluster import Cluster, Terms, faults, fulfil, source, terms_of
from suite.discover import discover
from suite.engine import Engine, nothing_done, train_plan
from suite.errors import SuiteError
from suite.machine import Settings
from suite.plan import make_plan
from suite.trial import Trial
from suite.workflow import Task, execute

Write = Callable[[str, str], Path]
Invoke = Callable[..., Result]

CLOCKS = ("run", *trial.CLOCKS)
SMALL = ("--cases", "cases", "--device", "cpu", "--dtype", "float64", "--mode", "eager", "--seeds", "30")

WAITING = """
def build():
    here = Path(__file__).parent
    (here / f"at-{os.getpid()}").touch()
    while (here / f"hold-{os.getpid()}").exists():
        time.sleep(0.01)
    return nn.Linear(1, 1, bias=False)


CASE = Case("""


class Staff:
    """A Dask scheduler, which has no suite, and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        """Start the scheduler, on a port that is free."""
        self.folder, self.workers = folder, list[subprocess.Popen[bytes]]()
        contact = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(contact))
        address = json.loads(text_of(contact))["address"]
        self.cluster = Cluster(address.removeprefix("tcp://"))

    def _start(self, what: str, *words: str) -> subprocess.Popen[bytes]:
        lacking = "sys.modules['suite'] = None; " if what == "scheduler" else ""
        code = f"import sys; {lacking}from distributed.cli.dask_{what} import main; main()"
        command = [sys.executable, "-c", code, "--host", "127.0.0.1", "--no-dashboard"]
        env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen([*command, *words], cwd=self.folder, env=env, stdout=log, stderr=log)

    def need(self, number: int) -> Cluster:
        """Start workers until the scheduler has so many."""
        words = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder))
        place = f"tcp://{self.cluster.address}"
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.workers += [self._start("worker", place, *words) for _ in range(number - len(self.workers))]
        with Client(place, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=60)
        return self.cluster

    def lose(self, *workers: subprocess.Popen[bytes]) -> None:
        """Kill workers, so that they can say nothing to anyone."""
        for worker in workers:
            worker.kill()
            worker.wait()

    def end(self) -> None:
        """Stop every process, in an orderly way if it can."""
        try:
            for process in (*self.workers, self.scheduler):  # a worker whose scheduler ends beside it may not end
                process.terminate()
                process.wait(timeout=20)
        finally:
            self.lose(*self.workers, self.scheduler)


def text_of(file: Path) -> str:
    """Return a file's text, once it is there."""
    until(lambda: file.exists() and file.stat().st_size > 0)
    return file.read_text(encoding="utf-8")


def until(reached: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing depend on how fast a machine is."""
    monkeypatch.setattr(room, "REACH_SECONDS", 60.0)


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staff]:
    """Give a scheduler on the loopback device, which gives a chunk up as soon as a worker is lost with it."""
    staff = Staff(tmp_path_factory.mktemp("staff"))
    yield staff
    staff.end()


@pytest.fixture
def cases(write: Write, case_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a case that says where it is trained, and waits there while it is told to; chunks are of two seeds."""
    monkeypatch.setattr(engine, "CHUNK_STEPS", 6)
    monkeypatch.setattr(engine, "TIMED_SEEDS", 2)
    text = case_text.replace("partial(nn.Linear, 1, 1, bias=False)", "build").replace("CASE = Case(", WAITING.lstrip())
    return write("cases/slow.py", f"import os\nimport time\nfrom pathlib import Path\n{text}").parent


@pytest.fixture
def task_of(cases: Path, tmp_path: Path) -> Callable[..., Task]:
    """Make the task of a run over thirty seeds in two dtypes."""

    def make(name: str, how: Engine | Cluster) -> Task:
        found = discover([cases])
        plan = make_plan(found.cases, seeds=range(30), dtypes=("float32", "float64"), modes=("eager",))
        return Task(collection=found, plan=plan, settings=Settings(), engine=how, folder=tmp_path / name)

    return make


def recorded(folder: Path) -> dict[str, Any]:
    """Return what is in a run's files, without what the clocks and the run's name make of them."""
    texts: dict[str, Any] = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    rows = csv.DictReader(texts["trials.csv"].splitlines())
    texts["trials.csv"] = [{k: v for k, v in row.items() if k not in CLOCKS} for row in rows]
    texts["run.json"] = {k: v for k, v in json.loads(texts["run.json"]).items() if k not in {"run", "started"}}
    return texts


def unwatched(_trials: Sequence[Trial]) -> None:
    """Look away."""


def test_a_worker_that_is_killed_leaves_no_trace(staff: Staff, cases: Path, task_of: Callable[..., Task]) -> None:
    """A run, one of whose two workers is killed with a chunk in hand, leaves the files of an undisturbed one here."""
    there = staff.need(2)
    victim = staff.workers[0]
    (cases / f"hold-{victim.pid}").touch()
    watched = []

    def kill_once(trials: Sequence[Trial]) -> None:
        watched.append((victim.poll(), [trial.seed for trial in trials]))
        if len(watched) == 4 and victim.poll() is None:  # both timed chunks, and two of the other worker's
            until((cases / f"at-{victim.pid}").exists)
            staff.lose(victim)

    elsewhere = recorded(execute(task_of("elsewhere", there), kill_once))
    assert [code for code, _ in watched].count(None) == 4
    assert sorted(seeds for _, seeds in watched) == sorted([n, n + 1] for n in range(0, 30, 2) for _ in range(2))
    trained = {int(file.name.removeprefix("at-")) for file in cases.glob("at-*")}
    assert trained == {os.getpid(), *(worker.pid for worker in staff.workers)}
    assert elsewhere == recorded(execute(task_of("here", Engine.INLINE), unwatched))
    assert len(elsewhere["trials.csv"]) == 60


def test_results_are_recorded_as_they_come(staff: Staff, cases: Path, task_of: Callable[..., Task]) -> None:
    """What one worker has finished stands in the folder while another chunk is still trained."""
    task = task_of("streamed", staff.need(1))
    rows = []

    def look(_trials: Sequence[Trial]) -> None:
        rows.append((task.folder / "trials.csv").read_text(encoding="utf-8").count("\n") - 1)

    execute(task, look)
    assert rows == list(range(2, 61, 2))


def test_a_worker_that_computes_otherwise_is_refused(
    staff: Staff, cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another suite, or another torch, is named with the worker that has it, before anything is recorded."""
    there = staff.need(1)
    facts = {"suite": "another", "torch": "1.0.0"}
    mine = terms_of(["cpu"], Settings())
    terms = replace(mine, facts={"cpu": mine.facts["cpu"] | facts})
    monkeypatch.setattr(room, "terms_of", lambda *_: terms)
    done = invoke("run", *SMALL, "--engine", str(there), "--out", "a-run")
    assert (done.exit_code, done.stdout, Path("a-run").exists()) == (2, "", False)
    (line,) = done.stderr.splitlines()
    assert line.startswith("suite: worker tcp://127.0.0.1:")
    assert f"computes otherwise: suite {source()} (here: another), torch {mine.facts['cpu']['torch']} (here: " in line


def test_a_worker_that_comes_late_is_refused_too(
    staff: Staff, task_of: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was not there when the others were asked says itself that it computes otherwise."""
    task = task_of("late", staff.need(1))
    mine = terms_of(["cpu"], Settings())
    terms = replace(mine, facts={"cpu": mine.facts["cpu"] | {"model": "another"}})
    monkeypatch.setattr(room, "terms_of", lambda *_: terms)
    monkeypatch.setattr(room, "_read", lambda _: [])
    with pytest.raises(SuiteError, match=r"^worker tcp://127\.0\.0\.1:\d+: computes otherwise: model .*: another\)$"):
        execute(task, unwatched)


def test_a_worker_with_another_case_is_refused(staff: Staff, task_of: Callable[..., Task]) -> None:
    """A case file that says something else where the worker runs is named, and nothing of it is recorded."""
    task = task_of("other", staff.need(1))
    other = replace(task.plan, cells=tuple(replace(cell, version="0" * 12) for cell in task.plan.cells))
    chunks = train_plan(other, Settings(), engine=task.engine, done=nothing_done)
    timed_here = [next(chunks) for _ in range(2)]
    assert {trial.seed for trials in timed_here for trial in trials} == {0, 1}
    with pytest.raises(SuiteError, match=r"^worker .*/cases/slow\.py: slow has version .* version 000000000000 is"):
        next(chunks)


def test_a_run_that_lost_all_workers_can_be_resumed(
    staff: Staff, cases: Path, task_of: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no worker is left, the run ends with a sentence; what came back by then is kept."""
    monkeypatch.setattr(room, "PATIENCE_SECONDS", 0.5)
    task = task_of("lost", staff.need(1))
    seen: list[Trial] = []

    def kill_all(trials: Sequence[Trial]) -> None:
        seen.extend(trials)
        if len(seen) == 8:
            staff.lose(*staff.workers)

    with pytest.raises(SuiteError, match=r"has no workers; start some with: dask worker .*--resume completes"):
        execute(task, kill_all)
    monkeypatch.setattr(room, "REACH_SECONDS", 0.2)
    with pytest.raises(SuiteError, match=r"has no workers; start some with: dask worker [\d.:]+ --nthreads 1$"):
        task.engine.check(["cpu"], Settings())  # type: ignore[union-attr]
    execute(replace(task, engine=Engine.INLINE, resume=True), seen.extend)
    assert len(seen) == 60
    assert recorded(task.folder) == recorded(execute(task_of("whole", Engine.INLINE), unwatched))


def test_a_scheduler_that_is_not_there_is_told(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, one line says so, and nothing is recorded."""
    monkeypatch.setattr(room, "REACH_SECONDS", 0.3)
    with socket.socket() as taken:  # bound, so that nobody else listens there, but not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = invoke("run", *SMALL, "--engine", f"dask://127.0.0.1:{port}", "--out", "a-run")
    assert (done.exit_code, done.stdout, Path("a-run").exists()) == (2, "", False)
    assert done.stderr == (
        f"suite: dask://127.0.0.1:{port}: no scheduler answers there; start one with: dask scheduler --port {port}\n"
    )


def test_without_dask_it_is_said_what_brings_it(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed the extra is told its name."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = invoke("run", *SMALL, "--engine", "dask://127.0.0.1:1", "--out", "a-run")
    (line,) = done.stderr.splitlines()
    assert (done.exit_code, Path("a-run").exists()) == (2, False)
    assert line.endswith("install the suite's extra `dask`")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://10.0.0.1:8786", "10.0.0.1:8786"),
        ("dask://a-host:1", "a-host:1"),
        ("dask://[::1]:8786", "[::1]:8786"),
        ("dask://a-host", None),
        ("dask://a-host:", None),
        ("dask://:8786", None),
        ("dask://a-host:x", None),
        ("dask://a-host:99999", None),
        ("dask://a-host:0", None),
        ("dask://me@a-host:1", None),
        ("dask://a-host:1/", None),
        ("dask://[::1:8786", None),
        ("tcp://a-host:8786", None),
        ("a-host:8786", None),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: str | None) -> None:
    """Both must be there and nothing else; what was read is told as it was written."""
    found = Cluster.read(text)
    assert found == (None if address is None else Cluster(address))
    assert found is None or str(found) == text


def test_what_a_worker_finds_wrong_is_said_once() -> None:
    """A device that is missing says why; two devices that differ in the same say it once; nothing else is a fault."""
    mine = terms_of(["cpu"], Settings(threads=2))
    assert faults(mine) == []
    other = mine.facts["cpu"] | {"torch": "1.0.0"}
    facts = {"cpu": other, "cpu:0": other, "meta": other}
    missing, unlike = faults(replace(mine, facts=facts))
    assert missing == "meta is not there: Tensor.item() cannot be called on meta tensors"
    assert unlike == f"computes otherwise: torch {mine.facts['cpu']['torch']} (here: 1.0.0)"


def test_settings_are_the_runs_and_no_fault() -> None:
    """A worker trains under the settings of the run that it works for, whatever its own are."""
    mine = terms_of(["cpu"], Settings(threads=3, tf32=True))
    assert (mine.facts["cpu"]["threads"], mine.facts["cpu"]["tf32"], faults(mine)) == ("3", "True", [])


def test_the_source_is_that_of_the_package_without_its_cases(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other line of the suite is another suite; a case has a version of its own; where it all lies is nothing."""

    def now(place: str) -> str:
        monkeypatch.setattr(room, "__file__", str(write(f"{place}/suite/cluster.py", "x = 1")))
        return source.__wrapped__()

    first = now("a")
    write("a/suite/cases/relu.py", "x = 2")
    assert now("a") == now("b") == first
    write("a/suite/train/eager.py", "x = 2")
    write("b/suite/train/lazy.py", "x = 2")
    assert len({first, now("a"), now("b")}) == 3


def test_one_job_at_a_time_is_done_in_a_process() -> None:
    """However many threads a worker has, no two of them train side by side."""
    inside, most, guard = [0], [0], Lock()

    def work(job: int) -> int:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with guard:
            inside[0] -= 1
        return job

    terms = Terms(facts={}, settings=Settings())
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda job: pickle.loads(fulfil(work, job, terms)), range(8)))
    assert (results, most) == (list(range(8)), [1])


def test_measuring_a_result_draws_nothing(trial_of: Callable[..., Trial]) -> None:
    """Dask measures a result in a thread of its own, where to draw would change what the next chunk draws."""
    trials = [trial_of(seed) for seed in range(100)]
    data = fulfil(lambda _: trials, 0, Terms(facts={}, settings=Settings()))
    before = random.getstate()
    sizeof(data)
    assert random.getstate() == before
    sizeof(trials)
    assert random.getstate() != before
