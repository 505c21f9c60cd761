"""A run's folder is the same however it came about: by which engine, in which order, in one go or two."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from suite import engine, trial, workflow
from suite.discover import DOCUMENTED, Collection, discover, documented
from suite.engine import Engine
from suite.machine import Settings
from suite.plan import Skip, make_plan
from suite.records import Recorder, read_run
from suite.trial import Trial
from suite.workflow import Task, execute, manifest_of, new_folder, unrecorded

Write = Callable[[str, str], Path]
TaskOf = Callable[..., Task]

CLOCKS = ("run", *trial.CLOCKS)
"""The columns of ``trials.csv`` in which two runs of the same may differ."""

EXPECTING = "steps=3,\n    expect=[parameter('weight', low=0.0).shows('Q1'), rate(untrained('weight'), 0, 0.1)],"


@pytest.fixture
def collection(write: Write, case_text: str) -> Collection:
    """Declare two cases of one neuron, in a folder outside the project; one expects something."""
    expecting = case_text.replace("Case, fixed", "Case, fixed, parameter, rate, untrained")
    expecting = expecting.replace("steps=3,", EXPECTING).replace("CASE = Case(", "CASE = Case(\n    claims=('Q1',),")
    write("cases/one/short.py", expecting)
    root = write("cases/two/long.py", case_text.replace("steps=3", "steps=5")).parent.parent
    write("cases/claims.toml", '[[document]]\ntitle = "T"\nclaim = [{ id = "Q1", heading = "H", says = "S" }]\n')
    return discover([root])


@pytest.fixture
def task_of(collection: Collection, tmp_path: Path) -> TaskOf:
    """Make the task of a run in a folder of that name: four seeds in two dtypes, unless said otherwise."""

    def make(name: str, *, seeds: range = range(4), backwards: bool = False, **given: object) -> Task:
        cases = collection.cases[::-1] if backwards else collection.cases
        task = Task(
            collection=collection,
            plan=make_plan(cases, seeds=seeds, dtypes=("float32", "bfloat16"), modes=("eager",)),
            settings=Settings(),
            engine=Engine.INLINE,
            folder=tmp_path / "runs" / name,
        )
        return replace(task, **given)  # type: ignore[arg-type]

    return make


def unwatched(_trials: Sequence[Trial]) -> None:
    """Look away."""


def recorded(folder: Path) -> dict[str, list[str]]:
    """Return the lines of a run's tables, without what the clocks and the run's name make of them."""
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{k: v for k, v in row.items() if k not in CLOCKS} for row in csv.DictReader(stream)]
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in ("curves.csv", "observations.csv")}
    return {"trials.csv": [",".join(row.values()) for row in rows]} | {k: v.splitlines() for k, v in texts.items()}


def test_two_runs_leave_the_same_bytes(task_of: TaskOf) -> None:
    """Two runs of the same differ in their name and in what the clocks said, and in nothing else."""
    first, second = (recorded(execute(task_of(name), unwatched)) for name in ("first", "second"))
    assert first == second
    assert len(first["trials.csv"]) == 2 * 2 * 4


def test_the_engine_leaves_no_trace(task_of: TaskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes, which finish in any order, leave the bytes that training here leaves."""
    monkeypatch.setattr(engine, "TIMED_SEEDS", 1)
    monkeypatch.setattr(engine, "CHUNK_STEPS", 5)
    elsewhere = execute(task_of("elsewhere", engine=Engine.PROCESSES), unwatched)
    assert recorded(elsewhere) == recorded(execute(task_of("here"), unwatched))


def test_the_order_of_cases_changes_no_row(task_of: TaskOf) -> None:
    """Cases in another order leave the same rows, in that order."""
    forth = recorded(execute(task_of("forth"), unwatched))
    back = recorded(execute(task_of("back", backwards=True), unwatched))
    assert back != forth
    assert {file: sorted(lines) for file, lines in back.items()} == {k: sorted(v) for k, v in forth.items()}


def test_fewer_seeds_leave_fewer_of_the_same_rows(task_of: TaskOf) -> None:
    """A run over some of the seeds leaves the rows that a run over all of them leaves of those."""
    whole = recorded(execute(task_of("whole"), unwatched))["trials.csv"]
    part = recorded(execute(task_of("part", seeds=range(2, 4)), unwatched))["trials.csv"]
    assert part == [row for row in whole if row.split(",")[3] in {"2", "3"}]
    assert len(part) == 2 * 2 * 2


