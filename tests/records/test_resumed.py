"""A run that was interrupted, or lost something, is completed to the byte that an undisturbed run writes."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suite.records.recorder as recorder_module
from suite.clause import Clause
from suite.errors import SuiteError
from suite.machine import Machine
from suite.picture import TRAINED
from suite.plan import PICTURED_SEEDS, PROBED_SEEDS
from suite.records import Recorder, in_memory, read_run
from suite.records.folder import read_manifest
from suite.records.grow import whole_rows
from suite.records.manifest import MANIFEST_FILE, write_json
from suite.records.rows import as_csv, frames
from suite.trial import Manifest, Trial
from tests.records.recorded import SEEDS, TORN, content, killed_after, left_to_do, put, same_tables


def written(trials: Sequence[Trial], size: int) -> list[tuple[str, bytes]]:
    """Return what a run appends to which file, in order, for chunks of ``size`` trials."""
    chunks = [trials[start : start + size] for start in range(0, len(trials), size)]
    return [
        (file, as_csv(rows, header=False).encode()) for chunk in chunks for file, rows in frames("a-run", chunk).items()
    ]


def kill_after(folder: Path, count: int, appended: Sequence[tuple[str, bytes]]) -> None:
    """Append the first ``count`` bytes of what a run appends, and no more."""
    for file, data in appended:
        with (folder / file).open("ab") as stream:
            stream.write(data[:count])
        count = max(0, count - len(data))


@given(size=st.sampled_from([1, 2, 4, 9]), data=st.data())
@settings(max_examples=20)
def test_a_run_killed_at_any_byte_is_completed_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    size: int,
    data: st.DataObject,
) -> None:
    """Halves are dropped, whole trials are kept, and the completed folder is that of an undisturbed run."""
    appended = written(trials, size)
    folder = Recorder(tmp_path_factory.mktemp("killed") / "run", manifest, machine).folder
    count = data.draw(st.integers(0, sum(len(part) for _, part in appended)))
    kill_after(folder, count, appended)
    rows = (folder / "trials.csv").read_bytes()
    recorder = Recorder.resume(folder, manifest, machine)
    assert (folder / "trials.csv").read_bytes() == rows[: len((folder / "trials.csv").read_bytes())]
    assert len(recorder.done) == len(read_run(folder).trials)
    missing = left_to_do(recorder, trials)
    assert missing == trials[len(trials) - len(missing) :]
    recorder.append(missing)
    recorder.finish()
    assert content(folder) == undisturbed


def mended(folder: Path, trials: Sequence[Trial], manifest: Manifest, machine: Machine) -> list[Trial]:
    """Complete a run that lost something; return the trials that had to be trained again."""
    recorder = Recorder.resume(folder, manifest, machine)
    missing = left_to_do(recorder, trials)
    recorder.append(missing)
    recorder.finish()
    return missing


@given(file=st.sampled_from([*TORN, "trials.csv"]), data=st.data())
@settings(max_examples=40)
def test_a_complete_run_that_was_cut_off_at_any_byte_is_completed_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    file: str,
    data: st.DataObject,
) -> None:
    """Trials that lost rows of any table are trained again, not kept without them."""
    folder = put(tmp_path_factory.mktemp("cut") / "run", undisturbed)
    whole = undisturbed[file]
    cut = data.draw(st.integers(whole.index(b"\n") + 1, len(whole) - 1))
    at_the_end_of_a_row = whole_rows(whole[:cut]) == cut
    (folder / file).write_bytes(whole[:cut])
    missing = mended(folder, trials, manifest, machine)
    assert content(folder) == undisturbed or (at_the_end_of_a_row and file in TORN[1:])
    assert missing or at_the_end_of_a_row


@pytest.mark.parametrize("file", TORN)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_trial_that_holds_less_than_its_peers_is_trained_again(
    complete: Path,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    file: str,
    lost: int,
) -> None:
    """Even where the cut fell on the end of a row, between two trials or within one."""
    lines = undisturbed[file].splitlines(keepends=True)
    (complete / file).write_bytes(b"".join(lines[:-lost]))
    assert mended(complete, trials, manifest, machine)
    assert content(complete) == undisturbed


@pytest.mark.parametrize("file", [*TORN, "trials.csv"])
@pytest.mark.parametrize("left", [10, None], ids=["within a row", "at the end of a row"])
def test_a_run_is_not_complete_while_it_lacks_something(
    complete: Path, manifest: Manifest, machine: Machine, undisturbed: dict[str, bytes], file: str, left: int | None
) -> None:
    """Whoever resumes it says so on the disk before anything else is written, and keeps to it if that ends early."""
    whole = undisturbed[file][:-1]
    (complete / file).write_bytes(whole[:-left] if left else whole[: whole.rindex(b"\n4,") + 1])
    Recorder.resume(complete, manifest, machine)
    assert not read_run(complete).manifest.complete


@pytest.mark.parametrize(
    ("file", "writes"),
    [("curves.csv", "cut_to_whole_rows"), ("curves.csv", "replace_own"), ("trials.csv", "cut_to_whole_rows")],
)
def test_a_run_is_reopened_before_it_is_cut(
    complete: Path, manifest: Manifest, machine: Machine, monkeypatch: pytest.MonkeyPatch, file: str, writes: str
) -> None:
    """A kill in between leaves a run that is not complete."""
    (complete / file).write_bytes((complete / file).read_bytes()[:-10])
    monkeypatch.setattr(recorder_module, writes, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        Recorder.resume(complete, manifest, machine)
    assert not read_manifest(complete).complete


def test_a_run_that_says_complete_holds_every_trial(complete: Path, trials: list[Trial], manifest: Manifest) -> None:
    """One whose trials were cut at the end of a row is not whole, and neither judged nor accepted as if it were."""
    remedy = f"though run.json says complete; complete it with: suite run --resume --out {complete}"
    for lost, told in (
        (1, "1 of 3 seeds of neuron[cuda:0-float64] (eager) are missing"),
        (4, "1 of 3 seeds of neuron[cpu-float16] (eager), and seeds of 1 more cells, are missing"),
    ):
        text = as_csv(frames("a-run", trials[:-lost])["trials.csv"])
        (complete / "trials.csv").write_text(text, encoding="utf-8", newline="")
        with pytest.raises(SuiteError) as caught:
            read_run(complete)
        assert caught.value.faults == (f"{complete}/trials.csv: {told}, {remedy}",)
    write_json(complete / MANIFEST_FILE, manifest)
    assert read_run(complete).manifest == manifest


def test_what_is_expected_was_observed(
    tmp_path: Path, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> None:
    """A case of which something is expected has observations, though no peer of a trial has any left."""
    trials = [trial_of(seed) for seed in range(SEEDS)]
    manifest = manifest_of(trials, clauses=[Clause(observation="w", bounds={"*": ([4.5], [5.5])})], complete=False)
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append([replace(trial, observations=()) for trial in trials])
    recorder.finish()
    assert mended(recorder.folder, trials, manifest, machine) == trials
    assert len(read_run(recorder.folder).observations) == 2 * SEEDS


def test_a_seed_that_is_not_probed_lost_nothing(
    tmp_path: Path, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> None:
    """Of the first seeds of a cell's ensemble more is kept than of the others, and of its reference less."""
    curve, longer = ((0, 1.0), (1, 1.0), (2, 1.0)), ((0, 1.0), (1, 1.0), (2, 1.0), (4, 1.0), (5, 1.0))
    bare = {"graphs": (), "distances": (), "observations": ()}
    drawn = (("output", TRAINED, 0.0, 1.0),)
    trials = [
        trial_of(0, **bare, steps=6, curve=longer),
        *(trial_of(seed, **bare, curve=curve) for seed in (1, 2)),
        *(trial_of(seed, mode="ensemble", graphs=drawn) for seed in range(PICTURED_SEEDS)),
        *(trial_of(seed, mode="ensemble") for seed in range(PICTURED_SEEDS, PROBED_SEEDS)),
        *(trial_of(seed, mode="ensemble", distances=()) for seed in range(PROBED_SEEDS, PROBED_SEEDS + 3)),
    ]
    manifest = manifest_of(trials, clauses=[Clause(observation="w", bounds={"*": ([4.5], [5.5])})], complete=False)
    manifest = replace(manifest, cells=tuple(replace(c, short=c.mode == "eager") for c in manifest.cells))
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials)
    recorder.finish()
    before = content(recorder.folder)
    assert len(read_run(recorder.folder).trials) == len(trials)
    assert not mended(recorder.folder, trials, manifest, machine)
    assert content(recorder.folder) == before


