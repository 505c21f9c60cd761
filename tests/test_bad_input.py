"""Whatever a user gets wrong is told in one line that names place and remedy; nothing that was recorded is lost."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.cli import main
from suite.records.schema import SCHEMA_VERSION

Refuse = Callable[..., list[str]]
Write = Callable[[str, str], Path]

SMALL = ("--device", "cpu", "--dtype", "float32", "--mode", "eager", "--seeds", "2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, case_text: str) -> Path:
    """Train a case and accept the run, in a folder of its own."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "cases").mkdir()
    (folder / "cases/neuron.py").write_text(case_text, encoding="utf-8")
    run, baselines = str(folder / "a-run"), str(folder / "results/baselines")
    for words in (
        ["run", "--cases", str(folder / "cases"), *SMALL, "--out", run],
        ["accept", run, "--reason", "x", "--baseline", baselines],
    ):
        assert CliRunner().invoke(main, words).exit_code == 0
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path) -> Path:
    """Give the test a copy of the case in ``cases``, of its run in ``a-run``, and of the baseline."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def refuse(invoke: Callable[..., Result], tmp_path: Path) -> Refuse:
    """Run a command line that cannot run; return what it says, line by line.

    It exits 2, prints nothing but its faults, one line each, and leaves every file as it was, byte for byte.
    """

    def call(*words: str | Path) -> list[str]:
        before = files_in(tmp_path)
        done = invoke(*words)
        assert files_in(tmp_path) == before
        assert (done.exit_code, done.stdout) == (2, "")
        lines = done.stderr.splitlines()
        assert all(line.startswith("suite: ") and "Traceback" not in line for line in lines)
        return [line.removeprefix("suite: ") for line in lines]

    return call


def files_in(folder: Path) -> dict[Path, bytes]:
    """Return the bytes of every file, but for what Python keeps of the modules that it imported."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}


