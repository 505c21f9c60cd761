"""A baseline is replaced whole or not at all, by one process at a time, whatever stands in its place or reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import suite.records.baseline as baseline_module
from suite.errors import SuiteError
from suite.records import Recorder, accept, find_baselines, read_run
from suite.records.lock import LOCK_FILE
from suite.trial import RunRecord
from tests.records.accepted import CPU, REASON, names
from tests.records.recorded import content


def accept_as(run: str, run_over: Callable[..., RunRecord], folder: Path) -> None:
    """Accept a run of that name."""
    accept(run_over(CPU, run=run), folder, reason=REASON, who="Ada")


def found_in(folder: Path) -> tuple[str, str]:
    """Return the run that is the baseline, and the one that it replaced; empty if there is none."""
    for baseline in find_baselines(folder).values():
        assert baseline.manifest.accepted is not None
        return baseline.manifest.run, baseline.manifest.accepted.replaced
    return "", ""


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> bool:
    """Act, but be killed before the next step on the disk after so many; tell whether that came before the end."""
    done: list[str] = []

    def counted(step: Callable[..., object]) -> Callable[..., object]:
        def take(*args: object, **given: object) -> object:
            if len(done) == steps:
                raise KeyboardInterrupt
            done.append(step.__name__)
            return step(*args, **given)

        return take

    with monkeypatch.context() as patched:
        for name in ("mkdir", "write_text", "replace", "rename", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        try:
            act()
        except KeyboardInterrupt:
            return True
    return False


@pytest.mark.parametrize("before", ["", "old"])
def test_a_baseline_is_found_wherever_accepting_was_killed(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """After every single step on the disk there is the old one or the new one; accepting again mends the folder."""
    seen = []
    for steps in range(100):
        folder = tmp_path / str(steps)
        if before:
            accept(run_over(CPU, run=before), folder, reason=REASON, who="Ada")
        if not killed_after(steps, monkeypatch, partial(accept_as, "new", run_over, folder)):
            break
        seen.append(found_in(folder))
        accept_as("again", run_over, folder)
        assert found_in(folder) == ("again", seen[-1][0])
        assert names(folder) == [LOCK_FILE, "cpu"]
    runs = [run for run, _ in seen]
    assert set(runs) == {before, "new"}
    assert runs == sorted(runs, key=[before, "new"].index)


@pytest.mark.parametrize("make", ["link", "dangling", "file"])
def test_what_stood_in_a_baselines_place_is_replaced(
    tmp_path: Path, run_over: Callable[..., RunRecord], make: str
) -> None:
    """Of a link, not what it leads to; nothing of it is left that would stop the next one, or be found again."""
    folder, elsewhere = tmp_path / "baselines", tmp_path / "elsewhere"
    accept_as("old", run_over, elsewhere)
    folder.mkdir()
    if make == "file":
        (folder / "cpu").touch()
    else:
        (folder / "cpu").symlink_to(elsewhere / ("cpu" if make == "link" else "nowhere"))
    for run in ("new", "newer"):
        accept_as(run, run_over, folder)
        assert names(folder) == [LOCK_FILE, "cpu"]
    assert found_in(elsewhere) == ("old", "")
    assert found_in(folder) == ("newer", "new")
    assert not (folder / "cpu").is_symlink()


@pytest.mark.parametrize("left", [".cpu.old", ".cpu.new"])
def test_what_cannot_be_taken_away_is_named(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """The baseline stays, and the line says what stands in the way."""
    accept_as("old", run_over, tmp_path)
    (tmp_path / left).mkdir()

    def refuse(place: Path) -> None:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(SuiteError) as caught:
        accept_as("new", run_over, tmp_path)
    assert caught.value.faults == (f"{tmp_path}/{left}: cannot be written: Permission denied",)
    assert found_in(tmp_path) == ("old", "")


def test_an_old_baseline_that_cannot_be_taken_away_is_no_fault_of_the_new_one(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one is accepted; whoever accepts next is told, or finds it gone."""
    accept_as("old", run_over, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        accept_as("new", run_over, tmp_path)
    assert found_in(tmp_path) == ("new", "old")
    accept_as("newer", run_over, tmp_path)
    assert names(tmp_path) == [LOCK_FILE, "cpu"]


def replaced_while_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, replace_it: Callable[[], None], times: int
) -> list[int]:
    """Let the baseline be replaced in the middle of reading it, so many times; return a place for each reading."""
    readings: list[int] = []
    read = read_run

    def disturbed(place: Path) -> RunRecord:
        readings.append(len(readings))
        found: RunRecord = read(place)
        if len(readings) <= times:
            with monkeypatch.context() as calm:
                calm.setattr(baseline_module, "read_run", read)
                replace_it()
        return found

    monkeypatch.setattr(baseline_module, "read_run", disturbed)
    return readings


