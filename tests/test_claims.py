"""What claims stand for is found near the cases that cite them, and is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.claims import read_claims
from suite.errors import SuiteError
from tests.cells import CLAIMS

Write = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("in_folder")


def refused(root: Path) -> str:
    """Return the line that says why the claims cannot be read."""
    with pytest.raises(SuiteError) as caught:
        read_claims(root)
    return str(caught.value)


@pytest.mark.parametrize(("place", "found"), [("a/b/c/d", 1), ("a/b/c", 1), ("a/b", 1), ("a", 0), ("a/b/c/d/e", 0)])
@pytest.mark.parametrize("here", ["elsewhere", "a/b/c/d", "a/b/c"])
def test_claims_lie_in_the_folder_or_up_to_two_above(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, found: int, here: str
) -> None:
    """One document's folder, or one case file, finds the claims of the whole; a folder may have none."""
    write(f"{place}/claims.toml", CLAIMS)
    root = write("a/b/c/d/one.py", "").parent
    (tmp_path / here).mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    assert len(read_claims(root)) == found


@pytest.mark.parametrize("root", ["my/cases/nested/deep/one.py", "my/cases/nested/deep", "my/cases"])
def test_claims_lie_anywhere_up_to_the_working_folder(write: Write, root: str) -> None:
    """A file finds by itself what it finds as part of a folder; what lies above the working folder is not looked at."""
    write("my/cases/nested/deep/one.py", "")
    assert read_claims(Path(root)) == []
    write("claims.toml", CLAIMS)
    assert [claim.id for claim in read_claims(Path(root))] == ["G2"]
    write("my/cases/claims.toml", CLAIMS.replace("G2", "M1"))
    assert [claim.id for claim in read_claims(Path(root))] == ["M1"]


def test_claims_far_above_the_working_folder_are_not_looked_for(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands deep in a project takes what is near."""
    write("claims.toml", CLAIMS)
    write("my/cases/nested/deep/one.py", "")
    monkeypatch.chdir("my/cases/nested")
    assert read_claims(Path("deep/one.py")) == []


def test_the_nearest_claims_count(write: Write) -> None:
    """A folder with claims of its own does not look above."""
    write("a/claims.toml", CLAIMS)
    write("a/b/claims.toml", CLAIMS.replace("G2", "M1"))
    assert [claim.id for claim in read_claims(Path("a/b"))] == ["M1"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[document]", "TOMLDecodeError"),
        ('[[document]]\ntitle = "Guide"', "KeyError: 'claim'"),
        ('[[document]]\ntitle = "Guide"\n[[document.claim]]\nid = "G1"\nsays = "so"', "KeyError: 'heading'"),
        ("document = 5", "TypeError"),
        ("document = [5]", "TypeError"),
        (f"x = {'[' * 9999}", "RecursionError"),
        (f"x = {'9' * 5000}", "ValueError"),
    ],
)
def test_claims_that_are_not_whole_are_said_with_their_file(write: Write, text: str, reason: str) -> None:
    """The file, what is wrong and what each claim needs are said in a line."""
    fault = refused(write("cases/claims.toml", text).parent)
    assert fault.startswith(f"cases/claims.toml: {reason}")
    assert fault.endswith("; each claim needs id, heading and says")


@pytest.mark.parametrize("value", ["5", "[1]", "1979-05-27", "nan", "true"])
@pytest.mark.parametrize("key", ["title", "id", "heading", "says"])
def test_a_claim_is_text(write: Write, key: str, value: str) -> None:
    """What would be looked up, shown or recorded later is refused before anything is trained."""
    words = dict.fromkeys(("title", "id", "heading", "says"), '"text"') | {key: value}
    title = f"[[document]]\ntitle = {words.pop('title')}\n[[document.claim]]\n"
    fault = refused(write("cases/claims.toml", title + "\n".join(f"{k} = {v}" for k, v in words.items())).parent)
    assert fault.startswith("cases/claims.toml: found ")
    assert fault.endswith(", expected some text")


def test_claims_that_cannot_be_read_are_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's reason."""
    write("cases/claims.toml", CLAIMS)

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert refused(Path("cases")) == "cases/claims.toml: cannot be read: Permission denied"
