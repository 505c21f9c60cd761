"""Rows are added to a file whole or not at all, half a row is cut off it, and nothing is written through a link."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suite.records.grow as grow_module
from suite.errors import SuiteError
from suite.records.atomic import replace_text
from suite.records.grow import append_text, cut_to_whole_rows, is_torn, whole_rows


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the examples of a property write to, one after the other."""
    return tmp_path_factory.mktemp("grow")


@given(texts=st.lists(st.text(), max_size=4))
def test_appended_texts_stand_one_after_the_other(scratch: Path, texts: list[str]) -> None:
    """Appending is concatenation."""
    replace_text(scratch / "rows.csv", "header\n")
    for text in texts:
        append_text(scratch / "rows.csv", text)
    assert (scratch / "rows.csv").read_bytes() == ("header\n" + "".join(texts)).encode()


def test_what_the_system_takes_in_parts_is_appended_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes fewer bytes than it was given is gone on with."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data[:3])))
    (tmp_path / "rows.csv").touch()
    append_text(tmp_path / "rows.csv", "1,twø,3\n4,5,6\n")
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == "1,twø,3\n4,5,6\n"


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk does not take is told, not lost in silence, and nothing of it is left."""
    place, room, write = tmp_path / "rows.csv", iter([3]), os.write

    def fill(handle: int, data: bytes) -> int:
        for size in room:
            return write(handle, bytes(data[:size]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place.write_text("header\n")
    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(SuiteError) as caught:
        append_text(place, "row\n")
    assert caught.value.faults == (f"{place}: cannot be written: No space left on device",)
    assert place.read_text() == "header\n"


def test_rows_are_not_appended_to_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that someone took away is not begun again in the middle, without its header."""
    with pytest.raises(SuiteError, match="cannot be written: No such file or directory"):
        append_text(tmp_path / "rows.csv", "row\n")
    assert not list(tmp_path.iterdir())


def test_rows_that_are_interrupted_are_not_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two parts of one write leaves none of it."""
    place = tmp_path / "rows.csv"
    place.write_text("header\n")
    parts = iter([3])

    def write_some(handle: int, data: bytes) -> int:
        for size in parts:
            return write(handle, bytes(data[:size]))
        raise KeyboardInterrupt

    write = os.write
    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(KeyboardInterrupt):
        append_text(place, "1,2,3\n")
    assert place.read_text() == "header\n"


def lines(rows: list[list[str]]) -> list[bytes]:
    """Return each row as the bytes of a CSV file, with whatever line ends its texts hold."""
    written = []
    for row in rows:
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\r\n").writerow(row)
        written.append((stream.getvalue().removesuffix("\r\n") + "\n").encode())
    return written


CELLS = st.text(alphabet='a,"\n\ré', max_size=6)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=5), data=st.data())
def test_a_cut_file_is_left_with_its_whole_rows(scratch: Path, rows: list[list[str]], data: st.DataObject) -> None:
    """Wherever a kill cut the file, the rows before the cut stay, and nothing of the row that it hit."""
    whole = lines(rows)
    cut = data.draw(st.integers(0, sum(map(len, whole))))
    ends = [sum(map(len, whole[:count])) for count in range(len(whole) + 1)]
    place = scratch / "rows.csv"
    place.write_bytes(b"".join(whole)[:cut])
    cut_to_whole_rows(place)
    assert place.read_bytes() == b"".join(whole)[: max(end for end in ends if end <= cut)]


def test_a_file_that_is_not_there_is_not_cut(tmp_path: Path) -> None:
    """What is missing is named; nothing is put in its place."""
    with pytest.raises(SuiteError, match=r"rows.csv: cannot be read: No such file or directory$"):
        cut_to_whole_rows(tmp_path / "rows.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("data", "torn"), [(b"", False), (b"a\n", False), (b"a\nb", True), (b'a\n"b\n', True)])
def test_a_file_that_ends_in_half_a_row_is_torn(tmp_path: Path, data: bytes, torn: bool) -> None:
    """A line end within a quoted text ends no row."""
    (tmp_path / "rows.csv").write_bytes(data)
    assert is_torn(tmp_path / "rows.csv") is torn


class Watched(bytes):
    """Counts the bytes among which something is looked for."""

    looked = 0

    def count(self, what: bytes, start: int, end: int) -> int:  # type: ignore[override]
        """Look at all bytes from the start to the end."""
        Watched.looked += end - start
        return super().count(what, start, end)

    def rfind(self, what: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        """Look from the end back to what is found."""
        end = len(self) if end is None else end
        found = super().rfind(what, start, end)
        Watched.looked += end - found
        return found


@pytest.mark.parametrize("lines_within", [10, 1_000])
def test_finding_the_last_whole_row_looks_at_each_byte_a_few_times(
    lines_within: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many line ends the text holds whose end was cut off: counting anew for each would take its square."""
    monkeypatch.setattr(Watched, "looked", 0)
    data = Watched(b'header\n1,"' + b"line\n" * lines_within)
    assert whole_rows(data) == len(b"header\n")
    assert Watched.looked <= 4 * len(data)


@pytest.mark.parametrize("unseen", [False, True], ids=["there before", "put there after it was looked at"])
def test_nothing_is_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unseen: bool) -> None:
    """What a link leads to is neither added to nor cut, even where the link takes the file's place in between."""
    secret, link = tmp_path / "secret", tmp_path / "rows.csv"
    secret.write_text("half a row")
    link.symlink_to(secret)
    if unseen:
        monkeypatch.setattr(grow_module, "check_own", lambda _: None)
        monkeypatch.setattr(grow_module, "read_own", lambda _: b"half a row")
    told = "cannot be written: " if unseen else "is a link, which is not followed"
    for write in (cut_to_whole_rows, lambda file: append_text(file, "row\n")):
        with pytest.raises(SuiteError, match=f"rows.csv: {told}"):
            write(link)
    assert secret.read_text() == "half a row"


@pytest.mark.parametrize("unseen", [False, True], ids=["there before", "put there after it was looked at"])
def test_rows_are_not_appended_to_a_device(monkeypatch: pytest.MonkeyPatch, unseen: bool) -> None:
    """It is no table, and would swallow them."""
    if unseen:
        monkeypatch.setattr(grow_module, "check_own", lambda _: None)
    with pytest.raises(SuiteError, match=r"^/dev/null: is a pipe or a device; put a plain file there$"):
        append_text(Path("/dev/null"), "row\n")
