"""One case for people and for programs: every line fits, nothing from a file steers a terminal, nothing is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from suite.report.cases.portrait import Portrait, ShownClaim
from suite.report.cases.remember import Remembered
from suite.report.cases.show import LEAST_WIDTH, VERDICT_COLUMNS, portrait_json, portrait_lines

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def _not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print as into a pipe, wherever the tests run."""
    monkeypatch.setenv("COLUMNS", "80")


def portrait_of(**given: Any) -> Portrait:
    """Return the portrait of a neuron."""
    fields: dict[str, Any] = {
        "case": "neuron",
        "version": "v1",
        "title": "One neuron.",
        "source": '"A Document", here.',
        "place": "cases/neuron.py:3",
        "steps": 100,
        "optimizer": "SGD(lr=0.1)",
        "loss": "MSELoss()",
        "inputs": (2,),
        "targets": (1,),
        "parameters": {"weight": (1, 2), "bias": (1,)},
        "declaration": "CASE = Case(\n\tsteps=100,\n)",
        "claims": (ShownClaim(id="A1", document="D", heading="H", says="it learns", expected=("weight 1 to 2",)),),
        "expected": (),
    }
    return Portrait(**(fields | given))


def record_of(verdicts: list[dict[str, str]] | None = None, **given: Any) -> Remembered:
    """Return what a run of two dtypes holds of it."""
    rows = [
        {"device": "cpu", "dtype": dtype, "seeds": 100, "median_final_loss": 0.25, "dead_rate": dead}
        | {"microseconds_a_step": 153.149}
        for dtype, dead in (("float64", 0.5), ("float16", math.nan))
    ]
    fields: dict[str, Any] = {
        "what": "newest run",
        "run": "r1",
        "started": "2030-01-01T00:00:00+00:00",
        "torch": "2.13.0",
        "why": "",
        "version": "v1",
        "points": pd.DataFrame(rows),
        "verdicts": pd.DataFrame(verdicts or []),
    }
    return Remembered(**(fields | given))


def verdict(aspect: str, word: str, dtype: str = "float64", **given: str) -> dict[str, str]:
    """Return one row of verdicts.csv."""
    row = {"device": "cpu", "dtype": dtype, "aspect": aspect, "mode": "eager", "verdict": word, "stage": "update"}
    return row | {"sentence": "so it is"} | given


def test_a_case_to_the_letter() -> None:
    """What is shown of a case, line by line."""
    verdicts = [verdict("loss", "pass"), verdict("loss", "changed", "float16"), verdict("time", "pass", "float16")]
    shown = list(portrait_lines(portrait_of(), [record_of(verdicts, why="it was right")]))
    assert shown == [
        "neuron: One neuron.",
        "",
        'source      "A Document", here.',
        "declared    cases/neuron.py:3",
        "trained     100 steps of SGD(lr=0.1), loss MSELoss()",
        "data        inputs (2,), targets (1,)",
        "parameters  weight (1, 2), bias (1,)",
        "",
        "    CASE = Case(",
        "        steps=100,",
        "    )",
        "",
        "A1          it learns",
        "            - weight 1 to 2",
        "",
        "newest run: r1, 2030-01-01T00:00:00+00:00, torch 2.13.0; it was right",
        "  cell           seeds    final loss    dead    µs a step  verdicts",
        "  cpu-float64      100          0.25     0.5        153.1  pass",
        "  cpu-float16      100          0.25                153.1  loss changed",
    ]


def test_what_is_not_there_is_said() -> None:
    """A case without docstring, claims and records is shown by what it has; another version is named as such."""
    bare = portrait_of(title="", source="", claims=(), expected=("final loss at most 2",))
    shown = list(portrait_lines(bare, []))
    assert shown[0] == "neuron"
    assert shown[2] == "source      its file names none"
    assert shown[-5:] == [
        "",
        "expected",
        "            - final loss at most 2",
        "",
        "no baseline and no run holds it; train it with: suite run",
    ]
    assert "of another version of the case, which computed something else" in list(
        portrait_lines(bare, [record_of(version="v0")])
    )


LONG = "a-very-long-word-" * 12 + " and \x1b[2J some more words\nin a second line " * 5


