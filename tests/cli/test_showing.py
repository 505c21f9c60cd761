"""What prints cases, claims and tables: for people and for programs, one content."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Invoke = Callable[..., Result]
Write = Callable[[str, str], Path]


def test_table_has_one_content_in_three_forms(accepted: Path, invoke: Invoke) -> None:
    """Markdown, CSV and JSON hold the same cells, on the screen or in a file."""
    words = ("table", "before", "results/baselines/cpu")
    rows = json.loads(invoke(*words, "--json").stdout)
    assert [(row["case"], row["device"]) for row in rows] == [
        ("leaky", "before:cpu"),
        ("leaky", "before(2):cpu"),
        ("neuron", "before:cpu"),
        ("neuron", "before(2):cpu"),
    ]
    in_csv = list(csv.DictReader(io.StringIO(invoke(*words, "--form", "csv").stdout)))
    assert [(row["device"], float(row["median_final_loss"])) for row in in_csv] == [
        (row["device"], row["median_final_loss"]) for row in rows
    ]
    markdown = invoke(*words)
    assert markdown.exit_code == 0
    assert len(markdown.stdout.splitlines()) == 2 + len(rows)
    assert invoke(*words, "--out", "table.md").stdout == ""
    assert Path("table.md").read_text(encoding="utf-8") == markdown.stdout


CLAIMS = '[[document]]\ntitle = "T"\nclaim = [{ id = "Q1", heading = "H", says = "it\\u001b[2J learns" }]\n'


def test_list_holds_every_case(cases: Path, invoke: Invoke) -> None:
    """The list names every case, for people and for programs."""
    rows = json.loads(invoke("list", "--cases", "cases", "--json").stdout)
    assert [(row["case"], row["steps"]) for row in rows] == [("leaky", 30), ("neuron", 30)]
    done = invoke("list", "--cases", "cases/neuron.py")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "cases/"
    assert done.stdout.splitlines()[-1].split() == ["neuron", "30", "0"]


def test_list_claims_names_cases_and_bounds(expecting: Callable[[str], Path], write: Write, invoke: Invoke) -> None:
    """Each claim stands with its case and what is expected; control characters in it are shown, not obeyed."""
    write("cases/claims.toml", CLAIMS)
    file = expecting("parameter('weight', low=-1.0, high=9.0)")
    file.write_text(file.read_text(encoding="utf-8").replace("steps=3", "claims=('Q1',), steps=3"), encoding="utf-8")
    done = invoke("list", "--claims", "--cases", "cases")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first.split(maxsplit=2) == ["Q1", "neuron:", r"it\x1b[2J learns"]
    assert second.strip() == "- weight -1 to 9"
    (row,) = json.loads(invoke("list", "--claims", "--cases", "cases", "--json").stdout)
    assert (row["claim"], row["case"], row["expected"]) == ("Q1", "neuron", ["weight -1 to 9"])


def test_list_claims_fails_on_a_claim_without_a_case(cases: Path, write: Write, invoke: Invoke) -> None:
    """A claim that no case shows is named, and nothing is listed."""
    write("cases/claims.toml", CLAIMS)
    done = invoke("list", "--claims", "--cases", "cases")
    assert (done.exit_code, done.stdout, "Q1" in done.stderr) == (2, "", True)


def test_every_documented_claim_has_a_case(invoke: Invoke) -> None:
    """The documented cases together show every claim of their documents."""
    done = invoke("list", "--claims")
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["trials.csv", "run.json", "verdicts.csv", ".lock"])
@pytest.mark.parametrize("verb", ["table", "report"])
def test_nothing_is_written_over_a_record(accepted: Path, invoke: Invoke, verb: str, name: str) -> None:
    """What is written to a file of one's own choice never takes the place of a run's own."""
    before = {file: file.read_bytes() for file in Path("before").iterdir()}
    done = invoke(verb, "before", "--out", f"before/{name}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"suite: --out before/{name}: is a run's own record, which is not written over;")
    assert {file: file.read_bytes() for file in Path("before").iterdir()} == before


HOSTILE = "e\x1b[2J\x1b]0;t\x07\n::error::x \u202e"


@pytest.mark.parametrize(
    "words",
    [("report",), ("table",), ("table", "--json"), ("table", "--scaling"), ("history",), ("history", "--json")],
    ids=" ".join,
)
def test_a_folder_of_any_name_steers_no_terminal(
    accepted: Path, invoke: Invoke, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Whatever a run's folder is called, what is printed of it is printable, and no command to a runner."""
    shutil.copytree(accepted, tmp_path / HOSTILE / "sound")
    shutil.copytree(accepted, tmp_path / HOSTILE / "damaged")
    (tmp_path / HOSTILE / "damaged/trials.csv").unlink()
    for place in ("sound", "damaged", "nowhere"):
        done = invoke(*words, f"{HOSTILE}/{place}")
        lines = [*done.stdout.split("\n"), *done.stderr.split("\n")]
        assert all(line.isprintable() and not line.lstrip().startswith("::") for line in lines)
        assert (done.exit_code == 2) == (place != "sound")


def test_history_shows_what_it_can_beside_what_it_cannot(
    accepted: Path, invoke: Invoke, tmp_path: Path, refuse_folder: Callable[[str], None]
) -> None:
    """A folder that cannot be read, and a run that is damaged, are named; the others are shown all the same."""
    shutil.copytree(accepted, tmp_path / "hist/sound")
    shutil.copytree(accepted, tmp_path / "hist/damaged")
    (tmp_path / "hist/damaged/trials.csv").unlink()
    (tmp_path / "hist/no").mkdir()
    refuse_folder("no")
    done = invoke("history", "hist")
    assert done.exit_code == 2
    assert "neuron[cpu-float64]" in done.stdout
    assert done.stderr.splitlines() == [
        "suite: hist/no: cannot be read: Permission denied",
        "suite: hist/damaged/trials.csv: cannot be read: No such file or directory",
    ]


LONG = "x" * 300
"""A name that is longer than any system takes."""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "--cases", LONG), f"{LONG}: cannot be used: File name too long"),
        (("list", "--cases", "loop"), "loop: no such folder of cases"),
        (("list", "--cases", "looped"), "looped/x.py: does not import: OSError: [Errno 40] Too many levels"),
        (("versus", "python3", "python3", "--cases", LONG), f"{LONG}: cannot be used: File name too long"),
        (("show", "neuron", "--cases", "cases", "--runs", "typo"), "--runs typo: no such folder"),
        (("show", "neuron", "--cases", "cases", "--baseline", "typo"), "--baseline typo: no such folder"),
        (("show", "neuron", "--cases", "cases", "--runs", LONG), f"{LONG}: cannot be used: File name too long"),
        (("run", "neuron", "--cases", "cases", "--out", "loop"), "loop: cannot be written: File exists"),
    ],
    ids=lambda words: " ".join(words)[:40] if isinstance(words, tuple) else "",
)
def test_a_path_that_leads_nowhere_is_one_line(cases: Path, invoke: Invoke, words: tuple[str, ...], told: str) -> None:
    """A name that is too long, links in a circle, a folder that is not there: code 2, and no traceback."""
    Path("loop").symlink_to("loop")
    Path("looped").mkdir()
    Path("looped/x.py").symlink_to("x.py")
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("suite: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