OPTIONS = {
    ("nuron",): ('case "nuron" is not known', 'did you mean "neuron"?'),
    ("guide/*",): ('case "guide/*" is not known', "suite list"),
    ("--cases", "nowhere"): ("nowhere: no such folder of cases",),
    ("--cases", "results"): ("results: no case files", "CASE = Case(...)"),
    ("--device", "nowhere"): ('--device "nowhere" is not here',),
    ("--device", "cuda:99"): ('--device "cuda:99" is not here',),
    ("--device", ""): ('--device "" is not here',),
    ("--dtype", "float7"): ('--dtype "float7" is not known', "float64"),
    ("--dtype", ""): ('--dtype "" is not known', "float64"),
    ("--mode", "fast"): ('--mode "fast" is not known', "eager"),
    ("--seeds", "x"): ('--seeds "x" is no range', "20:120"),
    ("--seeds", "-3"): ('--seeds "-3" is no range', "20:120"),
    ("--seeds", "1:2:3"): ('--seeds "1:2:3" is no range', "20:120"),
    ("--seeds", "0"): ('--seeds "0" holds no seed', "end must lie above the start"),
    ("--seeds", "7:3"): ('--seeds "7:3" holds no seed', "end must lie above the start"),
    ("--seeds", "18446744073709551617"): ('--seeds "18446744073709551617"', "2^64"),
    ("--engine", "steam"): ('--engine "steam" is not known', "inline, processes or dask://HOST:PORT"),
    ("--engine", "dask://here"): ('--engine "dask://here" is not known', "dask://HOST:PORT"),
    ("--threads", "0"): ("--threads", "suite run --help"),
    ("--threads", "many"): ("--threads", "'many'", "suite run --help"),
    ("--sedes", "3"): ("--sedes", "--seeds", "suite run --help"),
    ("--resume",): ("--resume needs --out",),
    ("--resume", "--out", "nowhere"): ("nowhere/run.json: cannot be read",),
    ("--resume", "--out", "a-run", "--dtype", "float16"): ("a-run: was planned otherwise", "resume it with"),
    ("--out", "a-run"): ("a-run: holds a run already", "--resume"),
}
"""What may follow `suite run`, and what is said to it."""


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_a_wrong_option_is_told_with_its_remedy(here: Path, refuse: Refuse, words: tuple[str, ...]) -> None:
    """An option that cannot be followed is named as it was given, with what would do."""
    cases = [] if "--cases" in words else ["--cases", "cases"]
    (line,) = refuse("run", *cases, *words)
    assert all(fragment in line for fragment in OPTIONS[words])


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["rnu"], ("'rnu'", "'run'", "suite --help")),
        (["--vresion"], ("--vresion", "--version", "suite --help")),
        (["compare"], ("RUN", "suite compare --help")),
        (["compare", "a-run", "--report", "verdicts.pdf"], ("--report verdicts.pdf", ".md")),
        (["compare", "a-run", "--github"], ("--github", "GITHUB_STEP_SUMMARY is not set", "--report")),
        (["accept", "a-run"], ("--reason", "suite accept --help")),
        (["accept", "a-run", "--reason", "  "], ("--reason", "say why")),
        (["accept", "a-run", "--reason", "x", "--baseline", "a-run"], ("a-run", "--baseline")),
        (["table"], ("RUN", "suite table --help")),
        (["table", "a-run", "--form", "pdf"], ("--form", "'pdf'", "'markdown'")),
        (["list", "--cases", "nowhere"], ("nowhere: no such folder of cases",)),
        (["list", "--claims", "--cases", "cases"], ("cases: no claims.toml",)),
        (["compare", "nowhere"], ("nowhere: no such run folder",)),
        (["table", "a-run", "nowhere"], ("nowhere: no such run folder",)),
        (["accept", "nowhere", "--reason", "x"], ("nowhere: no such run folder",)),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_wrong_word_is_told_with_its_remedy(
    here: Path, refuse: Refuse, monkeypatch: pytest.MonkeyPatch, words: list[str], fragments: tuple[str, ...]
) -> None:
    """A verb, argument or option that is wrong or missing is named, with where to look."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (line,) = refuse(*words)
    assert all(fragment in line for fragment in fragments)


def test_all_faults_of_a_command_line_come_at_once(here: Path, refuse: Refuse) -> None:
    """Who gets five options wrong learns of all five."""
    words = ("--dtype", "float7,float8", "--mode", "fast", "--seeds", "x", "--device", "nowhere", "nuron")
    lines = refuse("run", "--cases", "cases", *words)
    assert len(lines) == 6
    for fragment in ("float7", "float8", "fast", '"x"', "nowhere", "nuron"):
        assert sum(fragment in line for line in lines) == 1


CASE_FAULTS = {
    "import no_such_module": (":LAST: does not import: ModuleNotFoundError: No module named 'no_such_module'",),
    "x = (": (":LAST: does not import: SyntaxError",),
    "raise SystemExit(0)": (":LAST: does not import: SystemExit",),
    "import pytest; pytest.skip('no', allow_module_level=True)": (":LAST: does not import: Skipped: no",),
    "del CASE": (": declares no Case", "underscore"),
    "CASE = replace(CASE, claims=('Z9',))": (': claim "Z9" is not known', "claims.toml"),
    "CASE = replace(CASE, steps=0)": ("steps is 0", "at least 1"),
    "OTHER = replace(CASE, name='bad')": (': a case named "bad" is declared in', "cases/bad.py", "name of its own"),
    "CASE = replace(CASE, expect=[parameter('wieght', low=0)])": ('parameter "wieght"', 'did you mean "weight"?'),
    "CASE = replace(CASE, expect=[parameter('scale', low=0)])": ('parameter "scale"', "it has weight"),
    "CASE = replace(CASE, data=fixed(x=[1.0, 2.0], target=[5.0]))": (": bad: does not train", "shape"),
    "CASE = replace(CASE, loss=nn.MSELoss(reduction='none'))": (": bad: the loss has shape (1,)", "scalar"),
    "CASE = replace(CASE, architecture=nn.Identity)": (": bad: the architecture holds no parameters",),
    "CASE = replace(CASE, architecture=lambda: nn.Linear(1, 1).to(torch.cfloat))": (": bad: holds complex numbers",),
}
"""What may stand at the end of a case file, and what is said to it."""


@pytest.mark.parametrize("fault", CASE_FAULTS)
@pytest.mark.parametrize("verb", ["run", "list"])
def test_a_fault_of_a_case_file_is_told_with_its_place(
    here: Path, refuse: Refuse, write: Write, case_text: str, fault: str, verb: str
) -> None:
    """A case file that is not whole is named, with the line where there is one, and with what to do."""
    text = case_text.replace("Case, fixed", "Case, fixed, parameter").replace("from functools", IMPORTS)
    last = len(write("cases/bad.py", f"{text}{fault}\n").read_text(encoding="utf-8").splitlines())
    (line,) = refuse(verb, "--cases", "cases")
    assert line.startswith("cases/bad.py:")
    assert all(fragment.replace("LAST", str(last)) in line for fragment in CASE_FAULTS[fault])


IMPORTS = "from dataclasses import replace\nimport torch\nfrom functools"


def test_two_files_may_not_declare_one_name(here: Path, refuse: Refuse, write: Write, case_text: str) -> None:
    """Two cases of one name in two files are told with both files."""
    write("cases/deeper/neuron.py", case_text)
    (line,) = refuse("run", "--cases", "cases")
    assert "cases/deeper/neuron.py" in line
    assert "cases/neuron.py" in line
    assert '"neuron"' in line


def test_all_faults_of_all_case_files_come_at_once(here: Path, refuse: Refuse, write: Write) -> None:
    """Who breaks three case files learns of all three."""
    for name in ("one", "two", "three"):
        write(f"cases/{name}.py", f"raise OSError('in {name}\\x07')\n")
    lines = refuse("run", "--cases", "cases")
    assert [line.partition(":")[0] for line in lines] == ["cases/one.py", "cases/three.py", "cases/two.py"]
    assert all(line.isprintable() for line in lines)


TABLES = ("trials.csv", "curves.csv")


def truncated(text: str) -> str:
    """Cut a file off in the middle of its last row."""
    return text[:-9]


def without_a_column(text: str) -> str:
    """Drop the second column of a table."""
    rows = [line.split(",") for line in text.splitlines()]
    return "\n".join(",".join([row[0], *row[2:]]) for row in rows) + "\n"


def of_another_version(text: str) -> str:
    """Raise the schema version of a table's rows."""
    head, *rows = text.splitlines()
    return "\n".join([head, *(f"{SCHEMA_VERSION + 1}{row.removeprefix(str(SCHEMA_VERSION))}" for row in rows)]) + "\n"


