"""A case is found where it is declared, however its folder was named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from suite.discover import DOCUMENTED, case_files, discover, documented
from suite.report.judged import JudgedRun
from suite.trial import Manifest, RunRecord, Trial
from suite.workflow import _declared

RunOf = Callable[..., RunRecord]


@pytest.fixture
def declared_in(run_of: RunOf, trial_of: Callable[..., Trial]) -> Callable[..., JudgedRun]:
    """Make a run of the cases under these roots, declared as a run declares them."""

    def make(*roots: str) -> JudgedRun:
        folders = [documented() if root == DOCUMENTED else Path(root) for root in roots]
        cases = tuple(_declared(case, "0" * 12, looked_at=True) for case in discover(folders).cases)
        run = run_of([trial_of()])
        manifest: Manifest = replace(run.manifest, roots=roots, cases=cases)
        return JudgedRun(run=replace(run, manifest=manifest), verdicts=())

    return make


@pytest.mark.parametrize(
    "root", ["mine", "mine/deep", "mine/deep/deeper", "mine/deep/deeper/own.py", "./mine", "mine/../mine"]
)
def test_a_case_is_placed_however_its_folder_was_named(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    root: str,
) -> None:
    """A case lies in the folder that was named, in one below it, or is the file itself: its place leads to it."""
    file = write("mine/deep/deeper/own.py", case_text)
    monkeypatch.chdir(tmp_path)
    place, line = declared_in(root).places["own"]
    assert Path(place).resolve() == file
    assert not Path(place).is_absolute()
    assert line >= 1


@pytest.mark.parametrize("root", [".", "own.py"])
def test_a_case_beside_one_is_placed_by_its_name(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
    root: str,
) -> None:
    """Where the working folder is the folder of cases, a case's file is called by its name alone."""
    monkeypatch.chdir(write("mine/own.py", case_text).parent)
    assert declared_in(root).places["own"][0] == "own.py"


def test_a_case_elsewhere_is_not_looked_for(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """What a run says of folders that do not lie below the working one is not followed, by links neither."""
    file = write("mine/own.py", case_text)
    monkeypatch.chdir(write("elsewhere/file", "").parent)
    Path("linked").symlink_to(file.parent)
    for root in (str(file.parent), "../mine", "linked"):
        assert "own" not in declared_in(root).places


@pytest.mark.parametrize("root", ["/", "..", "~", "a\0b", "x" * 5000, "loop", ""])
def test_a_root_leads_nowhere_else(
    run_of: RunOf, trial_of: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str
) -> None:
    """No folder outside the working one is looked through, whatever a run calls its folders of cases."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    looked: list[Path] = []

    def look(folder: Path) -> list[Path]:
        looked.append(folder.resolve())
        return []

    monkeypatch.setattr("suite.report.judged.case_files", look)
    run = run_of([trial_of()], roots=(root,))
    assert JudgedRun(run=run).places == {}
    assert all(folder.is_relative_to(tmp_path) for folder in looked)


@pytest.mark.parametrize("roots", [("mine",) * 9, ("mine", "./mine", "mine/../mine", "linked", "mine")])
def test_a_folder_is_looked_through_once(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
    roots: tuple[str, ...],
) -> None:
    """A run may name one folder many times, and by many names; its cases are placed by the first."""
    monkeypatch.chdir(write("mine/own.py", case_text).parents[1])
    Path("linked").symlink_to("mine")
    judged = declared_in("mine")
    manifest = replace(judged.run.manifest, roots=roots)
    looked: list[Path] = []

    def look(folder: Path) -> list[Path]:
        looked.append(folder)
        return case_files(folder)

    monkeypatch.setattr("suite.report.judged.case_files", look)
    places = JudgedRun(run=replace(judged.run, manifest=manifest)).places
    assert (places["own"][0], looked) == ("mine/own.py", [Path("mine")])


def test_a_folder_of_very_many_files_is_not_looked_through(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A run may name the working folder itself, below which a whole disk may lie."""
    write("mine/deep/deeper/own.py", case_text)
    write("mine/more.txt", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("suite.report.judged.MOST_FILES", 3)
    assert "own" not in declared_in("mine").places
    for root in ("mine/deep", "mine/deep/deeper", "mine/deep/deeper/own.py"):  # where its name leads to it all the same
        assert declared_in(root).places["own"][0] == "mine/deep/deeper/own.py"
    monkeypatch.setattr("suite.report.judged.MOST_FILES", 4)
    assert declared_in("mine").places["own"][0] == "mine/deep/deeper/own.py"


def test_documented_cases_lie_in_the_checkout(declared_in: Callable[..., JudgedRun]) -> None:
    """The documented cases are named as in a checkout, wherever the package lies; other folders do not hide them."""
    places = declared_in(DOCUMENTED).places
    assert places["relu"][0] == "cases/guide/relu.py"
    assert all((documented().parent / file).is_file() for file, _ in places.values())


def test_what_cannot_be_found_has_no_place(run_of: RunOf, trial_of: Callable[..., Trial]) -> None:
    """A run that was moved names no file that is not there, whatever it calls it; that of a checkout it does name."""
    for root, known in (("no/such/folder", False), (DOCUMENTED, True)):
        run = run_of([trial_of()], roots=(root,))
        (case,) = run.manifest.cases
        for source in ("guide/neuron.py", "x" * 5000, "../../etc/\0", "/etc/passwd", ""):
            manifest = replace(run.manifest, cases=(replace(case, source=source),))
            judged = JudgedRun(run=replace(run, manifest=manifest), verdicts=())
            assert judged.places == ({"neuron": (f"cases/{source}", 1)} if known else {})


def test_a_case_is_annotated_only_where_its_file_is(
    declared_in: Callable[..., JudgedRun],
    write: Callable[[str, str], Path],
    case_text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compared in another folder than the one where it was run, a case beside it is in no file of that name."""
    home = write("home/cases/own.py", case_text).parents[1]
    monkeypatch.chdir(home)
    run = declared_in("cases").run
    assert JudgedRun(run=run).places["own"][0] == "cases/own.py"
    monkeypatch.chdir(home.parent)
    assert JudgedRun(run=run).places == {}
