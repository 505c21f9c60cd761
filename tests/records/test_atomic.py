"""A file holds its old content or its new, whole rows only, and what the system refuses is one line."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.records.atomic import BESIDE, append_text, cut_to_whole_rows, reading, replace_text, sweep, writing


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the examples of a property write to, one after the other."""
    return tmp_path_factory.mktemp("atomic")


def below_a_file(folder: Path) -> Path:
    """Return a place that no one can write to, not even root: below a regular file."""
    (folder / "file").write_text("here")
    return folder / "file" / "rows.csv"


def in_a_folder_that_vanished(folder: Path) -> Path:
    """Return a place in a folder that is gone."""
    place = folder / "gone"
    place.mkdir()
    place.rmdir()
    return place / "rows.csv"


IMPOSSIBLE = pytest.mark.parametrize(
    ("place_in", "reason"),
    [(below_a_file, "Not a directory"), (in_a_folder_that_vanished, "No such file or directory")],
)


@given(texts=st.lists(st.text(), min_size=1, max_size=4))
def test_a_file_holds_what_it_was_replaced_with_last(scratch: Path, texts: list[str]) -> None:
    """The content is the last one to the byte, line ends included, and nothing else is left in the folder."""
    for text in texts:
        replace_text(scratch / "rows.csv", text)
    assert (scratch / "rows.csv").read_bytes() == texts[-1].encode()
    assert os.listdir(scratch) == ["rows.csv"]  # noqa: PTH208 - hidden files count


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


@IMPOSSIBLE
@pytest.mark.parametrize("write", [replace_text, append_text])
def test_an_impossible_place_is_one_line(
    tmp_path: Path, place_in: Callable[[Path], Path], reason: str, write: Callable[[Path, str], None]
) -> None:
    """The line names the place and the system's reason."""
    place = place_in(tmp_path)
    with pytest.raises(SuiteError) as caught:
        write(place, "row\n")
    assert caught.value.faults == (f"{place}: cannot be written: {reason}",)


def test_a_full_disk_is_one_line() -> None:
    """What the disk does not take is told, not lost in silence."""
    with pytest.raises(SuiteError) as caught:
        append_text(Path("/dev/full"), "row\n")
    assert caught.value.faults == ("/dev/full: cannot be written: No space left on device",)


def test_rows_are_not_appended_to_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that someone took away is not begun again in the middle, without its header."""
    with pytest.raises(SuiteError, match="cannot be written: No such file or directory"):
        append_text(tmp_path / "rows.csv", "row\n")
    assert not list(tmp_path.iterdir())


LIMITED = """
    import resource, sys
    from pathlib import Path
    from suite.errors import SuiteError
    from suite.records.atomic import append_text, replace_text

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    place = Path(sys.argv[1])
    for write in (replace_text, append_text):
        try:
            write(place, "x" * 100)
        except SuiteError as error:
            print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)  # what measures this process has a file to write, too
"""


def test_a_disk_that_fills_leaves_the_old_content(tmp_path: Path) -> None:
    """Where new content does not fit, replacing and appending keep the old one, leave no half, and say so in a line."""
    place = tmp_path / "rows.csv"
    place.write_text("header\n")
    done = subprocess.run(
        [sys.executable, "-c", dedent(LIMITED), str(place)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{place}: cannot be written: File too large\n" * 2
    assert place.read_text() == "header\n"
    assert list(tmp_path.iterdir()) == [place]


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


def test_what_a_kill_left_beside_a_file_is_swept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was to replace another and never did is taken away; nothing else is."""
    (tmp_path / "rows.csv").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: pytest.fail("killed"))
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(pytest.fail.Exception):
            replace_text(tmp_path / "rows.csv", "new")
    assert len(list(tmp_path.iterdir())) == 2
    sweep(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["rows.csv"]


def test_a_link_where_a_replacement_is_written_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guessed its name gains nothing: what the link leads to stays as it is, and so does the file."""
    monkeypatch.setattr("suite.records.atomic.token_hex", lambda _: "guessed")
    file, elsewhere = tmp_path / "file", tmp_path / "elsewhere"
    file.write_text("old")
    elsewhere.write_text("precious")
    (tmp_path / f"{BESIDE}guessed").symlink_to(elsewhere)
    with pytest.raises(SuiteError, match="file: cannot be written: File exists"):
        replace_text(file, "new")
    assert (file.read_text(), elsewhere.read_text()) == ("old", "precious")


def test_a_replacement_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the moment of renaming, the file is the old one."""
    place = tmp_path / "rows.csv"
    place.write_text("old")

    def refuse(path: Path, target: Path) -> Path:
        assert path.read_text() == "new"
        assert place.read_text() == "old"
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SuiteError) as caught:
        replace_text(place, "new")
    assert caught.value.faults == (f"{place}: cannot be written: Permission denied",)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"rows.csv": "old"}


@pytest.mark.parametrize(("guard", "verb"), [(reading, "read"), (writing, "written")])
def test_an_error_of_the_system_without_a_number_is_told_too(guard: Callable[[Path], object], verb: str) -> None:
    """What has no reason of the system's own is told in its own words; other errors pass."""
    with pytest.raises(SuiteError) as caught, guard(Path("here")):  # type: ignore[attr-defined]
        raise OSError("it is odd")
    assert caught.value.faults == (f"here: cannot be {verb}: it is odd",)
    with pytest.raises(KeyError), guard(Path("here")):  # type: ignore[attr-defined]
        raise KeyError("other")


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
    """Reading it later names what is missing; nothing is put in its place."""
    cut_to_whole_rows(tmp_path / "rows.csv")
    assert not list(tmp_path.iterdir())
