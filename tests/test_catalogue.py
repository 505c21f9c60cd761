"""A kept listing is the one that would be made, or it is made again; keeping it is never a fault."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from suite import catalogue
from suite.catalogue import Listing, Row, catalogued
from suite.errors import SuiteError

Write = Callable[[str, str], Path]
Invoke = Callable[..., Result]

ROWS: list[Row] = [
    {"folder": "guide", "case": "relu", "steps": 3, "claims": ["G1"], "expectations": 2, "document": "D"}
]
CLAIMS = '[[document]]\ntitle = "T"\nclaim = [{ id = "Q1", heading = "H", says = "it learns" }]\n'


class Maker:
    """Makes rows, and counts how often."""

    def __init__(self, rows: list[Row] = ROWS) -> None:
        """Begin with nothing made."""
        self.rows, self.made = rows, 0

    def __call__(self) -> list[Row]:
        """Return the rows."""
        self.made += 1
        return self.rows


@pytest.fixture
def root(write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Write a folder of one file, and let another stand for the suite's own."""
    monkeypatch.setattr(catalogue, "__file__", str(write("package/suite/catalogue.py", "old = 1")))
    monkeypatch.chdir(tmp_path)
    return write("a/b/cases/guide/relu.py", "x = 1").parent.parent


def made(*roots: Path) -> int:
    """List twice and return how often the list was made."""
    make = Maker()
    assert [catalogued(Listing.CASES, roots, make) for _ in range(2)] == [ROWS, ROWS]
    return make.made


def test_a_list_is_made_once(root: Path) -> None:
    """The second listing is read, in this order of fields, and needs nothing made; however the folder is written."""
    assert made(root) == 1
    kept = catalogued(Listing.CASES, [Path("a/b/cases")], Maker([]))
    assert [list(row.items()) for row in kept] == [list(row.items()) for row in ROWS]


def test_listings_and_folders_are_kept_apart(root: Path) -> None:
    """Claims are not cases, and one folder, or two, or the same in another order, are lists of their own."""
    assert made(root) == 1
    claims: list[Row] = [{"claim": "G1", "says": "so", "case": "relu", "expected": ["a", "b"]}]
    assert catalogued(Listing.CLAIMS, [root], Maker(claims)) == claims
    assert made(root / "guide") == made(root, root / "guide") == made(root / "guide", root) == 1
    assert made(root) == 0


NEAR = (
    "a/b/cases/guide/relu.py",
    "a/b/cases/guide/leaky.py",
    "a/b/cases/guide/_shared.py",
    "a/b/cases/guide/_kit/deep/number.py",
    "a/b/cases/claims.toml",
    "package/suite/catalogue.py",
    "package/suite/report/claims.py",
)
"""What both the case file and the folder above it depend on."""
FAR = ("a/b/cases/_kit/number.py", "a/b/claims.toml", "a/claims.toml")
"""What the folder alone depends on."""


@pytest.mark.parametrize(
    ("place", "file", "anew"),
    [
        *(("a/b/cases", file, 1) for file in (*NEAR, *FAR)),
        *(("a/b/cases/guide/relu.py", file, 1) for file in NEAR),
        *(("a/b/cases/guide/relu.py", file, 0) for file in FAR),
    ],
)
@pytest.mark.usefixtures("root")
def test_what_a_list_is_made_from_makes_it_anew(
    write: Write, monkeypatch: pytest.MonkeyPatch, place: str, file: str, anew: int
) -> None:
    """A changed case file, a new module beside it, other claims, or another suite: the list is made once more."""
    there = Path(place).absolute()
    monkeypatch.chdir("package")
    assert made(there) == 1
    write(file, "new = 22")
    assert (made(there), made(there)) == (anew, 0)


