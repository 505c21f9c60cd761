"""Each row of a run is about one of its trials, of which none lost any, and no cell's rows are scattered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suite.clause import Clause
from suite.errors import SuiteError
from suite.machine import Machine
from suite.picture import TRAINED
from suite.records import Recorder, accept, in_memory, read_run
from suite.records.atomic import replace_own
from suite.records.belonging import Register
from suite.records.grow import append_text
from suite.records.manifest import MANIFEST_FILE, write_json
from suite.records.rows import as_csv, frames
from suite.records.schema import KEY
from suite.trial import Manifest, RunRecord, Status, Trial
from tests.records.recorded import SEEDS, TORN, left_to_do, same_tables

LAST = 2**64 - 1
Key = tuple[str | int, ...]
CELLS = [("a", "b", "c", "d"), ("a", "b", "c", ""), ("a", "b", "c", "d "), ("b", "a", "c", "d"), ("", "ä,", '"', "\n")]
KEYS = st.builds(
    lambda cell, seed: (*cell, seed), st.sampled_from(CELLS), st.sampled_from([0, 1, 2**53, 2**53 + 1, LAST - 1, LAST])
)


def keyed(keys: Sequence[Key]) -> pd.DataFrame:
    """Return rows that name these trials, as they are read from a file."""
    return pd.DataFrame({name: [key[place] for key in keys] for place, name in enumerate(KEY)}).astype(KEY)


@given(trials=st.lists(KEYS, unique=True), rows=st.lists(KEYS | st.just(("x",) * 4 + (0,))))
@example(trials=[(*CELLS[0], 0), (*CELLS[1], 0)], rows=[(*CELLS[1], 1)])
def test_each_row_finds_its_trial(trials: list[Key], rows: list[Key]) -> None:
    """Whatever the words, whatever the order, up to the last of all seeds; a row of no trial finds none."""
    found = Register(keyed(trials)).places(keyed(rows))
    assert found.tolist() == [trials.index(row) if row in trials else -1 for row in rows]


def test_more_cells_and_seeds_than_can_be_multiplied_are_told_apart() -> None:
    """Where each trial has a cell and a seed of its own, too."""
    several = [(f"{k}", f"{k % 7}", f"{k}", f"{k % 3}", LAST - k) for k in range(5_000)]
    places = np.random.default_rng(0).permutation(len(several))
    strangers = [(*several[k][:4], LAST - k - 1) for k in range(5_000)]
    found = Register(keyed(several)).places(keyed([*(several[k] for k in places), *strangers]))
    assert found.tolist() == [*places.tolist(), *[-1] * len(strangers)]


@pytest.mark.parametrize("mode", ["eager", "ensemble"])
def test_trials_of_other_data_are_no_run(
    tmp_path: Path, trial_of: Callable[..., Trial], run_over: Callable[..., RunRecord], mode: str
) -> None:
    """A complete run whose case had other data meanwhile is refused by row; one that goes on is not."""
    failed = trial_of(0, status=Status.ERROR, data_digest="-", curve=(), observations=(), distances=())
    others = [trial_of(0, dtype="float32", data_digest="rounded"), trial_of(2, mode=mode, data_digest="other")]
    trials = [failed, trial_of(1), *others]
    manifest = replace(run_over(("neuron", "cpu", "float64")).manifest, run="a-run", complete=False)
    cells = {(t.dtype, t.mode): replace(manifest.cells[0], dtype=t.dtype, mode=t.mode) for t in trials}
    counted = {key: [t.seed for t in trials if (t.dtype, t.mode) == key] for key in cells}
    planned = tuple(replace(c, first_seed=counted[k][0], seeds=len(counted[k])) for k, c in cells.items())
    machine = run_over(("neuron", "cpu", "float64")).machine
    recorder = Recorder(tmp_path / "run", replace(manifest, cells=planned), machine)
    recorder.append(trials)
    assert len(read_run(tmp_path / "run").trials) == 4
    recorder.finish()
    row = 4 if mode == "eager" else 5
    with pytest.raises(SuiteError, match=rf": row {row}: seed 2 of neuron\[cpu-float64\] was trained on other data "):
        read_run(tmp_path / "run")


def cut_trials(folder: Path, trials: Sequence[Trial], manifest: Manifest) -> None:
    """Leave a run as a kill does between the rows of other tables and those of trials."""
    replace_own(folder / "trials.csv", as_csv(frames(manifest.run, trials)["trials.csv"]))
    write_json(folder / MANIFEST_FILE, manifest)


@pytest.mark.parametrize("kept", [(), (0,), (1, 4), (2, 3, 4)], ids=str)
def test_what_a_kill_left_of_other_trials_is_not_read(
    complete: Path, trials: list[Trial], manifest: Manifest, machine: Machine, kept: tuple[int, ...]
) -> None:
    """An interrupted run is read as if they had never been begun."""
    recorded = [trials[place] for place in kept]
    cut_trials(complete, recorded, manifest)
    found, expected = read_run(complete), in_memory(manifest, machine, recorded)
    same_tables(found, expected)
    for table in ("probes", "graphs"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(expected, table), check_exact=True)


def refused(folder: Path) -> tuple[str, ...]:
    """Return the lines in which a run is not read, without its folder's name."""
    with pytest.raises(SuiteError) as caught:
        read_run(folder)
    return tuple(fault.removeprefix(f"{folder}/") for fault in caught.value.faults)


