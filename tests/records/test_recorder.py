"""A run's folder holds complete rows at every moment, and is completed to the byte that an undisturbed run writes."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from textwrap import dedent

import pandas as pd
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
from suite.records.atomic import replace_own
from suite.records.folder import read_manifest
from suite.records.grow import whole_rows
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE, write_json
from suite.records.rows import as_csv, frames
from suite.trial import Manifest, RunRecord, Status, Trial

SEEDS = 3


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return three cells of three seeds in the plan's order: with odd texts, with a divergence, and untrainable."""
    diverged = {"status": Status.DIVERGED, "final_loss": math.nan, "curve": ((0, 1.0), (1, math.inf), (2, math.nan))}
    failed = {
        "status": Status.ERROR,
        "reason": 'no\n"kernel", here\r',
        "curve": (),
        "observations": (),
        "distances": (),
    }
    odd = (("w[0,1]", 1 / 3), ('said "x",\ny', -0.0))
    drawn = tuple(("output", TRAINED, x, 2.0 * x) for x in (0.0, 0.5, 1.0))
    return [
        *(trial_of(seed, case="odd, name", observations=odd, graphs=drawn) for seed in range(SEEDS)),
        *(trial_of(seed, dtype="float16", **diverged) for seed in range(SEEDS)),
        *(trial_of(seed, device="cuda:0", **failed) for seed in range(SEEDS)),
    ]


@pytest.fixture(scope="module")
def manifest(trials: list[Trial], manifest_of: Callable[..., Manifest]) -> Manifest:
    """Return what the run set out to do, before it is complete."""
    return manifest_of(trials, complete=False)


def content(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder, hidden ones too."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, trials: list[Trial], manifest: Manifest, machine: Machine
) -> dict[str, bytes]:
    """Return the files of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    recorder = Recorder(folder, manifest, machine)
    recorder.append(trials)
    recorder.finish()
    return content(folder)


@pytest.fixture
def complete(tmp_path: Path, undisturbed: dict[str, bytes]) -> Path:
    """Return a folder with a complete run, to be damaged."""
    return put(tmp_path / "run", undisturbed)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a folder's files."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def left_to_do(recorder: Recorder, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that a resumed run still lacks."""
    return [t for t in trials if (t.case, t.device, t.dtype, t.mode, t.seed) not in recorder.done]


def same_tables(ours: RunRecord, theirs: RunRecord) -> None:
    """Assert that two runs hold the same rows, of the same kinds, to the bit."""
    for table in ("trials", "curves", "observations"):
        pd.testing.assert_frame_equal(getattr(ours, table), getattr(theirs, table), check_exact=True)


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


TORN = ("curves.csv", "observations.csv", "probes.csv", "graphs.csv")
"""What holds rows of trials, beside their own."""


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
    manifest = manifest_of(trials, clauses=[Clause(observation="w", bounds={})], complete=False)
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
    manifest = manifest_of(trials, clauses=[Clause(observation="w", bounds={})], complete=False)
    manifest = replace(manifest, cells=tuple(replace(c, short=c.mode == "eager") for c in manifest.cells))
    recorder = Recorder(tmp_path / "run", manifest, machine)
    recorder.append(trials)
    recorder.finish()
    before = content(recorder.folder)
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


def killed_after(survived: int) -> Callable[[Path, str], None]:
    """Return a way to replace files that works so many times, and is then interrupted."""
    replaced: list[Path] = []

    def replace_some(file: Path, text: str) -> None:
        if len(replaced) == survived:
            raise KeyboardInterrupt
        replaced.append(file)
        replace_own(file, text)

    return replace_some


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


def test_a_run_is_not_begun_over_another(complete: Path, manifest: Manifest, machine: Machine) -> None:
    """What was recorded stays as it is, and both ways on are told."""
    before = content(complete)
    with pytest.raises(SuiteError) as caught:
        Recorder(complete, manifest, machine)
    assert caught.value.faults == (f"{complete}: holds a run already; give another --out, or --resume to complete it",)
    assert content(complete) == before


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
