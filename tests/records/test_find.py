"""Runs are found where they lie, each once; what is damaged is named, and the others are read all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.machine import Machine
from suite.records import Recorder, accept, find, read_run
from suite.records.find import Kept, find_runs, look_through, read_manifests
from suite.trial import Manifest, RunRecord, Trial


@pytest.fixture
def keep(
    tmp_path: Path, machine: Machine, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]
) -> Callable[..., Path]:
    """Keep a run of two seeds in a folder below the test's own; unless it is finished, it stays incomplete."""

    def make(name: str, *, finish: bool = True) -> Path:
        trials = [trial_of(seed) for seed in range(2)]
        folder = tmp_path / name
        recorder = Recorder(folder, manifest_of(trials, run=folder.name, complete=False), machine)
        recorder.append(trials)
        if finish:
            recorder.finish()
        return folder

    return make


def name_of(run: RunRecord) -> str:
    """Return a run's id."""
    return run.manifest.run


def test_runs_are_found_to_a_depth(keep: Callable[..., Path], tmp_path: Path) -> None:
    """Up to three folders below a place, in the order of names; what lies deeper, or hidden, is not."""
    found = [keep(name) for name in ("a/b/c", "a/b/d", "e", "f/g")]
    for name in ("a/b/x/y", "f/.g.old", "e/inner"):
        keep(name)
    assert find_runs([tmp_path]) == Kept(found=tuple(found), faults=())
    assert find_runs([tmp_path / "a/b/x/y"]).found == (tmp_path / "a/b/x/y",)
    assert find_runs([tmp_path / "f/.g.old"]).found == (tmp_path / "f/.g.old",)


def test_each_run_is_found_once(keep: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is written, and however many places hold it; a place without a run holds none."""
    run = keep("a/b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_runs([run, Path("a"), tmp_path, Path("link/b"), tmp_path / "empty"]).found == (run,)
    assert find_runs([]).found == ()


def test_no_link_is_followed_unless_it_is_asked_for(keep: Callable[..., Path], tmp_path: Path) -> None:
    """What lies elsewhere is not shown, and what leads back into itself is walked through once."""
    elsewhere, here = keep("elsewhere/run"), keep("here/run")
    (tmp_path / "here/link").symlink_to(elsewhere)
    (tmp_path / "here/away").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here/self").symlink_to(tmp_path / "here")
    assert find_runs([tmp_path / "here"]).found == (here,)
    assert find_runs([tmp_path / "here/link"]).found == (tmp_path / "here/link",)
    assert find_runs([tmp_path / "here/away"]).found == (tmp_path / "here/away/run",)


def test_what_cannot_be_read_below_a_place_is_named_beside_what_can(
    keep: Callable[..., Path], tmp_path: Path, refuse_folder: Callable[[str], None]
) -> None:
    """However deep it lies; a place that was asked for itself is refused."""
    runs = keep("hist/a"), keep("hist/z/a")
    shut = tmp_path / "hist/no", tmp_path / "hist/z/no"
    for folder in shut:
        folder.mkdir()
    refuse_folder("no")
    faults = tuple(f"{folder}: cannot be read: Permission denied" for folder in shut)
    assert find_runs([tmp_path / "hist"]) == Kept(found=runs, faults=faults)
    with pytest.raises(SuiteError) as caught:
        find_runs([shut[0], tmp_path / "hist"])
    assert caught.value.faults == faults[:1]


@pytest.mark.parametrize("left", ["run.json", "machine.json", "trials.csv", "curves.csv", "observations.csv"])
def test_what_is_left_of_a_run_is_found(keep: Callable[..., Path], tmp_path: Path, left: str) -> None:
    """A run that lost its files is a damaged one, and not nothing."""
    run = keep("a")
    for file in run.iterdir():
        if file.name != left:
            file.unlink()
    (tmp_path / "b").mkdir()
    (tmp_path / "b/versus.csv").touch()
    assert find_runs([tmp_path]).found == (run,)
    kept = look_through([run], name_of)
    assert kept.found == ()
    assert str(run) in kept.faults[0]


def test_every_place_that_is_no_folder_is_named(keep: Callable[..., Path], tmp_path: Path) -> None:
    """A place that is not there, or is a file, is a fault; all are named together."""
    keep("a")
    with pytest.raises(SuiteError) as caught:
        find_runs([tmp_path / "none", tmp_path, tmp_path / "a/run.json"])
    assert [fault.partition(": ")[0] for fault in caught.value.faults] == [
        str(tmp_path / "none"),
        str(tmp_path / "a/run.json"),
    ]


def test_what_is_damaged_is_named_and_the_others_are_read(keep: Callable[..., Path]) -> None:
    """Damage in a manifest or in a table keeps no other run from being read; an incomplete run is a note, no fault."""
    runs = [keep("a"), keep("b"), keep("c"), keep("d", finish=False), keep("e")]
    (runs[0] / "run.json").write_text("{}", encoding="utf-8")
    (runs[1] / "curves.csv").unlink()
    kept = look_through(runs, name_of)
    assert kept.found == ("c", "e")
    assert [fault.partition(": ")[0] for fault in kept.faults] == [
        str(runs[0] / "run.json"),
        str(runs[1] / "curves.csv"),
    ]
    (note,) = kept.notes
    assert note.startswith(f"{runs[3]}: is not complete")


def test_each_run_is_read_once_and_let_go(keep: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is read twice, and of each run only what was looked for is kept."""
    runs = [keep("a"), keep("b")]
    read: list[Path] = []

    def counted(folder: Path) -> RunRecord:
        read.append(folder)
        return read_run(folder)

    monkeypatch.setattr(find, "read_run", counted)
    assert look_through(runs, name_of).found == ("a", "b")
    assert read == runs


def test_what_look_refuses_is_a_fault_of_that_run(keep: Callable[..., Path]) -> None:
    """A fault that is only seen when a run is looked at is told as every other."""

    def refuse(run: RunRecord) -> str:
        raise SuiteError(f"{run.manifest.run}: no")

    assert look_through([keep("a"), keep("b")], refuse).faults == ("a: no", "b: no")


def test_manifests_are_read_without_tables(keep: Callable[..., Path], tmp_path: Path) -> None:
    """What a run set out to do is told though its tables are gone; a baseline is complete."""
    run = keep("a")
    (place, _) = accept(read_run(run), tmp_path / "baselines", reason="why", who="who")
    (run / "trials.csv").unlink()
    found = read_manifests([run, place]).found
    assert [(folder, manifest.run, manifest.accepted is None) for folder, manifest in found] == [
        (run, "a", True),
        (place, "a", False),
    ]
