"""A baseline is a run that someone accepted, by type of device; accepting loses nothing that it does not name."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from suite.errors import SuiteError
from suite.machine import Machine
from suite.plan import Skip
from suite.records import Recorder, accept, find_baselines, in_memory, read_run
from suite.records.lock import LOCK_FILE
from suite.trial import Acceptance, Manifest, RunRecord, Status, Trial, device_type
from tests.records.accepted import CARD, CPU, HALF, REASON, names


def refused(run: RunRecord, folder: Path, *, reason: str = REASON) -> tuple[str, ...]:
    """Return the lines in which a run is not accepted; nothing is changed by the attempt."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(SuiteError) as caught:
        accept(run, folder, reason=reason)
    assert sorted(folder.parent.rglob("*")) == before
    return caught.value.faults


def test_the_type_of_a_device_is_its_name_without_a_number() -> None:
    """Cards of one machine share a baseline."""
    assert [device_type(device) for device in ("cpu", "cuda", "cuda:0", "cuda:12")] == ["cpu", "cuda", "cuda", "cuda"]


def test_accepting_says_who_when_why_and_what_it_replaced(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """The second names the first; the first replaced nothing."""
    before = datetime.now(UTC).replace(microsecond=0)
    accept(run_over(CPU, run="first"), tmp_path, reason=f"  {REASON}\n", who="Ada")
    first = find_baselines(tmp_path)["cpu"].manifest
    accept(run_over(CPU, run="second"), tmp_path, reason="another", who="Emmy")
    second = find_baselines(tmp_path)["cpu"].manifest
    assert first.accepted is not None
    assert second.accepted is not None
    assert (first.run, second.run) == ("first", "second")
    assert first.accepted == Acceptance(who="Ada", when=first.accepted.when, why=REASON, replaced="")
    assert second.accepted == Acceptance(who="Emmy", when=second.accepted.when, why="another", replaced="first")
    assert before <= datetime.fromisoformat(first.accepted.when) <= datetime.now(UTC)


def test_who_accepts_is_who_is_logged_in_unless_said_otherwise(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login name stands in the baseline."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    accept(run_over(CPU), tmp_path, reason=REASON)
    accepted = find_baselines(tmp_path)["cpu"].manifest.accepted
    assert accepted is not None
    assert accepted.who == "ada"


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 1234"), OSError("No username set")])
def test_someone_without_a_name_is_asked_for_one(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """In a container the user may have a number alone; that is one line and its remedy."""

    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    told = "your login name is not known here; say who accepts the run with --who"
    assert refused(run_over(CPU), tmp_path) == (told,)
    assert accept(run_over(CPU), tmp_path, reason=REASON, who="Ada") == [tmp_path / "cpu"]


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_a_run_is_not_accepted_without_a_reason(
    tmp_path: Path, run_over: Callable[..., RunRecord], reason: str
) -> None:
    """Blank is empty."""
    told = "--reason is empty; say why this run is to be trusted from now on"
    assert refused(run_over(CPU), tmp_path, reason=reason) == (told,)


def test_an_interrupted_run_is_not_accepted(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """Half a run is no baseline; the line says how to complete it."""
    told = "run a-run was interrupted; complete it with --resume before it is accepted"
    assert refused(run_over(CPU, complete=False), tmp_path) == (told,)


def test_a_run_is_split_by_type_of_device(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """Each part holds its own cells, devices and rows and no others', and no skipped device."""
    run = run_over(CPU, CARD, HALF, skipped=(Skip(device="mps", reason="not here"),))
    assert accept(run, tmp_path, reason=REASON, who="Ada") == [tmp_path / "cpu", tmp_path / "cuda"]
    found = find_baselines(tmp_path)
    assert list(found) == ["cpu", "cuda"]
    for kind, part in found.items():
        rows = {table: getattr(run, table) for table in ("trials", "curves", "observations")}
        for table, whole in rows.items():
            expected = whole[whole["device"].str.startswith(kind)].reset_index(drop=True)
            words = expected.select_dtypes("category").apply(lambda column: column.cat.remove_unused_categories())
            pd.testing.assert_frame_equal(getattr(part, table), expected.assign(**words), check_exact=True)
        assert part.manifest.cells == tuple(cell for cell in run.manifest.cells if device_type(cell.device) == kind)
        assert part.machine.devices == {n: d for n, d in run.machine.devices.items() if device_type(n) == kind}
        assert part.manifest.cases == run.manifest.cases
        assert part.manifest.skipped == ()


def test_a_run_that_looked_at_nothing_can_be_accepted(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """A table without a row keeps its columns."""
    run = run_over(CPU, CARD, observed=False)
    accept(run, tmp_path, reason=REASON, who="Ada")
    pd.testing.assert_frame_equal(find_baselines(tmp_path)["cuda"].observations, run.observations)


def test_a_type_of_device_that_the_run_did_not_train_on_keeps_its_baseline(
    tmp_path: Path, run_over: Callable[..., RunRecord]
) -> None:
    """Accepting a run of the processor says nothing about the card."""
    accept(run_over(CPU, CARD, run="both"), tmp_path, reason=REASON, who="Ada")
    accept(run_over(CPU, run="processor"), tmp_path, reason=REASON, who="Ada")
    runs = {kind: baseline.manifest.run for kind, baseline in find_baselines(tmp_path).items()}
    assert runs == {"cpu": "processor", "cuda": "both"}


def test_no_cell_of_the_baseline_is_lost_unless_that_is_allowed(
    tmp_path: Path, run_over: Callable[..., RunRecord]
) -> None:
    """Every cell that would be lost is named; --drop lets them go."""
    other = ("other", "cpu", "float64")
    accept(run_over(CPU, HALF, other, run="all"), tmp_path, reason=REASON, who="Ada")
    told = "of the present baseline is not in this run and would be lost; run all of it, or allow it with --drop"
    assert refused(run_over(HALF), tmp_path) == (f"neuron[cpu-float64] {told}", f"other[cpu-float64] {told}")
    accept(run_over(HALF), tmp_path, reason=REASON, who="Ada", drop=True)
    assert [cell.dtype for cell in find_baselines(tmp_path)["cpu"].manifest.cells] == ["float16"]


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        (range(100), range(1), 99),
        (range(100), range(99), 1),
        (range(10, 20), range(15), 5),
        (range(10, 20), range(15, 40), 5),
        (range(10), range(20, 40), 10),
        (range(2**64 - 3, 2**64), range(2**64 - 3, 2**64 - 1), 1),
    ],
    ids=str,
)
def test_no_seed_of_the_baseline_is_lost_unless_that_is_allowed(
    tmp_path: Path, run_over: Callable[..., RunRecord], before: range, now: range, lost: int
) -> None:
    """A cell of which the run holds fewer seeds is named with their number; --drop lets them go."""
    accept(run_over(CPU, HALF, seeds=before), tmp_path, reason=REASON, who="Ada")
    told = (
        f"{lost} of the present baseline's {len(before)} seeds are not in this run and would be lost; "
        "run all of them, or allow it with --drop"
    )
    fewer = run_over(CPU, HALF, seeds=now)
    assert refused(fewer, tmp_path) == tuple(f"neuron[cpu-{dtype}] (eager): {told}" for dtype in ("float64", "float16"))
    accept(fewer, tmp_path, reason=REASON, who="Ada", drop=True)
    assert [cell.seeds for cell in find_baselines(tmp_path)["cpu"].manifest.cells] == [len(now)] * 2


def test_what_would_be_lost_of_a_cell_is_told_once(
    tmp_path: Path, trial_of: Callable[..., Trial], run_of: Callable[..., RunRecord]
) -> None:
    """A cell of several modes is named once if all of it would be lost, and else with the mode that would be."""
    modes = ("eager", "ensemble")
    both = [trial_of(seed, case=case, mode=mode) for case in ("neuron", "other") for mode in modes for seed in range(9)]
    accept(run_of(both), tmp_path, reason=REASON, who="Ada")
    told = "of the present baseline is not in this run and would be lost; run all of it, or allow it with --drop"
    fewer = "6 of the present baseline's 9 seeds are not in this run and would be lost; run all of them, or allow it"
    assert refused(run_of([trial_of(seed) for seed in range(3)]), tmp_path) == (
        f"neuron[cpu-float64] (eager): {fewer} with --drop",
        f"neuron[cpu-float64] (ensemble) {told}",
        f"other[cpu-float64] {told}",
    )


def test_more_seeds_than_before_are_no_loss(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """A baseline that grows loses nothing."""
    accept(run_over(CPU, seeds=range(10, 20)), tmp_path, reason=REASON, who="Ada")
    accept(run_over(CPU, seeds=range(30)), tmp_path, reason=REASON, who="Ada")
    assert [cell.seeds for cell in find_baselines(tmp_path)["cpu"].manifest.cells] == [30]


def test_more_cells_than_before_are_no_loss(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """A baseline grows without being asked."""
    accept(run_over(CPU), tmp_path, reason=REASON, who="Ada")
    accept(run_over(CPU, HALF), tmp_path, reason=REASON, who="Ada")
    assert len(find_baselines(tmp_path)["cpu"].manifest.cells) == 2


def test_nothing_is_left_beside_the_baselines(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """The folder holds the baselines and a free lock alone, each baseline with the files of a run."""
    for _ in range(2):
        accept(run_over(CPU), tmp_path / "baselines", reason=REASON, who="Ada")
    assert names(tmp_path / "baselines") == [LOCK_FILE, "cpu"]
    tables = ["curves.csv", "first.csv", "graphs.csv", "observations.csv", "probes.csv", "trials.csv"]
    files = sorted([*tables, "machine.json", "run.json"])
    assert names(tmp_path / "baselines" / "cpu") == files


def test_a_run_folder_serves_as_the_baseline_of_all_its_devices(
    tmp_path: Path, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> None:
    """To compare two runs, nothing needs to be accepted."""
    trials = [trial_of(0), trial_of(0, device="cuda:0")]
    recorder = Recorder(tmp_path / "run", manifest_of(trials), machine)
    recorder.append(trials)
    recorder.finish()
    found = find_baselines(tmp_path / "run")
    assert list(found) == ["cpu", "cuda"]
    assert found["cpu"] is found["cuda"]
    assert found["cpu"].manifest == read_run(tmp_path / "run").manifest


def test_a_run_folder_is_no_place_for_baselines(
    tmp_path: Path,
    run_over: Callable[..., RunRecord],
    trial_of: Callable[..., Trial],
    manifest_of: Callable[..., Manifest],
    machine: Machine,
) -> None:
    """What was accepted into it would never be found again."""
    Recorder(tmp_path / "run", manifest_of([trial_of()]), machine)
    told = f"{tmp_path}/run: is a run's own folder; give a folder of baselines as --baseline"
    assert refused(run_over(CPU), tmp_path / "run") == (told,)


@pytest.mark.parametrize("make", [Path.exists, Path.mkdir, Path.touch], ids=["missing", "empty", "a file"])
def test_where_no_baseline_is_none_is_found(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """That is no error here: every cell without a baseline is named when it is judged."""
    make(tmp_path / "baselines")
    assert find_baselines(tmp_path / "baselines") == {}


def test_folders_that_hold_no_run_are_passed_over(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """What else lies beside the baselines is none."""
    accept(run_over(CPU), tmp_path, reason=REASON, who="Ada")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "README").touch()
    assert list(find_baselines(tmp_path)) == ["cpu"]


def test_a_damaged_baseline_is_refused_by_its_file(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """It is neither passed over nor replaced."""
    accept(run_over(CPU), tmp_path, reason=REASON, who="Ada")
    (tmp_path / "cpu" / "curves.csv").write_bytes(b"")
    told = (f"{tmp_path}/cpu/curves.csv: is empty; a header was expected",)
    with pytest.raises(SuiteError) as caught:
        find_baselines(tmp_path)
    assert caught.value.faults == told
    mend = f"{tmp_path}: replace what cannot be read with --drop"
    assert refused(run_over(CPU), tmp_path) == (*told, mend)


def test_a_damaged_baseline_is_dropped_alone(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """Those of other kinds of device keep what they know, and stand in no one's way."""
    accept(timed(run_over(CPU, CARD, run="both"), 1.0), tmp_path, reason=REASON, who="Ada")
    damaged = tmp_path / "cuda" / "curves.csv"
    damaged.write_bytes(b"")
    accept(timed(run_over(CPU, run="alone"), 2.0), tmp_path, reason=REASON, who="Ada")
    accept(timed(run_over(CPU, CARD, run="newer"), 3.0), tmp_path, reason=REASON, who="Ada", drop=True)
    found = find_baselines(tmp_path)
    accepted = {kind: run.manifest.accepted for kind, run in found.items()}
    assert {kind: note.replaced for kind, note in accepted.items() if note} == {"cpu": "alone", "cuda": ""}
    assert {kind: list(run.first["train_seconds"]) for kind, run in found.items()} == {
        "cpu": [1.0, 1.0],
        "cuda": [3.0, 3.0],
    }


def below_a_file(folder: Path) -> Path:
    """Return a place below a regular file."""
    (folder / "file").touch()
    return folder / "file" / "baselines"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """The folder is named, with the system's reason."""
    place = below_a_file(tmp_path)
    assert refused(run_over(CPU), place) == (f"{place}: cannot be written: Not a directory",)


def test_a_place_that_cannot_be_read_is_one_line(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """The folder is named, with the system's reason, by finding as by accepting."""
    place = tmp_path / ("x" * 300)
    told = (f"{place}: cannot be read: File name too long",)
    with pytest.raises(SuiteError) as caught:
        find_baselines(place)
    assert caught.value.faults == told
    assert refused(run_over(CPU), place) == told


def timed(run: RunRecord, seconds: float) -> RunRecord:
    """Return the run as it would be, had each trial taken so long."""
    return replace(run, trials=run.trials.assign(train_seconds=seconds))


def first_seconds(folder: Path) -> dict[str, float]:
    """Return what was timed first, by dtype."""
    rows = find_baselines(folder)["cpu"].first
    return dict(zip(rows["dtype"].astype(str), rows["train_seconds"], strict=True))


def test_a_baseline_keeps_what_was_timed_first(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """However often another is accepted; a cell that is new is timed first then, and one that went is forgotten."""
    for seconds, cells in ((1.0, [CPU]), (2.0, [CPU, HALF]), (3.0, [CPU, HALF])):
        accept(timed(run_over(*cells), seconds), tmp_path, reason=REASON, who="Ada")
    assert first_seconds(tmp_path) == {"float64": 1.0, "float16": 2.0}
    accept(timed(run_over(HALF), 4.0), tmp_path, reason=REASON, who="Ada", drop=True)
    assert first_seconds(tmp_path) == {"float16": 2.0}


@pytest.mark.parametrize("changed", ["case", "machine"])
def test_what_computes_something_else_is_timed_anew(
    tmp_path: Path, run_over: Callable[..., RunRecord], machine: Machine, changed: str
) -> None:
    """Another version of a case, or another machine, has no time in common with the first."""
    accept(timed(run_over(CPU), 1.0), tmp_path, reason=REASON, who="Ada")
    run = timed(run_over(CPU), 2.0)
    if changed == "machine":
        run = replace(run, machine=replace(run.machine, python="CPython 9"))
    else:
        cases = tuple(replace(case, version="f" * 12) for case in run.manifest.cases)
        trials = run.trials.assign(case_version="f" * 12).astype({"case_version": "category"})
        run = replace(run, manifest=replace(run.manifest, cases=cases), trials=trials)
    accept(run, tmp_path, reason=REASON, who="Ada")
    assert first_seconds(tmp_path) == {"float64": 2.0}


def test_what_was_not_timed_alone_is_no_first(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """Seeds that were trained in company, or together, have no time of their own."""
    run = run_over(CPU)
    untimed = run.trials.assign(yardstick_seconds=float("nan"))
    accept(replace(run, trials=untimed), tmp_path, reason=REASON, who="Ada")
    assert not first_seconds(tmp_path)
    assert not len(run.first)


def test_a_run_in_which_seeds_failed_is_no_baseline(
    tmp_path: Path, trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> None:
    """What could not be trained is named with its reason; that it is meant must be said."""
    trials = [trial_of(0), trial_of(1, status=Status.ERROR, reason="RuntimeError: no")]
    run = in_memory(manifest_of(trials), machine, trials)
    told = r"^neuron\[cpu-float64\]: 1 of its trials failed, as RuntimeError: no; mend it, or allow it with --drop$"
    with pytest.raises(SuiteError, match=told):
        accept(run, tmp_path, reason=REASON, who="Ada")
    assert find_baselines(tmp_path) == {}
    accept(run, tmp_path, reason=REASON, who="Ada", drop=True)
    assert list(find_baselines(tmp_path)) == ["cpu", "cuda"]