@pytest.mark.parametrize("columns", [80, 50, 1])
def test_every_line_fits_and_steers_no_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is wrapped to the terminal, or to 80 columns; what a file holds is shown, not obeyed, and nothing is cut."""
    monkeypatch.setenv("COLUMNS", str(columns))
    texts = dict.fromkeys(("case", "title", "source", "place", "optimizer", "loss", "declaration"), LONG)
    claims = (ShownClaim(id="A\x1b", document="D", heading="H", says=LONG, expected=(LONG,)),)
    whole = portrait_of(**texts, claims=claims, expected=(LONG,), parameters={LONG: (1,)})
    verdicts = [verdict(aspect, "incomparable\x1b") for aspect in ("expectation", "loss", "time")]
    record = record_of(verdicts, run=LONG, why=LONG, torch=LONG, version="v0")
    lines = list(portrait_lines(whole, [record]))
    assert all(line.isprintable() for line in lines)
    declared = {f"    {line}".rstrip() for line in LONG.replace("\x1b", r"\x1b").split("\n")}
    table = next(place for place, line in enumerate(lines) if line.startswith("  cell"))
    wrapped = [line for line in (lines if columns == 80 else lines[:table]) if line not in declared]
    assert max(map(len, wrapped)) <= max(columns, LEAST_WIDTH)
    assert "".join("".join(lines).split()).count("secondline") >= len(texts) + 4


def test_documents_in_the_default_width_fit(invoke: Invoke) -> None:
    """What is shown of a documented case fits 80 columns, but for its declaration."""
    done = invoke("show", "relu")
    assert done.exit_code == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith("    "))


def test_a_program_reads_the_same() -> None:
    """The JSON holds all of the portrait, and each record with its cells and all that was judged of them."""
    verdicts = [verdict("loss", "pass"), verdict("time", "regressed", "float16")]
    whole = json.loads(portrait_json(portrait_of(), [record_of(verdicts)]))
    assert (whole["case"], whole["parameters"]) == ("neuron", {"weight": [1, 2], "bias": [1]})
    assert whole["claims"][0]["expected"] == ["weight 1 to 2"]
    (record,) = whole["records"]
    assert (record["what"], record["run"], record["torch"], record["version"]) == ("newest run", "r1", "2.13.0", "v1")
    first, second = record["cells"]
    assert (first["microseconds_a_step"], first["dead_rate"], second["dead_rate"]) == (153.149, 0.5, None)
    assert [v["aspect"] for v in first["verdicts"]] == ["loss"]
    assert second["verdicts"] == [{name: verdicts[1][name] for name in VERDICT_COLUMNS}]


# On the command line.

SMALL = ("--cases", "cases", "--device", "cpu", "--dtype", "float64,float16", "--mode", "eager", "--seeds", "3")


@pytest.fixture
def cases(write: Callable[[str, str], Path], case_text: str) -> Path:
    """Write a folder of two cases."""
    write("cases/leaky.py", case_text)
    return write("cases/neuron.py", case_text).parent


def test_a_case_is_shown_with_its_records(cases: Path, invoke: Invoke) -> None:
    """Baseline and newest run are shown beside what the case file says; a pattern that one case matches will do."""
    assert invoke("run", *SMALL, "--out", "results/runs/a").exit_code == 0
    assert invoke("accept", "results/runs/a", "--reason", "why", "--who", "who").exit_code == 0
    done = invoke("show", "neu*", "--cases", "cases")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("neuron: One neuron without a bias.\n")
    assert "accepted baseline: a, " in done.stdout
    assert "newest run: a, " in done.stdout
    read = json.loads(invoke("show", "neuron", "--cases", "cases", "--json").stdout)
    assert [record["what"] for record in read["records"]] == ["accepted baseline", "newest run"]
    assert [cell["dtype"] for cell in read["records"][1]["cells"]] == ["float64", "float16"]
    Path("none").mkdir()
    elsewhere = invoke("show", "neuron", "--cases", "cases", "--baseline", "none", "--runs", "none", "--json")
    assert json.loads(elsewhere.stdout)["records"] == []


def test_several_cases_are_named(cases: Path, invoke: Invoke) -> None:
    """A pattern that several cases match is refused in one line with their names; one that none matches, too."""
    done = invoke("show", "*", "--cases", "cases")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == 'suite: case "*" stands for several: leaky, neuron; name one of them\n'
    assert 'did you mean "neuron"' in invoke("show", "neurn", "--cases", "cases").stderr


def test_a_damaged_record_is_named_and_the_rest_is_shown(cases: Path, invoke: Invoke) -> None:
    """What cannot be read makes the exit code 2; the case is shown all the same."""
    assert invoke("run", *SMALL, "--out", "results/runs/a").exit_code == 0
    Path("results/runs/a/run.json").write_text("{}", encoding="utf-8")
    done = invoke("show", "neuron", "--cases", "cases")
    assert (done.exit_code, "no baseline and no run" in done.stdout) == (2, True)
    assert done.stderr.startswith("suite: results/runs/a/run.json: ")
    assert len(done.stderr.splitlines()) == 1
