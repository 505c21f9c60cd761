"""A file holds its old content or its new, whole rows only, and what the system refuses is one line."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.records.atomic import BESIDE, reading, replace_own, replace_text, sweep, writing
from suite.records.grow import append_text


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


LIMITED = """
    import resource, sys
    from pathlib import Path
    from suite.errors import SuiteError
    from suite.records.atomic import replace_text
    from suite.records.grow import append_text

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


def test_what_is_written_into_stays_what_it_is(tmp_path: Path) -> None:
    """A pipe gets the text, and is a pipe still; one that nobody reads is refused."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_text(pipe, "täxt\n")
    assert os.read(handle, 100) == "täxt\n".encode()
    os.close(handle)
    with pytest.raises(SuiteError) as caught:
        replace_text(pipe, "nobody takes it")
    assert caught.value.faults == (f"{pipe}: cannot be written: No such device or address",)
    assert pipe.is_fifo()


def test_a_device_that_does_not_take_a_text_is_one_line() -> None:
    """It is written to, by way of a folder of the system in which nothing can be put in its place."""
    with Path("/dev/full").open("ab", buffering=0) as full:
        place = Path(f"/proc/self/fd/{full.fileno()}")
        with pytest.raises(SuiteError) as caught:
            replace_text(place, "nobody takes it")
    assert caught.value.faults == (f"{place}: cannot be written: No space left on device",)


PRINTING = """
    import sys
    from pathlib import Path
    from suite.records.atomic import replace_text

    print("before", flush=True)
    replace_text(Path(sys.argv[1]), "text\\n")
    print("after", flush=True)
"""


def test_what_is_written_to_standard_output_goes_where_that_goes(tmp_path: Path) -> None:
    """Even into a plain file, which is not replaced; as /dev/stdout, which is a link to this one."""
    with (tmp_path / "out").open("a") as stream:
        subprocess.run([sys.executable, "-c", dedent(PRINTING), "/proc/self/fd/1"], stdout=stream, check=True)
    assert (tmp_path / "out").read_text() == "before\ntext\nafter\n"


def test_a_link_that_a_user_names_is_replaced(tmp_path: Path) -> None:
    """What it leads to stays as it is."""
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    replace_text(tmp_path / "link", "new")
    assert ((tmp_path / "link").read_text(), (tmp_path / "target").read_text()) == ("new", "old")


@pytest.mark.parametrize("make", [os.mkfifo, lambda file: file.symlink_to("/dev/null")], ids=["pipe", "device"])
def test_a_folders_own_file_replaces_whatever_lies_there(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A stranger's folder cannot make what is written to it go elsewhere."""
    make(tmp_path / "run.json")
    replace_own(tmp_path / "run.json", "new")
    assert (tmp_path / "run.json").is_file()
    assert (tmp_path / "run.json").read_text() == "new"


@pytest.mark.parametrize("write", [replace_text, replace_own])
def test_who_may_read_a_file_is_as_before(tmp_path: Path, write: Callable[[Path, str], None]) -> None:
    """A file that others must not see does not become one that they may."""
    for mode in (0o600, 0o644, 0o664):
        (tmp_path / "file").touch()
        (tmp_path / "file").chmod(mode)
        write(tmp_path / "file", "new")
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_text_that_is_no_utf_8_is_one_line(tmp_path: Path) -> None:
    """A half character stands for a byte of a name that is none; the file stays as it was."""
    (tmp_path / "file").write_text("old")
    with pytest.raises(SuiteError) as caught:
        replace_text(tmp_path / "file", "no \udcff file")
    assert caught.value.faults == (f"{tmp_path}/file: cannot be written: a text in it is no UTF-8",)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"file": "old"}


def test_what_cannot_be_swept_away_is_named(tmp_path: Path) -> None:
    """A folder of such a name is none of what a kill leaves."""
    (tmp_path / f"{BESIDE}x").mkdir()
    with pytest.raises(SuiteError) as caught:
        sweep(tmp_path)
    assert caught.value.faults == (f"{tmp_path}/{BESIDE}x: cannot be written: Is a directory",)


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


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_swept_away_before_it_is_in_place_is_written_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Who takes a folder's lock while verdicts are written there does not lose them; a folder that is gone is told."""
    left, replace = [None] * times, Path.replace

    def swept(self: Path, target: Path) -> Path:
        if left:
            left.pop()
            sweep(tmp_path)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", swept)
    if times == 1:
        replace_own(tmp_path / "verdicts.csv", "whole")
        assert (tmp_path / "verdicts.csv").read_text() == "whole"
    else:
        with pytest.raises(SuiteError, match="cannot be written: No such file"):
            replace_own(tmp_path / "verdicts.csv", "whole")
