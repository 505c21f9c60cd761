"""The sessions hand their arguments on, install nothing unpinned, and fail when they should."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import nox
import pytest
from nox.command import CommandFailed
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import noxfile

PROJECT = Path(noxfile.__file__).parent
SESSIONS = (
    noxfile.bench,
    noxfile.tests,
    noxfile.perf,
    noxfile.torture,
    noxfile.fuzz,
    noxfile.versus,
    noxfile.lint,
    noxfile.types,
    noxfile.accept,
    noxfile.table,
    noxfile.audit,
    noxfile.readme,
)


@dataclass
class Recording:
    """Stands in for a session: notes what it is asked to do, and fails the commands that it is told to."""

    cache_dir: Path
    bin: str = "its-own/bin"
    posargs: list[str] = field(default_factory=list)
    failing: tuple[str, ...] = ()
    commands: list[list[str]] = field(default_factory=list)
    installed: list[list[str]] = field(default_factory=list)

    def run(self, *words: str, **_: Any) -> None:
        """Note a command; fail it if one of its words is to fail."""
        self.commands.append(list(words))
        if set(words) & set(self.failing):
            raise CommandFailed(f"{' '.join(words)} failed")

    def install(self, *words: str) -> None:
        """Note what is to be installed."""
        self.installed.append(list(words))

    def error(self, message: str) -> None:
        """Give up."""
        raise RuntimeError(message)

    def nox(self) -> nox.Session:
        """Return this, typed as what it stands in for."""
        return cast("nox.Session", self)


@pytest.fixture
def session(tmp_path: Path) -> Recording:
    """Return a session whose environments lie in an empty folder."""
    return Recording(cache_dir=tmp_path / ".cache")


def verbs(session: Recording) -> list[str]:
    """Return the second word of each command: what `suite` was told to do."""
    return [command[1] for command in session.commands]


def test_bench_runs_compares_and_prints(session: Recording) -> None:
    """Bench trains, judges the run that it trained, and prints its table."""
    session.posargs = ["--out", "here"]
    noxfile.bench(session.nox())
    assert session.commands == [
        ["suite", "run", "--engine", "processes", "--out", "here"],
        ["suite", "compare", "here", "--again"],
        ["suite", "table", "here"],
        ["suite", "report", "here"],
    ]


def test_bench_passes_arguments_on(session: Recording) -> None:
    """What compare understands goes to compare; everything else goes to run, in its order."""
    ours = ["--strict", "--report", "a.md", "--github", "--report=b.json", "--baseline", "old"]
    session.posargs = ["relu", *ours, "--seeds", "20:30", "--device=cpu", "x*"]
    noxfile.bench(session.nox())
    run, compare, table, report = session.commands
    assert run[6:] == ["relu", "--seeds", "20:30", "--device=cpu", "x*"]
    reports = ["--report", "a.md", "--report", "b.json"]
    assert compare[3:] == ["--again", "--baseline", "old", *reports, "--strict", "--github"]
    assert (table[3:], report[3:]) == ([], ["--baseline", "old"])


def test_bench_trains_where_it_is_told_to() -> None:
    """All cores are used unless an engine is named."""
    assert noxfile.parted([])[0].engine == "processes"
    assert noxfile.parted(["--engine", "inline"])[0].engine == "inline"


def test_bench_runs_the_same_cases_again(session: Recording) -> None:
    """Folders of cases go to run, and to compare, which times again what looks slower."""
    session.posargs = ["--cases", "mine", "--cases=yours"]
    noxfile.bench(session.nox())
    for command in session.commands[:2]:
        assert " --cases mine --cases yours" in " ".join(command)


def test_bench_has_a_folder_of_its_own() -> None:
    """Unless told otherwise, a run gets a folder named after the time, where runs are ignored by git."""
    folder = noxfile.parted([])[0].out
    assert re.fullmatch(r"results/runs/bench-\d{8}T\d{6}Z", folder)
    assert "/results/runs/" in (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_bench_fails_as_compare_does(session: Recording) -> None:
    """A regression fails the session, and the table is printed all the same."""
    session.failing = ("compare",)
    with pytest.raises(CommandFailed, match="compare"):
        noxfile.bench(session.nox())
    assert verbs(session) == ["run", "compare", "table", "report"]


def test_bench_stops_where_nothing_was_trained(session: Recording) -> None:
    """A run that could not begin leaves nothing to judge."""
    session.failing = ("run",)
    with pytest.raises(CommandFailed, match="run"):
        noxfile.bench(session.nox())
    assert verbs(session) == ["run"]


@pytest.mark.parametrize("part", [[], ["-k", "relu"]])
def test_a_part_of_the_tests_owes_no_coverage(session: Recording, part: list[str]) -> None:
    """The threshold holds for the whole of the tests only."""
    session.posargs = part
    noxfile.tests(session.nox())
    report = next(command for command in session.commands if command[1] == "report")
    assert ("--fail-under=0" in report) == bool(part)


def test_perf_asks_for_what_the_tests_leave_out(session: Recording) -> None:
    """The benchmarks are marked, and run by their session alone, with the peer that they need."""
    session.posargs = ["-k", "million"]
    noxfile.perf(session.nox())
    assert session.commands == [
        ["pytest", "-m", "perf", "tests/benchmarks", "--write-tables", "results/perf", "-k", "million"]
    ]
    assert any(word.startswith("jax") for words in session.installed for word in words)


def test_torture_asks_for_what_the_tests_leave_out(session: Recording) -> None:
    """What takes long is marked, and run by its session alone; its table is kept."""
    session.posargs = ["--moments", "5"]
    noxfile.torture(session.nox())
    words = ["pytest", "-m", "torture", "tests/torture", "--torture-table", "results/torture.md"]
    assert session.commands == [[*words, "--moments", "5"]]
    left_out = declared()["tool"]["pytest"]["addopts"][-1]
    assert left_out == "not perf and not torture"


def test_fuzz_brings_its_fuzzer(session: Recording) -> None:
    """What makes up inputs is installed for this session alone; its table is kept beside the other."""
    session.posargs = ["--fuzz-minutes", "60"]
    noxfile.fuzz(session.nox())
    words = ["pytest", "-m", "torture", "tests/torture/test_fuzz.py", "--torture-table", "results/fuzz.md"]
    assert session.commands == [[*words, "--fuzz-minutes", "60"]]
    assert any(word.startswith("atheris") for words in session.installed for word in words)


def test_versus_holds_bench_against_an_older_torch(session: Recording) -> None:
    """An older torch, pinned by a file of its own, is A; what bench installed is B, and judges."""
    command = noxfile.installed(with_bench(session).nox())
    session.posargs = ["relu", "--dtype", "float16"]
    noxfile.versus(session.nox())
    assert session.installed == [["-c", "constraints-older.txt", "torch", "numpy"]]
    (words,) = session.commands
    assert words[:4] == [command, "versus", "its-own/bin/python", str(Path(command).with_name("python"))]
    assert words[4:] == ["--dtype", "float32,float64", "--out", noxfile.HELD, "relu", "--dtype", "float16"]


def test_the_older_torch_is_older() -> None:
    """Its constraints name another torch than the environment's, and the same NumPy; results bear both names."""
    newer, older = (pins(file) for file in ("constraints.txt", "constraints-older.txt"))
    assert f"results/versus-torch-{older['torch']}-{newer['torch']}" == noxfile.HELD
    assert newer["torch"] != older["torch"]
    assert newer["numpy"] == older["numpy"]