def test_claims_far_above_count_where_they_are_found(
    root: Path, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those up to the working folder do, from there; from elsewhere, they are not looked at."""
    write("claims.toml", "x = 1")
    monkeypatch.chdir("package")
    assert made(root / "guide/relu.py") == 1
    monkeypatch.chdir(tmp_path)
    assert (made(root / "guide/relu.py"), made(root / "guide/relu.py")) == (1, 0)
    write("claims.toml", "x = 2")
    assert made(root / "guide/relu.py") == 1


def test_a_file_under_another_name_is_another(root: Path) -> None:
    """A case is named after its file."""
    assert made(root) == 1
    (root / "guide/relu.py").rename(root / "guide/elu.py")
    assert made(root) == 1


@pytest.mark.parametrize("file", ["a/b/cases/notes.txt", "a/b/cases/.git/hook.py", "a/b/cases/__pycache__/relu.py"])
def test_what_no_case_is_made_from_changes_nothing(root: Path, write: Write, file: str) -> None:
    """Files that are no modules, and folders that none is imported from, do not count."""
    assert made(root) == 1
    write(file, "new = 22")
    assert made(root) == 0


def test_another_torch_and_another_python_make_it_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade may change what is listed; so may losing torch, which no case does without."""
    assert made(root) == 1
    for versions in (["2.99.0"], []):
        found = {"torch": [SimpleNamespace(version=version) for version in versions]}
        monkeypatch.setattr(catalogue, "distributions", lambda name, found=found: found[name])
        assert made(root) == 1
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert made(root) == 1


def test_what_changes_while_it_is_listed_is_not_kept(root: Path, write: Write) -> None:
    """A file that is edited during its import may have been listed in either state."""

    def edited() -> list[Row]:
        write("a/b/cases/guide/relu.py", "x = 2")
        return ROWS

    catalogued(Listing.CASES, [root], edited)
    write("a/b/cases/guide/relu.py", "x = 1")
    assert made(root) == 1


def test_a_fault_is_not_kept(root: Path, cache: Path) -> None:
    """What is raised where a list was to be made is raised, each time."""

    def refuse() -> list[Row]:
        raise SuiteError("a fault")

    for _ in range(2):
        with pytest.raises(SuiteError, match="a fault"):
            catalogued(Listing.CASES, [root], refuse)
    assert not cache.exists()


@pytest.mark.parametrize(
    "rows", [[{**ROWS[0], "case": Path("x")}], [{**ROWS[0], "steps": 3.5}], [{**ROWS[0], "claims": [5]}]], ids=str
)
def test_what_could_not_be_read_back_is_not_kept(root: Path, cache: Path, rows: list[Row]) -> None:
    """A case may be called by something that is no text; it is listed as it is, and nothing is written."""
    assert catalogued(Listing.CASES, [root], Maker(rows)) == rows
    assert not cache.exists()


WHOLE = {"digest": "DIGEST", "rows": ROWS}
NO_ROWS: tuple[object, ...] = (
    {},
    ["relu"],
    [{}],
    [dict(reversed(ROWS[0].items()))],
    [{**ROWS[0], "more": 1}],
    [{**ROWS[0], "steps": "3"}],
    [{**ROWS[0], "claims": "G1"}],
    [{**ROWS[0], "claims": [["G1"]]}],
)


@pytest.mark.parametrize(
    "damaged",
    [
        json.dumps(WHOLE)[:60],
        "",
        "[" * 100_000,
        "[]",
        json.dumps({"rows": ROWS}),
        json.dumps({**WHOLE, "digest": None}),
        json.dumps({**WHOLE, "digest": "0" * 64}),
        '{"digest": "DIGEST"}',
        *(json.dumps({**WHOLE, "rows": rows}) for rows in NO_ROWS),
    ],
    ids=lambda text: text[:200],
)
def test_a_damaged_list_is_made_anew(root: Path, cache: Path, damaged: str) -> None:
    """A kept file that is not what was written is passed over, and written once more."""
    assert made(root) == 1
    (file,) = cache.iterdir()
    whole = file.read_text(encoding="utf-8")
    file.write_text(damaged.replace("DIGEST", json.loads(whole)["digest"]), encoding="utf-8")
    assert made(root) == 1
    assert file.read_text(encoding="utf-8") == whole


def test_the_damage_is_what_is_told_apart(root: Path, cache: Path) -> None:
    """The same rows under the same digest, written otherwise, are read: no other difference is looked for."""
    assert made(root) == 1
    (file,) = cache.iterdir()
    digest = json.loads(file.read_text(encoding="utf-8"))["digest"]
    file.write_text(json.dumps(WHOLE).replace("DIGEST", digest), encoding="utf-8")
    assert made(root) == 0


def test_a_list_that_is_no_text_is_made_anew(root: Path, cache: Path) -> None:
    """So is a file of other bytes, or a folder in its place, which stays."""
    assert made(root) == 1
    (file,) = cache.iterdir()
    file.write_bytes(b"\xff\xfe")
    assert made(root) == 1
    file.unlink()
    file.mkdir()
    assert made(root) == 2


def test_a_cache_that_cannot_be_written_is_no_fault(
    root: Path, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the user has no such folder, or no home at all, everything is made anew, and nothing is left here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(write("a-file", "")))
    assert made(root) == 2
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(catalogue, "user_cache_path", lambda *_, **__: Path("~/.cache"))
    assert made(root) == 2
    assert sorted(tmp_path.rglob("*")) == before


def too_many(_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two files be more than is looked through."""
    monkeypatch.setattr(catalogue, "MOST_FILES", 1)


def linked(root: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a case file behind a link."""
    (root / "link.py").symlink_to(root / "guide/relu.py")


def unreadable(_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse every file."""

    def refuse(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)


@pytest.mark.parametrize("hide", [too_many, linked, unreadable])
def test_what_cannot_be_looked_through_is_not_kept(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, hide: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    """Where not all that counts can be seen, every list is made anew."""
    hide(root, monkeypatch)
    assert made(root) == 2
    assert not cache.exists()


def test_a_folder_behind_a_link_counts(root: Path, write: Write) -> None:
    """A case may import from a folder that is linked to, so what lies in there counts."""
    (root / "guide/kit").symlink_to(write("elsewhere/number.py", "N = 1").parent)
    assert made(root) == 1
    write("elsewhere/number.py", "N = 2")
    assert made(root) == 1


# On the command line.


@pytest.fixture
def cases(write: Write, case_text: str) -> Path:
    """Write a folder of a case that takes its steps from a module beside it, and shows a claim."""
    shown = "steps=STEPS, claims=('Q1',), expect=[parameter('weight', low=-1.0, high=9.0)]"
    text = case_text.replace("Case, fixed", "Case, fixed, parameter").replace("steps=3", shown)
    write("cases/_steps.py", "STEPS = 3")
    write("cases/claims.toml", CLAIMS)
    return write("cases/neuron.py", "from _steps import STEPS\n" + text).parent


WORDS = (("list",), ("list", "--json"), ("list", "--claims"), ("list", "--claims", "--json"))


def printed(invoke: Invoke, words: Sequence[str]) -> str:
    """Return what a list of the cases prints."""
    done = invoke(*words, "--cases", "cases")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("words", WORDS)
def test_the_kept_list_is_printed_as_the_made_one(
    cases: Path, invoke: Invoke, words: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, in each form, without looking into a case file."""
    fresh = printed(invoke, words)
    monkeypatch.setattr("suite.discover.load", None)
    assert printed(invoke, words) == fresh
    assert "neuron" in fresh


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("cases/_steps.py", "STEPS = 44", "44"),
        ("cases/claims.toml", CLAIMS.replace("it learns", "it does"), "it does"),
        ("claims.toml", CLAIMS, None),
    ],
)
def test_a_change_is_listed(cases: Path, write: Write, invoke: Invoke, file: str, text: str, expected: str) -> None:
    """What changed in a helper or in the claims stands in the next list; what changed nothing, in none."""
    before = [printed(invoke, words) for words in WORDS]
    write(file, text)
    after = [printed(invoke, words) for words in WORDS]
    assert (before != after) == (expected is not None)
    assert expected is None or any(expected in told for told in after)


def test_faults_are_told_each_time(cases: Path, write: Write, invoke: Invoke) -> None:
    """A case file with a fault, beside others or once it was listed, is told as ever, and never kept."""
    fine = printed(invoke, ("list",))
    file = write("cases/broken.py", "x = 1 / 0")
    told = [invoke("list", "--cases", "cases") for _ in range(2)]
    assert {(done.exit_code, done.stdout, done.stderr) for done in told} == {
        (2, "", "suite: cases/broken.py:1: does not import: ZeroDivisionError: division by zero\n")
    }
    file.unlink()
    assert printed(invoke, ("list",)) == fine