@pytest.mark.parametrize("seed", [SEEDS, LAST])
def test_a_row_of_no_trial_is_refused_in_a_run_that_is_over(
    complete: Path, trials: list[Trial], undisturbed: dict[str, bytes], seed: int
) -> None:
    """By its file, its place and what it is about."""
    stranger = frames("a-run", [replace(trials[0], seed=seed)])
    for file in TORN:
        append_text(complete / file, as_csv(stranger[file], header=False))
    told = f"seed {seed} of odd, name[cpu-float64] has no row in trials.csv"
    rows = {file: undisturbed[file].replace(b',\ny"', b'"').count(b"\n") for file in TORN}
    assert refused(complete) == tuple(f"{file}: row {rows[file] + 1}: {told}" for file in TORN)


def test_a_row_of_no_trial_of_a_baseline_is_refused(complete: Path, tmp_path: Path) -> None:
    """What was accepted holds its own rows only."""
    accept(read_run(complete), tmp_path / "baselines", reason="so it is", who="Ada", drop=True)
    curves = tmp_path / "baselines" / "cpu" / "curves.csv"
    curves.write_bytes(curves.read_bytes().replace(b",eager,0,", b",ensemble,0,", 1))
    told = "curves.csv: row 2: seed 0 of odd, name[cpu-float64] has no row in trials.csv"
    assert refused(tmp_path / "baselines" / "cpu") == (told,)


@pytest.fixture
def record(tmp_path: Path, machine: Machine, manifest_of: Callable[..., Manifest]) -> Callable[..., Path]:
    """Record these trials in a run that is not over yet."""

    def make(trials: Sequence[Trial], name: str = "run") -> Path:
        recorder = Recorder(tmp_path / name, manifest_of(trials, complete=False), machine)
        recorder.append(trials)
        return recorder.folder

    return make


MANY = 41
"""So many seeds, each with a row of its own, take more room than is given to them; one less do not."""

OWN: dict[str, Callable[[int], dict[str, Any]]] = {
    "curves.csv": lambda k: {"curve": ((k, 1.0),)},
    "observations.csv": lambda k: {"observations": ((f"w[{k}]", 1.0),)},
    "probes.csv": lambda k: {"distances": (("loss", k, 1.0),)},
    "graphs.csv": lambda k: {"graphs": ((f"w[{k}]", TRAINED, 0.0, 1.0),)},
}
"""What a trial leaves that no other of its cell does, by the table in which it stands."""

KIND = {"curves.csv": "steps", "observations.csv": "names", "probes.csv": "steps", "graphs.csv": "names"}


@pytest.mark.parametrize("file", TORN)
def test_rows_that_are_scattered_are_refused(
    trial_of: Callable[..., Trial], record: Callable[..., Path], file: str
) -> None:
    """Where each seed has rows of its own, to lay them out would take the square of what they take."""
    sound = [trial_of(seed, case="sound") for seed in range(5)]
    folder = record([*sound, *(trial_of(seed, **OWN[file](seed)) for seed in range(MANY))])
    told = f"{MANY} rows of {MANY} trials are scattered over {MANY} {KIND[file]}, which no run's are"
    assert refused(folder) == (f"{file}: neuron[cpu-float64]: {told}",)


@pytest.mark.parametrize("file", TORN)
def test_few_rows_may_lie_as_they_like(trial_of: Callable[..., Trial], record: Callable[..., Path], file: str) -> None:
    """They take little room, and a seed may be followed for longer than the others."""
    folder = record([trial_of(seed, **OWN[file](seed)) for seed in range(MANY - 1)])
    assert len(read_run(folder).trials) == MANY - 1


