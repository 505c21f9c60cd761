"""A run's folder may come from anyone: looking at it executes nothing, follows nothing, and steers no terminal."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

import suite
from suite.cli import main

Invoke = Callable[..., Result]

ROOMS = [Path(suite.__file__).parent / room for room in ("records", "judge", "report")]
HOSTILE_IMPORTS = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "yaml",
    "torch",
    "subprocess",
    "ctypes",
}
HOSTILE_IMPORTS |= {"importlib", "runpy", "code", "socket", "urllib", "requests", "webbrowser"}
HOSTILE_NAMES = {"eval", "exec", "compile", "__import__"}
HOSTILE_METHODS = {"eval", "exec", "system", "popen", "query", "read_pickle", "import_module", "allow_pickle"}

TEXT = (
    "x\n::error file=a,line=1::pwned ##[add-mask]y <script>alert(1)</script><img src=x onerror=alert(1)> "
    "[l](javascript:alert(1)) `c` | a\x1b[2J\x1b]0;t\x07\x9b31m\x7f \u202egnp.exe\u2066 "
    "{{ 7*7 }} ${{ github.token }} %0A"
)
NAME = f'=HYPERLINK("http://example.invalid","x") {TEXT}'

SMALL = ("--device", "cpu", "--dtype", "float32", "--mode", "eager", "--seeds", "3")
VERBS = (
    ("compare", "run", "--report", "out/v.md", "--report", "out/v.xml", "--report", "out/v.json"),
    ("compare", "run", "--json", "--report", "out/v.benchmark.json"),
    ("table", "run"),
    ("table", "run", "--json"),
    ("table", "run", "--form", "csv", "--out", "out/table.csv"),
    ("report", "run", "--out", "out/page.html"),
    ("history", "run"),
    ("history", "run", "--json"),
    ("show", "neuron", "--cases", "cases", "--runs", "run"),
    ("show", "neuron", "--cases", "cases", "--runs", "run", "--json"),
    ("accept", "run", "--reason", "x", "--who", "me", "--baseline", "out/baselines"),
)


def test_no_room_that_reads_records_can_execute_them() -> None:
    """Nothing there unpickles, evaluates, compiles, imports by name, starts a program or reaches for the network."""
    files = [file for room in ROOMS for file in room.rglob("*.py")]
    assert len(files) > 30
    for file in files:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        imported += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        assert not {name.partition(".")[0] for name in imported} & HOSTILE_IMPORTS, file
        called = [node.func for node in nodes if isinstance(node, ast.Call)]
        assert not {name.id for name in called if isinstance(name, ast.Name)} & HOSTILE_NAMES, file
        assert not {name.attr for name in called if isinstance(name, ast.Attribute)} & HOSTILE_METHODS, file


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, case_text: str) -> Path:
    """Train a case that draws and expects something, and compare it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "cases").mkdir()
    text = case_text.replace("Case, fixed", "Case, fixed, parameter, path")
    more = "    expect=[parameter('weight', low=-100.0).median()],\n    show=[path('weight')],\n)\n"
    (folder / "cases/neuron.py").write_text(text.rstrip().removesuffix(")") + more, encoding="utf-8")
    words = ["run", "--cases", str(folder / "cases"), *SMALL, "--out", str(folder / "run")]
    assert CliRunner().invoke(main, words).exit_code in {0, 3}
    return folder


