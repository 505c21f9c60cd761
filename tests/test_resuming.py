"""A run is resumed only where its cases still compute what they did: what they read or call may have changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from suite import engine
from suite.discover import discover
from suite.engine import Engine
from suite.errors import SuiteError
from suite.limits import Limits
from suite.machine import Settings
from suite.plan import make_plan
from suite.records import read_run
from suite.trial import Status, Trial
from suite.workflow import Task, execute
from tests.records.recorded import content

Write = Callable[[str, str], Path]
READING = """
    from pathlib import Path

    import torch
    from torch import nn
    from torch.optim import SGD

    from suite import Case

    HELD = Path({folder!r})


    def numbers(name):
        return torch.tensor([[float(word)] for word in (HELD / name).read_text().split()])


    def build():
        network = nn.Linear(1, 1)
        with torch.no_grad():
            network.weight.mul_(numbers("scale")[0, 0])
        return network


    def data():
        return numbers("x"), numbers("target")


    def loss(output, target):
        return ((output - target) ** 2).mean() * float(numbers("loss"))


    def optimizer(parameters):
        return SGD(parameters, lr=float(numbers("rate")))


    CASE = Case(architecture=build, data=data, loss=loss, optimizer=optimizer, steps=30)
"""
HELD = {"x": "1 2", "target": "3 4", "scale": "1", "loss": "1", "rate": "0.01"}


@pytest.fixture
def held(write: Write) -> Path:
    """Write what the case reads, beside no case file."""
    for name, text in HELD.items():
        folder = write(f"held/{name}", text).parent
    return folder


@pytest.fixture
def task_of(write: Write, held: Path, tmp_path: Path, case_text: str) -> Callable[..., Task]:
    """Make the task of a run of that case, and of another one before it: six seeds in float32."""
    write("cases/first.py", case_text)
    root = write("cases/reading.py", READING.format(folder=str(held))).parent

    def make(*modes: str, **given: object) -> Task:
        collection = discover([root], rehearsed=False)
        plan = make_plan(collection.cases, seeds=range(6), dtypes=("float32",), modes=modes or None)
        task = Task(
            collection=collection, plan=plan, settings=Settings(), engine=Engine.INLINE, folder=tmp_path / "a-run"
        )
        return replace(task, **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def begun(task_of: Callable[..., Task], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Begin a run and stop it after so many trials of the case that reads; return its folder."""
    monkeypatch.setattr(engine, "CHUNK_STEPS", 30)

    def begin(*modes: str, after: int = 2) -> Path:
        seen: list[Trial] = []

        def stop(trials: Sequence[Trial]) -> None:
            seen.extend(trial for trial in trials if trial.case == "reading")
            if len(seen) >= after:
                raise KeyboardInterrupt

        task = task_of(*modes)
        with pytest.raises(KeyboardInterrupt):
            execute(task, stop)
        return task.folder

    return begin


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x", "1 3", "data, first gradient, first update"),
        ("target", "3 4.5", "data, first gradient, first update"),
        ("scale", "2", "initial parameters, first gradient, first update"),
        ("loss", "3", "first gradient, first update"),
        ("rate", "0.02", "first update"),
    ],
)
def test_a_run_is_not_resumed_with_another_computation(
    begun: Callable[..., Path], task_of: Callable[..., Task], held: Path, name: str, text: str, told: str
) -> None:
    """What is otherwise is named, nothing on the disk is changed, and what is put back is gone on with."""
    folder = begun("eager")
    with (folder / "trials.csv").open("a") as stream:
        stream.write("half a r")
    before = content(folder)
    (held / name).write_text(text)
    words = rf"^reading\[cpu-float32\]: seed 0, which is recorded, has other {told} now; put back "
    with pytest.raises(SuiteError, match=words) as caught:
        execute(task_of("eager", resume=True), lambda _: None)
    assert len(caught.value.faults) == 1
    assert content(folder) == before
    (held / name).write_text(HELD[name])
    assert len(read_run(execute(task_of("eager", resume=True), lambda _: None)).trials) == 2 * 6


def test_each_mode_is_held_against_itself(begun: Callable[..., Path], task_of: Callable[..., Task], held: Path) -> None:
    """A cell that is whole counts where another of its case is not; a case of which all is recorded does not."""
    folder = begun(after=6)
    (held / "x").write_text("1 3")
    with pytest.raises(SuiteError, match="has other data"):
        execute(task_of(resume=True), lambda _: None)
    (held / "x").write_text(HELD["x"])
    execute(task_of(resume=True), lambda _: None)
    (held / "x").write_text("1 3")
    execute(task_of(resume=True), lambda _: None)
    assert read_run(folder).manifest.complete


@pytest.mark.parametrize("mode", ["eager", "ensemble"])
def test_what_cannot_be_trained_any_more_is_told(
    begun: Callable[..., Path], task_of: Callable[..., Task], held: Path, mode: str
) -> None:
    """A case whose data are gone is found out before anything is recorded; so it is in a process with limits."""
    other = "ensemble" if mode == "eager" else "eager"
    begun(mode, other, after=1)
    task = task_of(mode, other, resume=True, limits=Limits(seconds=60.0))
    (held / "rate").unlink()
    with pytest.raises(SuiteError, match="seed 0, which is recorded, cannot be trained any more: FileNotFoundError"):
        execute(task, lambda _: None)


def test_a_seed_that_failed_is_held_against_nothing(
    begun: Callable[..., Path], task_of: Callable[..., Task], held: Path
) -> None:
    """A cell of which no seed was trained has nothing to compare, and what is put right is trained from there on."""
    shutil.move(held / "rate", held / "gone")
    folder = begun("eager", after=1)
    shutil.move(held / "gone", held / "rate")
    execute(task_of("eager", resume=True), lambda _: None)
    trials = read_run(folder).trials
    assert trials[trials["case"] == "reading"]["status"].tolist() == [Status.ERROR, *[Status.OK] * 5]
