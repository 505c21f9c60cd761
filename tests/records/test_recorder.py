"""A run's folder holds complete rows at every moment, in the end in the plan's order, and never those of two runs."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suite.records.recorder as recorder_module
from suite.clause import Clause
from suite.errors import SuiteError
from suite.machine import Machine
from suite.records import Recorder, in_memory, read_run
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, MOST_BYTES, write_json
from suite.records.rows import as_csv, frames
from suite.trial import Manifest, Trial
from tests.records.recorded import SEEDS, TORN, content, killed_after, same_tables


def test_a_run_reads_back_as_what_it_holds_in_memory(
    complete: Path, trials: list[Trial], manifest: Manifest, machine: Machine
) -> None:
    """Judging a run from memory and judging it from its folder is judging the same."""
    found, expected = read_run(complete), in_memory(manifest, machine, trials)
    assert found.manifest == replace(manifest, complete=True)
    assert found.machine == machine
    same_tables(found, expected)


def test_a_run_that_has_just_begun_can_be_read(tmp_path: Path, manifest: Manifest, machine: Machine) -> None:
    """Before the first trial the folder holds a plan, a machine and tables without rows."""
    Recorder(tmp_path / "a" / "run", manifest, machine)
    found = read_run(tmp_path / "a" / "run")
    assert (found.manifest, found.machine) == (manifest, machine)
    same_tables(found, in_memory(manifest, machine, []))


def test_rows_are_written_before_the_trial_that_they_belong_to(
    tmp_path: Path, trials: list[Trial], manifest: Manifest, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial counts once its row in ``trials.csv`` stands, so that row is the last."""
    order: list[str] = []
    monkeypatch.setattr(recorder_module, "append_text", lambda file, _text: order.append(file.name))
    Recorder(tmp_path / "run", manifest, machine).append(trials[:2])
    assert order == ["curves.csv", "observations.csv", "probes.csv", "graphs.csv", "trials.csv"]


def test_a_trial_against_the_schema_is_refused_before_anything_is_written(
    tmp_path: Path, trials: list[Trial], manifest: Manifest, machine: Machine
) -> None:
    """What could not be read back is not written, nor are the good trials beside it."""
    recorder = Recorder(tmp_path / "run", manifest, machine)
    before = content(recorder.folder)
    with pytest.raises(SuiteError, match=r"trials.csv: row 3: column steps: found -1"):
        recorder.append([trials[0], replace(trials[1], steps=-1)])
    assert content(recorder.folder) == before


@given(data=st.data())
@settings(max_examples=8)
def test_rows_end_in_the_plans_order_whatever_order_they_came_in(
    tmp_path_factory: pytest.TempPathFactory,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    data: st.DataObject,
) -> None:
    """Worker processes finish as they like, in chunks of any size; the finished folder is always the same."""
    shuffled = iter(data.draw(st.permutations(trials)))
    recorder = Recorder(tmp_path_factory.mktemp("order") / "run", manifest, machine)
    while chunk := list(islice(shuffled, data.draw(st.integers(1, len(trials))))):
        recorder.append(chunk)
    recorder.finish()
    assert content(recorder.folder) == undisturbed