@pytest.fixture
def hostile(trained: Path, tmp_path: Path) -> Path:
    """Give the test the run of a stranger who has put hostile text wherever text may stand, beside hostile code."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/neuron.py").write_text("open('executed', 'w').close()\n", encoding="utf-8")
    rewrite(tmp_path / "run/run.json", in_manifest)
    rewrite(tmp_path / "run/machine.json", in_machine)
    for file in (tmp_path / "run").glob("*.csv"):
        in_table(file)
    return tmp_path


def rewrite(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a JSON file says."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    change(whole)
    file.write_text(json.dumps(whole), encoding="utf-8")


def in_manifest(whole: dict[str, Any]) -> None:
    """Put hostile text wherever a manifest holds text of its own."""
    (case,) = whole["cases"]
    clause = case["clauses"][0]
    whole |= {"run": NAME, "started": NAME, "roots": ["/", "../evil", TEXT], "known_cases": [NAME], "notes": [TEXT]}
    whole["claims"] = [{"id": NAME, "document": TEXT, "heading": TEXT, "says": TEXT}]
    whole["skipped"] = [{"device": NAME, "reason": TEXT}]
    case |= {"name": NAME, "version": NAME, "folder": NAME, "title": TEXT, "document": TEXT, "claims": [NAME]}
    case["source"] = TEXT.replace("/", "") + "/" + TEXT.replace("/", "")
    case["sketch"]["layers"] = [{"inputs": 1, "outputs": 1, "bias": True, "activation": TEXT}]
    clause |= {"observation": NAME, "group": "", "claims": [NAME]}
    for cell in whole["cells"]:
        cell["case"] = NAME


def in_machine(whole: dict[str, Any]) -> None:
    """Put hostile text wherever a fingerprint holds text of its own."""
    whole |= dict.fromkeys(("torch", "torch_build", "numpy", "python", "system"), TEXT)
    whole["variables"] = {TEXT: TEXT}
    whole["devices"]["cpu"] |= {"model": TEXT, "details": {TEXT: TEXT}}


def in_table(file: Path) -> None:
    """Put hostile text wherever a table holds text of its own."""
    with file.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    texts = {"case": NAME, "run": NAME, "case_version": NAME, "name": NAME, "reason": TEXT, "sentence": TEXT}
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerows(
        [header, *([texts.get(name, word) for name, word in zip(header, row, strict=True)] for row in rows)]
    )
    file.write_bytes(lines.getvalue().replace('"\r\n', '"\n').replace("\r\n", "\n").encode())


WATCHED: list[list[tuple[str, str]]] = []
"""Where what happens is written down, while it is."""


def watch(event: str, args: tuple[Any, ...]) -> None:
    """Write down what opens a file, executes, starts a program or reaches for the network."""
    if not WATCHED:
        return
    if event == "open" and isinstance(args[0], str | bytes):
        WATCHED[-1].append((event, os.fsdecode(args[0])))
    elif event == "exec":
        WATCHED[-1].append((event, getattr(args[0], "co_filename", "")))
    elif event in {"os.system", "subprocess.Popen", "pickle.find_class", "socket.connect", "os.scandir", "os.listdir"}:
        WATCHED[-1].append((event, str(args[0]) if args else ""))


sys.addaudithook(watch)


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """Give what happens within, as Python's own audit sees it."""
    WATCHED.append([])
    try:
        yield WATCHED[-1]
    finally:
        WATCHED.pop()


def harmless(line: str) -> bool:
    """Tell whether a printed line steers neither a terminal nor a runner."""
    return line.isprintable() and not line.lstrip().startswith("::") and "##[" not in line


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_hostile_folder_is_shown_as_text(hostile: Path, invoke: Invoke, words: tuple[str, ...]) -> None:
    """Every verb names what stands there, and obeys none of it: nothing is run, and nothing outside is looked at."""
    with watched() as seen:
        done = invoke(*words)
    assert done.exit_code in {0, 1, 3}
    assert all(map(harmless, (done.stdout + done.stderr).splitlines()))
    assert not (hostile / "executed").exists()
    assert not [found for found in seen if found[0] in {"os.system", "subprocess.Popen", "socket.connect"}]
    assert not [found for found in seen if "evil" in found[1] or found in {("os.scandir", "/"), ("os.listdir", "/")}]
    for file in (hostile / "out").iterdir():
        if file.is_file():
            CHECKS[file.suffix](file.read_text(encoding="utf-8"))


def check_text(text: str) -> None:
    """Check that every line of a file is harmless on a terminal."""
    assert all(map(harmless, text.splitlines()))


def check_markdown(text: str) -> None:
    """Check that no markup stands in Markdown but the report's own."""
    check_text(text)
    assert not re.search(r"(?<!\\)<(?!/?(details|summary)>)|(?<!\\)\]\(", text)


def check_csv(text: str) -> None:
    """Check that no field is a formula."""
    assert not [field for row in csv.reader(StringIO(text)) for field in row if field.startswith(("=", "+", "-", "@"))]


def check_xml(text: str) -> None:
    """Check that what was text is text still."""
    assert {node.tag for node in ET.fromstring(text).iter()} <= {
        *("testsuites", "testsuite", "testcase", "properties", "property", "failure", "skipped", "system-out")
    }


def check_page(text: str) -> None:
    """Check that the page holds no script but its own, no picture from elsewhere, and no hidden character."""
    assert text.count("<script") == 1
    assert "<img" not in text
    assert 'href="javascript' not in text
    assert "49" not in text.partition("alert(1)")[2][:400]
    assert all(line.isprintable() for line in text.replace("\t", "").split("\n"))