def test_whole_trials_are_never_trained_again(
    tmp_path: Path, trials: list[Trial], manifest: Manifest, machine: Machine
) -> None:
    """What stood in ``trials.csv`` when the run was killed is done, and its rows in all tables stay."""
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials[:4])
    kill_after(recorder.folder, 150, written(trials[4:], 1))
    before = in_memory(manifest, machine, trials[:4])
    resumed = Recorder.resume(recorder.folder, manifest, machine)
    assert left_to_do(resumed, trials) == trials[4:]
    same_tables(read_run(resumed.folder), before)


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_kill_while_the_rows_are_put_in_order_loses_nothing(
    tmp_path: Path,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    survived: int,
) -> None:
    """Each table is the old one or the new one, and resuming only finishes."""
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials[::-1])
    with monkeypatch.context() as patched:
        patched.setattr(recorder_module, "replace_own", killed_after(survived))
        with pytest.raises(KeyboardInterrupt):
            recorder.finish()
    resumed = Recorder.resume(recorder.folder, manifest, machine)
    assert left_to_do(resumed, trials) == []
    resumed.finish()
    assert content(resumed.folder) == undisturbed


ENDLESS = """
    import pickle, sys
    from pathlib import Path
    from suite.records import Recorder

    manifest, machine, trials = pickle.loads(Path(sys.argv[1]).read_bytes())
    recorder = Recorder(Path(sys.argv[2]), manifest, machine)
    for trial in trials:
        recorder.append([trial])
"""