LONG: dict[str, dict[str, Any]] = {
    "curves.csv": {"curve": tuple((step, 1.0) for step in range(MANY))},
    "observations.csv": {"observations": tuple((f"w[{k}]", 1.0) for k in range(MANY))},
}
"""What a trial leaves that has as many rows as all others together."""


@pytest.mark.parametrize("file", LONG)
def test_seeds_without_rows_are_laid_out_beside_one_that_has_many(
    trial_of: Callable[..., Trial], record: Callable[..., Path], file: str
) -> None:
    """A loss, or an observation, stands beside that of every other seed of its cell, which takes room for each."""
    bare: dict[str, Any] = {"curve": (), "observations": ()}
    first, *others = [trial_of(seed, **bare | (LONG[file] if seed == 0 else {})) for seed in range(MANY)]
    told = f"{MANY} rows of {MANY} trials are scattered over {MANY} {KIND[file]}, which no run's are"
    assert refused(record([first, *others])) == (f"{file}: neuron[cpu-float64]: {told}",)
    failed = [replace(trial, status=Status.ERROR) for trial in others]
    assert len(read_run(record([first, *failed], "another")).trials) == MANY


def test_probes_are_laid_out_together_whatever_their_mode(
    trial_of: Callable[..., Trial], record: Callable[..., Path]
) -> None:
    """Many seeds of one mode beside many steps of another take as much room as if they were of one."""
    often = tuple(("loss", step, 1.0) for step in range(50))
    many = [trial_of(seed, distances=often[:1]) for seed in range(50)]
    told = "100 rows of 51 trials are scattered over 50 steps, which no run's are"
    folder = record([*many, trial_of(50, mode="ensemble", distances=often)])
    assert refused(folder) == (f"probes.csv: neuron[cpu-float64]: {told}",)


@pytest.mark.parametrize("file", TORN)
@pytest.mark.parametrize("lost", [1, 2])
def test_a_complete_run_that_lost_rows_is_refused(
    complete: Path,
    trials: list[Trial],
    manifest: Manifest,
    machine: Machine,
    undisturbed: dict[str, bytes],
    file: str,
    lost: int,
) -> None:
    """Seeds without observations would be left out of what is expected; the remedy that is told mends it."""
    lines = undisturbed[file].splitlines(keepends=True)
    (complete / file).write_bytes(b"".join(lines[:-lost]))
    remedy = f"though run.json says complete; complete it with: suite run --resume --out {complete}"
    assert refused(complete) == (f"{file}: rows of 1 of {len(trials)} trials are missing, {remedy}",)
    recorder = Recorder.resume(complete, manifest, machine)
    recorder.append(left_to_do(recorder, trials))
    recorder.finish()
    same_tables(read_run(complete), in_memory(manifest, machine, trials))


def test_a_complete_run_without_what_is_expected_is_refused(
    complete: Path, trials: list[Trial], manifest: Manifest
) -> None:
    """Though no seed has more of it than another; that one could not be trained explains that it has nothing."""
    (complete / "observations.csv").write_text(as_csv(frames("a-run", [])["observations.csv"]))
    clause = Clause(observation="dead", bounds={"*": ([0.0], [0.0])})
    cases = tuple(replace(case, clauses=(clause,)) for case in manifest.cases)
    write_json(complete / MANIFEST_FILE, replace(manifest, cases=cases, complete=True))
    (told,) = refused(complete)
    trained = sum(trial.status is not Status.ERROR for trial in trials)
    assert told.startswith(f"observations.csv: rows of {trained} of {len(trials)} trials are missing, ")


@pytest.mark.parametrize("file", TORN[:3])
def test_a_baseline_that_lost_rows_is_refused(complete: Path, tmp_path: Path, file: str) -> None:
    """There is nothing to resume; a whole run takes its place."""
    accept(read_run(complete), tmp_path / "baselines", reason="so it is", who="Ada", drop=True)
    table = tmp_path / "baselines" / "cpu" / file
    table.write_bytes(b"".join(table.read_bytes().splitlines(keepends=True)[:-1]))
    told = f"{file}: rows of 1 of 6 trials are missing, though run.json says complete; accept a whole run"
    assert refused(tmp_path / "baselines" / "cpu") == (told,)


def test_a_baseline_lost_nothing_by_being_accepted(complete: Path, tmp_path: Path) -> None:
    """It holds the rows of one kind of device, and of what a page draws none."""
    run = read_run(complete)
    for place in accept(run, tmp_path / "baselines", reason="so it is", who="Ada", drop=True):
        assert read_run(place).graphs.empty
    assert len(run.graphs)