def test_a_run_in_order_is_not_written_twice(
    tmp_path: Path, trials: list[Trial], manifest: Manifest, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the manifest changes where the rows stand right already."""
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials)
    monkeypatch.setattr(recorder_module, "replace_own", lambda file, _text: pytest.fail(f"{file} was written again"))
    recorder.finish()
    assert recorder.manifest.complete


def test_a_run_is_not_begun_over_another(complete: Path, manifest: Manifest, machine: Machine) -> None:
    """What was recorded stays as it is, and both ways on are told."""
    before = content(complete)
    with pytest.raises(SuiteError) as caught:
        Recorder(complete, manifest, machine)
    assert caught.value.faults == (f"{complete}: holds a run already; give another --out, or --resume to complete it",)
    assert content(complete) == before


def unreadable(manifest: Manifest, machine: Machine) -> list[tuple[Manifest, Machine, str]]:
    """Return what would be refused if it were read again, and how it is refused."""
    clause = Clause(observation="w", bounds={})
    case = replace(manifest.cases[0], clauses=(clause,))
    odd = "cases.0.clauses.0.bounds: found none, expected those of some dtype"
    large = "would be of .* bytes, and none larger than .* is read; train fewer .*"
    return [
        (replace(manifest, cases=(case, *manifest.cases[1:])), machine, rf"run\.json: {odd}"),
        (replace(manifest, notes=("x" * MOST_BYTES,)), machine, rf"run\.json: {large}"),
        (replace(manifest, notes=("\udcff",)), machine, r"run\.json: cannot be written: .* is no UTF-8; give another"),
        (manifest, replace(machine, cores=0), r"machine\.json: cores: found 0, expected 1 to 65536"),
        (manifest, replace(machine, torch="x" * MOST_BYTES), rf"machine\.json: {large}"),
    ]


@pytest.mark.parametrize("which", range(5))
def test_a_run_that_could_not_be_read_again_is_not_begun(
    tmp_path: Path, manifest: Manifest, machine: Machine, which: int
) -> None:
    """Whoever trains for an hour learns of it before, and no file is written."""
    odd, elsewhere, told = unreadable(manifest, machine)[which]
    with pytest.raises(SuiteError) as caught:
        Recorder(tmp_path / "run", odd, elsewhere)
    (fault,) = caught.value.faults
    assert re.fullmatch(f"{tmp_path}/run/{told}", fault)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", [*TORN, "trials.csv"])
def test_a_run_is_not_begun_over_one_that_lost_its_manifest(
    complete: Path, manifest: Manifest, machine: Machine, file: str
) -> None:
    """Its rows stay, each file of them is named, and nothing that was judged of it is taken for the new run's."""
    left = [complete / file, complete / "again.csv", complete / "verdicts.csv"]
    for name in content(complete):
        if complete / name not in left:
            (complete / name).unlink()
    for place in left[1:]:
        place.touch()
    before = content(complete)
    with pytest.raises(SuiteError) as caught:
        Recorder(complete, manifest, machine)
    assert caught.value.faults == tuple(
        f"{place}: is of a run whose run.json is gone; give another --out" for place in left
    )
    assert content(complete) == before


@pytest.mark.parametrize("survived", range(6))
def test_a_run_that_was_killed_as_it_began_is_begun_again(
    tmp_path: Path,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    survived: int,
) -> None:
    """By the same command: tables without a row are no run's."""
    with monkeypatch.context() as patched:
        patched.setattr(recorder_module, "replace_own", killed_after(survived))
        patched.setattr(recorder_module, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Recorder(tmp_path / "run", manifest, machine)
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials)
    recorder.finish()
    assert content(recorder.folder) == undisturbed


@pytest.mark.parametrize("file", ["curves.csv", "observations.csv", "trials.csv", MACHINE_FILE, MANIFEST_FILE])
def test_a_run_without_one_of_its_files_is_refused(
    complete: Path, manifest: Manifest, machine: Machine, file: str
) -> None:
    """Neither reading nor resuming puts anything in its place."""
    (complete / file).unlink()
    for attempt in (lambda: read_run(complete), lambda: Recorder.resume(complete, manifest, machine)):
        with pytest.raises(SuiteError) as caught:
            attempt()
        assert caught.value.faults == (f"{complete / file}: cannot be read: No such file or directory",)
    assert not (complete / file).exists()


@pytest.mark.parametrize(
    ("place", "reason"),
    [("file/run", "Not a directory"), ("x" * 300, "File name too long")],
    ids=["below a file", "of a long name"],
)
def test_a_folder_that_cannot_be_is_one_line(
    tmp_path: Path, manifest: Manifest, machine: Machine, place: str, reason: str
) -> None:
    """The line names the folder and the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SuiteError) as caught:
        Recorder(tmp_path / place, manifest, machine)
    assert caught.value.faults == (f"{tmp_path / place}: cannot be written: {reason}",)


def test_a_folder_that_vanishes_is_one_line(
    tmp_path: Path, trials: list[Trial], manifest: Manifest, machine: Machine
) -> None:
    """A trial that cannot be recorded any more ends the run with the place and the reason."""
    recorder = Recorder(tmp_path / "run", manifest, machine)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    with pytest.raises(SuiteError) as caught:
        recorder.append(trials)
    assert caught.value.faults == (f"{tmp_path}/run/curves.csv: cannot be written: No such file or directory",)


def test_an_interrupted_run_says_how_it_is_completed(complete: Path) -> None:
    """Half a row is never read; the line says what to do about it."""
    data = (complete / "trials.csv").read_bytes()
    (complete / "trials.csv").write_bytes(data[:-10])
    rows = data.count(b"\n")
    with pytest.raises(SuiteError, match=rf"trials.csv: row \d+: is cut off; complete the run with: .*{complete}"):
        read_run(complete)
    assert rows > 1


def test_a_trial_that_was_never_planned_is_refused(
    complete: Path, trials: list[Trial], manifest: Manifest, machine: Machine
) -> None:
    """A row of another cell, or of a seed outside the plan, is named; it is neither judged nor passed over."""
    for stranger in (replace(trials[0], mode="other"), replace(trials[0], seed=SEEDS), replace(trials[0], case="new")):
        text = as_csv(frames("a-run", [*trials, stranger])["trials.csv"])
        (complete / "trials.csv").write_text(text, newline="")
        with pytest.raises(SuiteError) as caught:
            read_run(complete)
        label = f"seed {stranger.seed} of {stranger.case}[cpu-float64]"
        told = f"{complete}/trials.csv: row {len(trials) + 2}: {label} is not planned in run.json"
        assert caught.value.faults == (told,)


@pytest.mark.parametrize("attempt", ["read", "resume"])
def test_files_that_do_not_belong_together_are_refused(
    complete: Path, manifest: Manifest, machine: Machine, attempt: str
) -> None:
    """A machine must know the planned devices, and a manifest the planned cases."""

    def refused() -> tuple[str, ...]:
        with pytest.raises(SuiteError) as caught:
            read_run(complete) if attempt == "read" else Recorder.resume(complete, manifest, machine)
        return caught.value.faults

    write_json(complete / MACHINE_FILE, replace(machine, devices={"cpu": machine.devices["cpu"]}))
    assert refused() == (f"{complete}/machine.json: devices: cuda:0 is missing, which run.json plans for",)
    write_json(complete / MANIFEST_FILE, replace(manifest, cases=manifest.cases[1:]))
    assert refused() == (f"{complete}/run.json: cases: odd, name is missing, which cells plan for",)


@pytest.mark.parametrize("field", ["case", "device", "mode"])
def test_a_name_of_any_length_is_told_in_one_short_line(complete: Path, manifest: Manifest, field: str) -> None:
    """A stranger's plan may name a cell as it likes."""
    given: dict[str, Any] = {field: "\x1b[2J" + "x" * 10**6}
    cells = (*manifest.cells, replace(manifest.cells[0], **given))
    write_json(complete / MANIFEST_FILE, replace(manifest, cells=cells, complete=True))
    with pytest.raises(SuiteError) as caught:
        read_run(complete)
    assert all(len(fault) < 1000 and fault.isprintable() for fault in caught.value.faults)


@pytest.mark.parametrize("change", [{"run": "another"}, {"case_version": "f" * 12}], ids=str)
def test_a_trial_of_another_run_or_version_is_refused(
    complete: Path, trials: list[Trial], change: dict[str, str]
) -> None:
    """Whatever the first row of its cell says: all of a cell's rows are judged as one."""
    rows = frames("a-run", trials)["trials.csv"].astype(dict.fromkeys(change, "str"))
    (column, value), was = *change.items(), rows[next(iter(change))][1]
    rows.loc[1, column] = value
    (complete / "trials.csv").write_text(as_csv(rows), newline="")
    with pytest.raises(SuiteError) as caught:
        read_run(complete)
    told = f"{complete}/trials.csv: row 3: column {column}: found {value!r}, expected {was!r}"
    assert caught.value.faults == (told,)
