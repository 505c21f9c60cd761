"""A file holds its old content or its new, whole rows only, and what the system refuses is one line."""

from __future__ import annotations

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
from suite.records.atomic import BESIDE, reading, replace_text, sweep, writing
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