def test_a_baseline_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever compares while another accepts sees the old one or the new one, all of it."""
    accept_as("old", run_over, tmp_path)
    readings = replaced_while_read(tmp_path, monkeypatch, partial(accept_as, "new", run_over, tmp_path), 2)
    assert found_in(tmp_path) == ("new", "new")
    assert len(readings) == 3


def test_what_is_missing_while_a_baseline_is_replaced_is_no_fault(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that went away with the old baseline is looked for in the new one; otherwise it is missing."""
    accept_as("old", run_over, tmp_path)
    read, faults = read_run, iter([SuiteError("gone")])

    def gone_once(place: Path) -> RunRecord:
        for fault in faults:
            accept_as("new", run_over, tmp_path)
            raise fault
        return read(place)

    monkeypatch.setattr(baseline_module, "_present", lambda *_, **__: {})
    monkeypatch.setattr(baseline_module, "read_run", gone_once)
    assert found_in(tmp_path)[0] == "new"
    monkeypatch.setattr(baseline_module, "read_run", lambda _: (_ for _ in ()).throw(SuiteError("gone")))
    with pytest.raises(SuiteError, match="gone"):
        find_baselines(tmp_path)


def test_baselines_that_are_replaced_without_end_are_given_up(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading does not go on for ever."""
    accept_as("old", run_over, tmp_path)
    monkeypatch.setattr(baseline_module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(baseline_module, "_glance", lambda _: None)
    with pytest.raises(SuiteError) as caught:
        find_baselines(tmp_path)
    assert caught.value.faults == (f"{tmp_path}: is replaced again and again; try again once that has ended",)


def test_one_who_waits_too_long_to_accept_is_told_who_accepts(
    tmp_path: Path, run_over: Callable[..., RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acceptances wait for each other, but not for ever; the old baseline stays."""
    accept_as("old", run_over, tmp_path)
    monkeypatch.setattr(baseline_module, "PATIENCE_SECONDS", 0.05)
    code = "import sys, time; from pathlib import Path; from suite.records.lock import only_writer\n"
    code += "with only_writer(Path(sys.argv[1]), patience=0.0): print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) as holder:  # type: ignore[call-overload]
        holder.stdout.readline()
        with pytest.raises(SuiteError, match=rf"process {holder.pid} of .* is writing there; wait until it has ended"):
            accept_as("new", run_over, tmp_path)
        holder.stdin.close()
    assert found_in(tmp_path) == ("old", "")


def test_a_baseline_is_not_resumed(tmp_path: Path, run_over: Callable[..., RunRecord]) -> None:
    """Who accepted it, and why, is of the rows that it holds; it stays as it is."""
    accept_as("old", run_over, tmp_path)
    (tmp_path / "cpu/trials.csv").write_bytes((tmp_path / "cpu/trials.csv").read_bytes()[:-9])
    before = content(tmp_path / "cpu")
    run = run_over(CPU, run="old")
    with pytest.raises(SuiteError) as caught:
        Recorder.resume(tmp_path / "cpu", run.manifest, run.machine)
    told = "is a baseline, which is replaced and not resumed; accept a whole run"
    assert caught.value.faults == (f"{tmp_path}/cpu: {told}",)
    assert content(tmp_path / "cpu") == before
    with pytest.raises(SuiteError, match=r"is cut off; .* in a baseline's place accept one"):
        read_run(tmp_path / "cpu")
