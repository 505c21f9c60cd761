"""One process at a time writes to a folder; the others are told who does, and one that is gone blocks no one."""

from __future__ import annotations

import getpass
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.records.atomic import BESIDE
from suite.records.lock import HOLDER_FILE, LOCK_FILE, LONGEST, only_writer

HOLDING = """
import sys, time
from pathlib import Path
from suite.records.lock import only_writer

with only_writer(Path(sys.argv[1]), patience=0.0):
    Path(sys.argv[1], "held").touch()
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let another process hold a folder's lock; it lets go when its input ends."""
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdin=subprocess.PIPE) as process:
        while not (folder / "held").exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield process
    (folder / "held").unlink()


def refused(folder: Path) -> str:
    """Return the line in which the lock is not given."""
    with pytest.raises(SuiteError) as caught, only_writer(folder, patience=0.0):
        pytest.fail("two hold the lock")
    (line,) = caught.value.faults
    return line


def test_who_holds_the_lock_is_told(tmp_path: Path) -> None:
    """The line names the folder, the process, its owner and machine, since when, and what to do."""
    with held(tmp_path) as process:
        who = f"process {process.pid} of {getpass.getuser()} on {platform.node()}, since "
        told = rf"{tmp_path}: {who}\d{{4}}-\S+\+00:00 is writing there; "
        assert re.fullmatch(f"{told}wait until it has ended, or end it, and try again", refused(tmp_path))


@pytest.mark.parametrize("said", ["", None, "x" * 1000, b"\xff"])
def test_a_holder_that_says_nothing_is_told_too(tmp_path: Path, said: str | bytes | None) -> None:
    """Whoever has not said yet who it is, or said nonsense, keeps others out all the same, in one short line."""
    with held(tmp_path):
        (tmp_path / HOLDER_FILE).unlink()
        if said is not None:
            (tmp_path / HOLDER_FILE).write_bytes(said.encode() if isinstance(said, str) else said)
        line = refused(tmp_path)
    assert len(line) < len(str(tmp_path)) + LONGEST + 100
    assert said or "another process is writing there" in line


def test_a_lock_is_free_again(tmp_path: Path) -> None:
    """It can be held one after the other, and nobody is named when nobody holds it."""
    for _ in range(2):
        with only_writer(tmp_path, patience=0.0):
            assert str(os.getpid()) in (tmp_path / HOLDER_FILE).read_text(encoding="utf-8")
        assert [file.name for file in tmp_path.iterdir()] == [LOCK_FILE]


def test_a_fault_frees_the_lock(tmp_path: Path) -> None:
    """What fails while the lock is held lets it go."""
    with pytest.raises(KeyError), only_writer(tmp_path, patience=0.0):
        raise KeyError
    with held(tmp_path):
        pass


def test_one_who_was_killed_blocks_no_one(tmp_path: Path) -> None:
    """The system frees the lock of a process that is gone; what it said of itself is replaced."""
    with held(tmp_path) as process:
        process.kill()
        process.wait()
        with only_writer(tmp_path, patience=0.0):
            assert str(process.pid) not in (tmp_path / HOLDER_FILE).read_text(encoding="utf-8").split()


def test_what_one_who_was_killed_left_half_written_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it said who it is, it leaves a file beside; the next one takes that away, and nothing else."""
    (tmp_path / "baseline").touch()
    with monkeypatch.context() as patch, suppress(pytest.fail.Exception):
        patch.setattr(Path, "replace", lambda *_: pytest.fail("killed"))
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with only_writer(tmp_path, patience=0.0):
            pass
    assert any(file.name.startswith(BESIDE) for file in tmp_path.iterdir())
    with only_writer(tmp_path, patience=0.0):
        assert not any(file.name.startswith(BESIDE) for file in tmp_path.iterdir())
    assert sorted(file.name for file in tmp_path.iterdir()) == [LOCK_FILE, "baseline"]


def test_one_who_has_patience_gets_the_lock(tmp_path: Path) -> None:
    """It waits as long as it was told to, for one who ends meanwhile."""
    with held(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with only_writer(tmp_path, patience=60.0):
            assert process.wait() == 0


def test_a_place_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """Nothing is made where no folder is."""
    place = tmp_path / "gone"
    assert refused(place) == f"{place}: cannot be written: No such file or directory"
    assert not place.exists()


def test_a_pipe_in_the_holders_place_is_not_waited_for(tmp_path: Path) -> None:
    """Nor is a link followed, or more read than is shown: whoever has no patience is told at once."""
    with held(tmp_path):
        holder, secret = tmp_path / HOLDER_FILE, tmp_path / "secret"
        holder.unlink()
        os.mkfifo(holder)
        assert "another process is writing there" in refused(tmp_path)
        holder.unlink()
        secret.write_text("root:secret:0")
        holder.symlink_to(secret)
        assert "another process is writing there" in refused(tmp_path)
        holder.unlink()
        with holder.open("wb") as stream:
            stream.truncate(2**40)  # which no memory takes
        assert len(refused(tmp_path)) < len(str(tmp_path)) + 5 * LONGEST


def test_what_a_linked_lock_leads_to_stays(tmp_path: Path) -> None:
    """A stranger's folder cannot make the lock empty a file, or whoever holds it write into one."""
    secret, lock = tmp_path / "secret", tmp_path / "run" / LOCK_FILE
    lock.parent.mkdir()
    secret.write_text("precious")
    lock.symlink_to(secret)
    assert refused(lock.parent) == f"{lock}: is a link, which is not followed; put the file itself there"
    lock.unlink()
    (lock.parent / HOLDER_FILE).symlink_to(secret)
    with only_writer(lock.parent, patience=0.0):
        assert not (lock.parent / HOLDER_FILE).is_symlink()
    assert secret.read_text() == "precious"


def test_a_lock_that_becomes_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where it is put there after it was looked at."""
    monkeypatch.setattr("suite.records.lock.check_own", lambda _: None)
    (tmp_path / "secret").write_text("precious")
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "secret")
    assert "cannot be written" in refused(tmp_path)
    assert (tmp_path / "secret").read_text() == "precious"


def test_someone_of_an_odd_name_holds_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login name may hold bytes that are no UTF-8, which are told by their numbers."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ad\udcffa")
    with only_writer(tmp_path, patience=0.0):
        assert "of ad\\udcffa on" in (tmp_path / HOLDER_FILE).read_text(encoding="utf-8")


def test_someone_without_a_name_holds_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know may write, as before."""

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    with only_writer(tmp_path, patience=0.0):
        assert "of someone without a name on" in (tmp_path / HOLDER_FILE).read_text(encoding="utf-8")
