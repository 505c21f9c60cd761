"""What starting costs, beside importing torch and nothing else; whole processes, taking turns.

Only when asked for: ``pytest -m perf``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

TURNS = 7
SUITE = [sys.executable, "-c", "from suite.cli import main; main()"]
RUN = ["run", "single_neuron", "--seeds", "1", "--dtype", "float32", "--mode", "eager"]


@pytest.mark.perf
def test_starting_costs_little(tmp_path: Path, tell: Callable[..., None]) -> None:
    """Help and the list do without torch; a run of one seed takes little more than its import."""
    ways: dict[str, Callable[[int], Sequence[str]]] = {
        "python -c 'import torch'": lambda _: [sys.executable, "-c", "import torch"],
        "suite --help": lambda _: [*SUITE, "--help"],
        "suite list": lambda _: [*SUITE, "list"],
        "suite list --claims": lambda _: [*SUITE, "list", "--claims"],
        f"suite {' '.join(RUN)}": lambda turn: [*SUITE, *RUN, "--out", str(tmp_path / f"run-{turn}")],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-1, TURNS):
        for name, command in ways.items():
            start = perf_counter()
            subprocess.run(command(turn), check=True, capture_output=True)
            if turn >= 0:  # before that, what is done for the first time
                seconds[name].append(perf_counter() - start)
    torch_alone = median(seconds["python -c 'import torch'"])
    for name, measured in seconds.items():
        ratio = median(measured) / torch_alone
        tell("Start-up, whole processes", {"command": name, "seconds": median(measured), "times torch": ratio})
    assert median(seconds["suite list"]) < torch_alone
