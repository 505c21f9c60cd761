"""Two runs of a million trials are compared: what that takes, beside reading the same files with pandas alone.

Only when asked for: ``pytest -m perf``. The seconds are told, never asserted; the memory is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

MOST_MEMORY = 2 * 10**9
"""Bytes that the whole process may hold at its fullest."""

COMPARE = "from suite.cli import main; main()"
READ = "import sys, pandas\nfor file in sys.argv[1:]: pandas.read_csv(file, keep_default_na=False)"

ONE = ["relu"]
TEN = [
    *("relu", "zero_weights_relu", "zero_weights_leaky", "bias", "hidden_layer", "leaky_relu", "several_inputs"),
    *("single_neuron", "layer_from_scratch", "several_neurons"),
]


def measured(code: str, words: Sequence[str | Path], answer: Path) -> tuple[int, float, int]:
    """Run Python; return its exit code, its seconds and its largest memory in bytes. What it prints goes to a file."""
    start = perf_counter()
    with answer.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=stream)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, perf_counter() - start, usage.ru_maxrss * 1024


@pytest.mark.perf
@pytest.mark.parametrize(
    ("cases", "seeds"),
    [(ONE, 250_000), (TEN, 25_000)],
    ids=["one case", "ten cases"],
)
def test_a_million_trials_are_compared(
    tmp_path: Path,
    write_run: Callable[..., Path],
    tell: Callable[..., None],
    request: pytest.FixtureRequest,
    cases: list[str],
    seeds: int,
) -> None:
    """Every cell is judged to the last bit, in less than two gigabytes.

    The recorded hundred seeds of relu, tiled, are too few dead ones for many more: that is broken, as it should be.
    """
    size: dict[str, Any] = {"cases": cases, "seeds": seeds}
    runs = [write_run(tmp_path / "old", **size), write_run(tmp_path / "new", **size, nudged=True)]
    words: list[str | Path] = ["compare", runs[1], "--baseline", runs[0], "--json"]
    ended, seconds, memory = measured(COMPARE, words, tmp_path / "answer")
    files = [run / file for run in runs for file in ("trials.csv", "curves.csv", "observations.csv")]
    _, alone, _ = measured(READ, files, tmp_path / "nothing")
    rows = {file.stem: file.read_bytes().count(b"\n") - 1 for file in files[:3]}
    told = {"seconds": seconds, "times pandas.read_csv": seconds / alone, "gigabytes": memory / 1e9}
    tell("Two runs of a million trials, compared", {"runs": request.node.callspec.id, **rows, **told})
    found = json.loads((tmp_path / "answer").read_text())
    losses = {(v["case"], v["dtype"]): v for v in found["verdicts"] if v["aspect"] == "loss"}
    times = [v["verdict"] for v in found["verdicts"] if v["aspect"] == "time"]
    assert len(losses) == 4 * len(cases)
    assert times == ["pass"] * len(cases)
    for (_, dtype), verdict in losses.items():
        assert verdict["verdict"] == ("changed" if dtype == "float16" else "pass")
        assert verdict["stage"] == ("later" if dtype == "float16" else "")
        assert f"{seeds} seeds" in verdict["sentence"]
    assert ended == found["exit_code"] == 1
    assert memory < MOST_MEMORY