def with_a_wrong_number(text: str) -> str:
    """Put a word where a table's second row has its seed."""
    *rows, last = text.splitlines()
    return "\n".join([*rows, last.replace(",1,", ",one,", 1)]) + "\n"


DAMAGES: dict[Callable[[str], str], tuple[str, ...]] = {
    truncated: ("is cut off", "--resume"),
    without_a_column: ("row 1: column ", " is missing", "expected schema"),
    of_another_version: (f"schema version {SCHEMA_VERSION + 1}", f"version {SCHEMA_VERSION} only"),
    with_a_wrong_number: ("column seed", "'one'"),
}

READERS = {
    "compare": ["compare", "a-run"],
    "table": ["table", "a-run"],
    "accept": ["accept", "a-run", "--reason", "x"],
    "resume": ["run", "--cases", "cases", *SMALL, "--resume", "--out", "a-run"],
}


def damage(file: Path, how: Callable[[str], str]) -> None:
    """Change a file's text."""
    text = file.read_text(encoding="utf-8")
    changed = how(text)
    assert changed != text
    file.write_text(changed, encoding="utf-8")


READINGS = [(verb, how) for verb in READERS for how in DAMAGES if (verb, how) != ("resume", truncated)]
"""Resuming mends what a kill cut off."""


@pytest.mark.parametrize(("verb", "how"), READINGS)
@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_table_is_told_with_its_place(
    here: Path, refuse: Refuse, table: str, how: Callable[[str], str], verb: str
) -> None:
    """A table that is cut off, lacks a column, is of another version or holds no number is named, and kept as it is."""
    damage(here / "a-run" / table, how)
    (line,) = refuse(*READERS[verb])
    assert line.startswith(f"a-run/{table}: ")
    assert all(fragment in line for fragment in DAMAGES[how])


def test_what_a_kill_cut_off_is_mended(here: Path, invoke: Callable[..., Result]) -> None:
    """Resuming a run whose trials end in half a row trains that seed again, and leaves the rows that were to be."""
    whole, curves = losses_of(here / "a-run"), (here / "a-run/curves.csv").read_bytes()
    damage(here / "a-run/trials.csv", truncated)
    assert invoke(*READERS["resume"]).exit_code == 0
    assert losses_of(here / "a-run") == whole
    assert (here / "a-run/curves.csv").read_bytes() == curves