def test_a_run_that_was_really_killed_is_completed_to_the_byte(
    tmp_path: Path, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> None:
    """SIGKILL leaves nothing but whole trials and at most one half, and completing them leaves no trace of it."""
    many = [trial_of(seed) for seed in range(2_000)]
    manifest = manifest_of(many, complete=False)
    (tmp_path / "given").write_bytes(pickle.dumps((manifest, machine, many)))
    killed = tmp_path / "killed"
    command = [sys.executable, "-c", dedent(ENDLESS), str(tmp_path / "given"), str(killed)]
    with subprocess.Popen(command) as process:
        wait_for_rows(killed / "trials.csv", 20)
        process.kill()
    recorder = Recorder.resume(killed, manifest, machine)
    assert 0 < len(recorder.done) < len(many)
    recorder.append(left_to_do(recorder, many))
    recorder.finish()
    calm = Recorder(tmp_path / "calm", manifest, machine)
    calm.append(many)
    calm.finish()
    assert content(killed) == content(calm.folder)


def wait_for_rows(file: Path, rows: int) -> None:
    """Wait until a file that is being written has so many lines."""
    for _ in range(3_000):
        if file.exists() and file.read_bytes().count(b"\n") > rows:
            return
        time.sleep(0.01)
    pytest.fail(f"{file} never had {rows} rows")


def other_plans(manifest: Manifest) -> list[Manifest]:
    """Return manifests with fewer cells, other seeds, another order, and another version of a case."""
    first, *rest = manifest.cells
    case, *cases = manifest.cases
    return [
        replace(manifest, cells=tuple(rest)),
        replace(manifest, cells=(replace(first, seeds=first.seeds + 1), *rest)),
        replace(manifest, cells=(*rest, first)),
        replace(manifest, cases=(replace(case, version="changed"), *cases)),
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_run_is_not_resumed_with_another_plan(
    complete: Path, manifest: Manifest, machine: Machine, which: int
) -> None:
    """Cells, seeds, their order and what the cases compute must be those that began it."""
    before = content(complete)
    with pytest.raises(SuiteError) as caught:
        Recorder.resume(complete, other_plans(manifest)[which], machine)
    told = f"{complete}: was planned otherwise; resume it with the cases and options that began it"
    assert caught.value.faults == (told,)
    assert content(complete) == before


def test_a_run_is_not_resumed_elsewhere(complete: Path, manifest: Manifest, machine: Machine) -> None:
    """A run is of one machine; what differs is told."""
    elsewhere = replace(machine, cores=64, settings=replace(machine.settings, threads=4))
    with pytest.raises(SuiteError) as caught:
        Recorder.resume(complete, manifest, elsewhere)
    told = f"{complete}: was begun elsewhere, and a run is of one machine: threads 4 (then: 1), cores 64 (then: 2)"
    assert caught.value.faults == (told,)


def test_a_complete_run_may_be_resumed(
    complete: Path, trials: list[Trial], manifest: Manifest, machine: Machine, undisturbed: dict[str, bytes]
) -> None:
    """There is nothing left to do, and nothing changes."""
    recorder = Recorder.resume(complete, replace(manifest, run="another", started="later"), machine)
    assert left_to_do(recorder, trials) == []
    recorder.finish()
    assert content(complete) == undisturbed