@pytest.mark.parametrize(("how", "interrupted_at"), [(Engine.INLINE, 1), (Engine.INLINE, 7), (Engine.PROCESSES, 4)])
def test_a_run_in_two_goes_leaves_the_same_bytes(
    task_of: TaskOf, how: Engine, interrupted_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was interrupted and then resumed holds the bytes of one that was not, and trained nothing twice."""
    monkeypatch.setattr(engine, "CHUNK_STEPS", 5)
    monkeypatch.setattr(engine, "TIMED_SEEDS", 1)
    seen: list[Trial] = []

    def interrupt(trials: Sequence[Trial]) -> None:
        seen.extend(trials)
        if len(seen) >= interrupted_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(task_of("two-goes", engine=how, seeds=range(2)), interrupt)
    half = read_run(task_of("two-goes").folder)
    assert not half.manifest.complete
    assert len(half.trials) == len(seen) == interrupted_at
    whole = execute(task_of("two-goes", engine=how, seeds=range(2), resume=True), seen.extend)
    assert read_run(whole).manifest.complete
    assert len(seen) == 2 * 2 * 2
    assert recorded(whole) == recorded(execute(task_of("one-go", seeds=range(2)), unwatched))


def test_an_interruption_ends_the_training(task_of: TaskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops a run stops its engine at once, and not when Python comes to it."""
    ended = []

    def train(*_: object, **__: object) -> Iterator[list[Trial]]:
        try:
            yield []
        finally:
            ended.append(True)

    def interrupt(_trials: Sequence[Trial]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "train_plan", train)
    monkeypatch.setattr(Recorder, "append", lambda *_: None)
    with pytest.raises(KeyboardInterrupt) as caught:
        execute(task_of("ended"), interrupt)
    assert ended == [True]
    assert caught.traceback[-1].name == "interrupt"


def test_every_chunk_is_watched(task_of: TaskOf) -> None:
    """Who watches sees every trial, and its row stands in the folder by then."""
    task, rows = task_of("watched"), []

    def look(trials: Sequence[Trial]) -> None:
        rows.append((len(trials), (task.folder / "trials.csv").read_text(encoding="utf-8").count("\n") - 1))

    execute(task, look)
    assert rows == [(4, 4), (4, 8), (4, 12), (4, 16)]


def test_nothing_is_recorded_of_what_is_unrecorded(task_of: TaskOf) -> None:
    """What is trained without a folder is what a folder would be read back as."""
    kept, loose = read_run(execute(task_of("kept"), unwatched)), unrecorded(task_of("loose"))
    assert not task_of("loose").folder.exists()
    for table in ("trials", "curves", "observations"):
        ours, theirs = (getattr(record, table).drop(columns=list(CLOCKS), errors="ignore") for record in (loose, kept))
        pd.testing.assert_frame_equal(ours, theirs)
    assert loose.machine == kept.machine


def test_the_manifest_holds_the_plan(task_of: TaskOf, collection: Collection) -> None:
    """A manifest names the run after its folder, and holds every case, cell, clause and skipped device."""
    task = task_of("planned")
    skip = Skip(device="cuda", reason="none here")
    manifest = manifest_of(replace(task, plan=replace(task.plan, skipped=(skip,))))
    assert (manifest.run, manifest.complete, manifest.skipped) == ("planned", False, (skip,))
    assert manifest.modes == task.plan.modes
    assert manifest.roots == collection.roots
    assert manifest.known_cases == ("short", "long")
    short, long = manifest.cases
    assert (short.folder, short.source, short.steps, short.claims) == ("one", "one/short.py", 3, ("Q1",))
    assert [clause.observation for clause in short.clauses] == ["weight", "dead"]
    assert (long.source, long.clauses) == ("two/long.py", ())
    assert short.version != long.version
    planned = [(cell.case, cell.dtype, cell.first_seed, cell.seeds) for cell in manifest.cells]
    assert planned == [(case, dtype, 0, 4) for case in ("short", "long") for dtype in ("float32", "bfloat16")]


def test_a_case_that_is_not_run_is_known_all_the_same(task_of: TaskOf, collection: Collection) -> None:
    """Cases that a run leaves out are known to it, so that they are not taken for lost."""
    manifest = manifest_of(replace(task_of("one"), plan=make_plan(collection.select(["long"]))))
    assert [case.name for case in manifest.cases] == ["long"]
    assert manifest.known_cases == ("short", "long")


def test_a_run_in_this_very_folder_has_a_name(task_of: TaskOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is called after its folder, however the folder is written."""
    monkeypatch.chdir(tmp_path)
    assert manifest_of(task_of("", folder=Path())).run == tmp_path.name
    assert manifest_of(task_of("", folder=Path("a/../b"))).run == "b"


def test_the_documented_cases_have_one_name_everywhere(task_of: TaskOf) -> None:
    """Runs of the documented cases can be compared, wherever the package lies; other folders keep their path."""
    task = task_of("", collection=Collection(roots=(str(documented()), "my/cases"), cases=(), claims=()))
    assert manifest_of(task).roots == (DOCUMENTED, "my/cases")


@pytest.mark.parametrize("spelt", ["my/cases", "./my/cases", "my/../my/cases", "{here}/my/cases"])
def test_a_folder_of_cases_has_one_name_however_it_is_spelt(
    task_of: TaskOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelt: str
) -> None:
    """A run begun here with it is one of the same cases; a folder elsewhere is called by its whole path."""
    monkeypatch.chdir(tmp_path)
    roots = (spelt.format(here=tmp_path), "/elsewhere/../cases")
    task = task_of("", collection=Collection(roots=roots, cases=(), claims=()))
    assert manifest_of(task).roots == ("my/cases", "/cases")


def test_new_folders_are_new() -> None:
    """Two runs that begin in the same second get folders of their own, where git does not look."""
    folders = {new_folder() for _ in range(20)}
    assert len(folders) == 20
    assert {folder.parent for folder in folders} == {Path("results/runs")}