def losses_of(run: Path) -> list[tuple[str, str]]:
    """Return seed and final loss of every trial of a run."""
    with (run / "trials.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["seed"], row["final_loss"]) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_baseline_is_told_with_its_place(here: Path, refuse: Refuse, how: Callable[[str], str]) -> None:
    """A damaged baseline is named by `compare` and by `accept`, and neither changes a file."""
    damage(here / "results/baselines/cpu/trials.csv", how)
    for verb in ("compare", "accept"):
        line, *mend = refuse(*READERS[verb])
        assert line.startswith("results/baselines/cpu/trials.csv: ")
        assert mend == ["results/baselines: replace what cannot be read with --drop"] * (verb == "accept")


def changed(**fields: Any) -> Callable[[str], str]:
    """Make a change of a JSON file's fields."""
    return lambda text: json.dumps(json.loads(text) | fields)


@pytest.mark.parametrize("file", ["run.json", "machine.json"])
@pytest.mark.parametrize(
    ("how", "fragment"),
    [
        (changed(schema=SCHEMA_VERSION + 1), f"schema version {SCHEMA_VERSION + 1}"),
        (truncated, "is no JSON"),
        (lambda _: "[]", "names no schema version"),
        (changed(more=1), "more"),
    ],
    ids=["version", "truncated", "other", "field"],
)
@pytest.mark.parametrize("verb", READERS)
def test_a_damaged_manifest_is_told_with_its_place(
    here: Path, refuse: Refuse, file: str, how: Callable[[str], str], fragment: str, verb: str
) -> None:
    """A manifest or fingerprint that is cut off, of another version or of another kind is named, and kept as it is."""
    damage(here / "a-run" / file, how)
    lines = refuse(*READERS[verb])
    assert all(line.startswith(f"a-run/{file}: ") for line in lines)
    assert any(fragment in line for line in lines)


@pytest.mark.parametrize("name", ["run.json", "machine.json", *TABLES, "observations.csv"])
@pytest.mark.parametrize("verb", READERS)
def test_a_missing_file_is_told(here: Path, refuse: Refuse, name: str, verb: str) -> None:
    """A run folder that lacks a file is named with it, and is kept as it is."""
    (here / "a-run" / name).unlink()
    (line,) = refuse(*READERS[verb])
    assert line.startswith(f"a-run/{name}: ")


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--cases", "cases", *SMALL, "--out", "file/below"],
        ["accept", "a-run", "--reason", "x", "--baseline", "file/below"],
        ["table", "a-run", "--out", "file/below"],
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_written_is_told(here: Path, refuse: Refuse, write: Write, words: list[str]) -> None:
    """Below what is no folder nothing can be written: the place is named with the system's reason."""
    write("file", "no folder\n")
    (line,) = refuse(*words)
    assert "file/below" in line
    assert "cannot be written: Not a directory" in line


def test_a_report_that_cannot_be_written_is_told(here: Path, invoke: Callable[..., Result], write: Write) -> None:
    """A report that cannot be written is named after the verdicts, and the run is kept as it is."""
    write("file", "no folder\n")
    before = files_in(here)
    done = invoke("compare", "a-run", "--report", "file/below.md")
    assert (done.exit_code, files_in(here)) == (2, before)
    (line,) = done.stderr.splitlines()
    assert line.startswith("suite: --report file/below.md: cannot be written: Not a directory")


def test_an_interrupted_run_is_not_accepted(here: Path, refuse: Refuse) -> None:
    """A run that is not complete is refused as a baseline, with what completes it."""
    damage(here / "a-run/run.json", changed(complete=False))
    (line,) = refuse(*READERS["accept"])
    assert "--resume" in line


ODD = [
    "1e999",
    "nan",
    "",
    "-0",
    "1_000",
    "0x10",
    "٣",
    "inf",
    "-1",
    "99999999999999999999",
    "\u202e",
    "=1+1",
    '"',
    "../..",
]


@given(data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_folder_with_an_odd_word_is_taken_or_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """Wherever the word stands, each verb ends with an exit code of its own, and each fault is one line."""
    monkeypatch.chdir(here)
    file = (
        here
        / "a-run"
        / data.draw(st.sampled_from([*TABLES, "observations.csv", "probes.csv", "run.json", "machine.json"]))
    )
    sound = file.read_text(encoding="utf-8")
    place = data.draw(st.sampled_from([found.span(1) for found in re.finditer(r"(?:[,\n]|: )([^,\n]+)", sound)]))
    file.write_text(sound[: place[0]] + data.draw(st.sampled_from(ODD)) + sound[place[1] :], encoding="utf-8")
    try:
        for words in (
            READERS["compare"],
            READERS["table"],
            ["history", "a-run"],
            ["accept", *READERS["accept"][1:], "--baseline", "b"],
        ):
            done = CliRunner().invoke(main, words, prog_name="suite")
            assert done.exit_code in range(4)
            assert done.exception is None or isinstance(done.exception, SystemExit)
            assert all(line.startswith("suite: ") and line.isprintable() for line in done.stderr.splitlines())
    finally:
        file.write_text(sound, encoding="utf-8")
        shutil.rmtree(here / "b", ignore_errors=True)