CHECKS: dict[str, Callable[[str], None]] = {
    ".md": check_markdown,
    ".json": check_text,
    ".csv": check_csv,
    ".xml": check_xml,
    ".html": check_page,
}


def test_on_a_runner_only_the_suites_own_commands_are_commands(
    hostile: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --github, a line is a command only if the suite meant it as one, and holds no line end of a stranger."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(hostile / "summary.md"))
    done = invoke("compare", "run", "--github")
    commands = [line for line in done.stdout.splitlines() if line.lstrip().startswith("::")]
    stop, resume, *annotations = commands
    assert stop.startswith("::stop-commands::")
    assert resume == f"::{stop.removeprefix('::stop-commands::')}::"
    assert all(
        line.startswith(("::error file=cases/", "::warning file=cases/", "::warning title=")) for line in annotations
    )
    assert "##[" not in done.stdout
    check_markdown((hostile / "summary.md").read_text(encoding="utf-8"))


def test_timing_again_runs_no_code_that_a_run_names(hostile: Path, invoke: Invoke) -> None:
    """Folders of cases are code: those that a run names are taken only if they are named here, too."""
    rewrite(hostile / "run/run.json", lambda whole: whole.update(roots=["evil", str(hostile / "evil")]))
    before = {file: file.read_bytes() for file in (hostile / "run").iterdir()}
    with watched() as seen:
        done = invoke("compare", "run", "--baseline", "run", "--again")
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 2
    assert all("--again" in line and "--cases" in line and "evil" in line for line in done.stderr.splitlines())
    assert not (hostile / "executed").exists()
    assert not [found for found in seen if "evil" in found[1]]
    assert {file: file.read_bytes() for file in (hostile / "run").iterdir()} == before


@pytest.mark.parametrize("device", ["../../outside", "/outside", "..", "", "cpu/../..", "a b", "cpu\n", "c" * 300])
def test_no_device_names_a_folder(hostile: Path, invoke: Invoke, device: str) -> None:
    """A baseline's folder is called as its type of device: a name that leads elsewhere is refused."""
    (hostile / "outside").mkdir()
    (hostile / "outside/kept").write_text("", encoding="utf-8")
    rewrite(hostile / "run/machine.json", lambda whole: whole.update(devices={device: whole["devices"]["cpu"]}))
    rewrite(
        hostile / "run/run.json", lambda whole: whole.update(cells=[c | {"device": device} for c in whole["cells"]])
    )
    before = sorted(hostile.rglob("*"))
    done = invoke("accept", "run", "--reason", "x", "--who", "me", "--baseline", "out/a/b", "--drop")
    assert done.exit_code == 2
    assert "expected a device as torch calls it" in done.stderr
    assert sorted(hostile.rglob("*")) == before


@pytest.mark.parametrize("source", ["/etc/passwd", "../../etc/passwd", "guide/../../x.py", "a/b/c.py", "a/\0"])
def test_a_case_lies_in_a_folder_of_cases(hostile: Path, invoke: Invoke, source: str) -> None:
    """A path that leads out of it is refused by its place in the manifest."""
    rewrite(hostile / "run/run.json", lambda whole: whole["cases"][0].update(source=source))
    done = invoke("table", "run")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("suite: run/run.json: cases.0.source: found ")


@pytest.mark.parametrize("name", ["trials.csv", "graphs.csv", "again.csv", "run.json", "machine.json"])
@pytest.mark.parametrize("make", ["link", "dangling", "pipe"])
def test_a_link_in_a_folder_is_not_followed(
    trained: Path, tmp_path: Path, invoke: Invoke, name: str, make: str
) -> None:
    """Nor is a pipe waited for: what lies elsewhere is neither read, nor shown in a fault, nor written."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secret").write_text("root:secret:0", encoding="utf-8")
    file = tmp_path / "run" / name
    file.unlink(missing_ok=True)
    if make == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(tmp_path / ("secret" if make == "link" else "nowhere"))
    resume = ("run", "--cases", "cases", *SMALL, "--resume", "--out", "run")
    told = "is a pipe or a device" if make == "pipe" else "is a link, which is not followed"
    for words in (("table", "run"), ("compare", "run", "--baseline", "run"), resume)[: 2 if name == "again.csv" else 3]:
        done = invoke(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"suite: run/{name}: {told}")
    assert (tmp_path / "secret").read_text(encoding="utf-8") == "root:secret:0"
    assert not (tmp_path / "nowhere").exists()