@pytest.mark.parametrize("name", ["accept", "table", "audit"])
def test_verbs_use_the_environment_of_bench(session: Recording, name: str) -> None:
    """Accept, table and audit need no torch of their own; without bench's they say how to get it."""
    session.posargs = ["RUN"]
    verb = getattr(noxfile, name)
    with pytest.raises(RuntimeError, match="nox -s bench --install-only"):
        verb(session.nox())
    command = Path(noxfile.installed(with_bench(session).nox()))
    verb(session.nox())
    assert session.commands == [[str(command), name, "RUN"]]


def test_the_readme_is_made_of_what_its_commands_print(
    session: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is trained, tabulated and photographed; each table stands between its file's name and its end."""
    command = noxfile.installed(with_bench(session).nox())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name == "google-chrome" else None)
    Path("results").mkdir()
    Path("results/relu.md").write_text("| new |\n", encoding="utf-8")
    Path("README.md").write_text("a\n<!-- results/relu.md -->\n\n| old |\n\n<!-- end -->\nb\n", encoding="utf-8")
    noxfile.readme(session.nox())
    assert [words[:2] for words in session.commands[:3]] == [[command, verb] for verb in ("run", "table", "report")]
    assert session.commands[3][0] == "/bin/google-chrome"
    assert "--screenshot=results/page.png" in session.commands[3]
    shown = "a\n<!-- results/relu.md -->\n\n| new |\n\n<!-- end -->\nb\n"
    assert Path("README.md").read_text(encoding="utf-8") == shown


def with_bench(session: Recording) -> Recording:
    """Put a `suite` command where bench's environment would hold it, on any system."""
    for command in ("bin/suite", "Scripts/suite.exe"):
        place = session.cache_dir.parent / "bench" / command
        place.parent.mkdir(parents=True)
        place.touch()
    return session


@pytest.mark.parametrize("name", ["bench", "tests", "torture", "fuzz", "lint", "types"])
def test_every_install_is_pinned(session: Recording, name: str) -> None:
    """No session installs anything past the constraints."""
    getattr(noxfile, name)(session.nox())
    assert session.installed
    assert all(words[:2] == ["-c", "constraints.txt"] for words in session.installed)


def test_every_session_is_told_in_one_line() -> None:
    """`nox -l` says what each session does."""
    assert all(len((session.func.__doc__ or "").splitlines()) == 1 for session in SESSIONS)


def test_the_constraints_fulfil_every_requirement() -> None:
    """Whatever the project asks for by name is pinned, at a version that it accepts."""
    pinned = pins("constraints.txt")
    wanted = [Requirement(line) for line in requirements()]
    assert [str(r) for r in wanted if pinned.get(canonicalize_name(r.name), "") not in r.specifier] == []


def pins(file: str) -> dict[str, str]:
    """Return the versions that a file of constraints names, by package."""
    lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if not line.startswith("#"))
    return {str(canonicalize_name(name)): version for name, version in found.items()}


def declared() -> dict[str, Any]:
    """Return what pyproject.toml declares."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[str]:
    """Return all that pyproject.toml asks for: to run, to test, to fuzz, to lint and to check types."""
    project = declared()
    return [*project["project"]["dependencies"], *nox.project.dependency_groups(project, "dev", "fuzz")]


def test_what_an_extra_brings_is_tested() -> None:
    """Every requirement of every extra is one of the tests, from the same version on."""
    project = declared()
    extras = {word for words in project["project"]["optional-dependencies"].values() for word in words}
    assert extras <= set(nox.project.dependency_groups(project, "test"))
    assert extras


def test_the_workflow_is_checked() -> None:
    """Every workflow of the repository is among those that lint checks."""
    found = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / ".github/workflows").glob("*.y*ml")}
    assert found == set(noxfile.WORKFLOWS)
