"""Of a file in a run's folder no more is read than it may hold."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite.errors import SuiteError
from suite.records import own
from suite.records.own import read_own

MOST = 1000
LARGE = "is larger than 1,000 bytes, which no run's is"


class Watched(io.FileIO):
    """A file that notes how much of it is read."""

    read_of_it = 0

    def readinto(self, buffer: Any) -> int | None:
        """Read as any file does."""
        count = super().readinto(buffer)
        Watched.read_of_it += count or 0
        return count


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all files be watched."""
    monkeypatch.setattr(own, "FileIO", Watched)
    monkeypatch.setattr(Watched, "read_of_it", 0)


def test_a_file_that_is_as_large_as_may_be_is_read(tmp_path: Path) -> None:
    """The limit is the last size that is taken."""
    (tmp_path / "file").write_bytes(b"x" * MOST)
    assert read_own(tmp_path / "file", MOST) == b"x" * MOST
    assert Watched.read_of_it == MOST


def test_nothing_is_read_of_a_larger_file(tmp_path: Path) -> None:
    """Of a file with holes that is larger than all memory, not a byte has to be held to refuse it."""
    with (tmp_path / "file").open("wb") as stream:
        stream.truncate(2**20)
    with pytest.raises(SuiteError) as caught:
        read_own(tmp_path / "file", MOST)
    assert caught.value.faults == (f"{tmp_path / 'file'}: {LARGE}",)
    assert Watched.read_of_it == 0


def test_little_is_read_of_a_file_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended after the file was measured is not read to its end."""
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    mode = (tmp_path / "file").stat().st_mode
    monkeypatch.setattr(os, "fstat", lambda _: SimpleNamespace(st_mode=mode, st_size=MOST, st_blksize=MOST))
    with pytest.raises(SuiteError, match=LARGE):
        read_own(tmp_path / "file", MOST)
    assert MOST < Watched.read_of_it <= MOST + 2 * io.DEFAULT_BUFFER_SIZE
