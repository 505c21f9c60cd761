"""Numbers at the edge of what there is are recorded as they are, judged as equal to themselves, and shown."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from suite.cli import main
from suite.records import read_run

Invoke = Callable[..., Result]

CASES = {
    "overflow": ("fixed(x=[300.0], target=[70000.0])", "nn.MSELoss()", "partial(SGD, lr=0.001)"),
    "subnormal": ("fixed(x=[1e-22], target=[1e-22])", "nn.MSELoss()", "partial(SGD, lr=0.1)"),
    "diverging": ("fixed(x=[1e3], target=[5.0])", "nn.MSELoss()", "partial(SGD, lr=1e3)"),
    "exact": ("fixed(x=[0.0], target=[0.0])", "nn.MSELoss()", "partial(SGD, lr=0.1)"),
    "returning": ("fixed(x=[1.0], target=[5.0])", "Spike()", "partial(SGD, lr=0.1)"),
    "negative": ("fixed(x=[1.0], target=[5.0])", "Negative()", "partial(SGD, lr=0.1)"),
}
"""What is trained: its data, its loss and its optimizer."""

FILE = """
'''{name}: a neuron at the edge of what its numbers can hold.'''

from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, fixed, parameter, path


class Spike(nn.Module):
    '''Is infinite where the weight is small, and finite where it has grown.'''

    def forward(self, answer: Tensor, target: Tensor) -> Tensor:
        error = ((answer - target) ** 2).mean()
        return error + torch.where(answer.mean() < 2.0, torch.inf, 0.0).to(error.dtype)


class Negative(nn.Module):
    '''Is below zero, of which there is no logarithm.'''

    def forward(self, answer: Tensor, target: Tensor) -> Tensor:
        return ((answer - target) ** 2).mean() - 100.0


CASE = Case(
    architecture=partial(nn.Linear, 1, 1, bias=False),
    data={data},
    loss={loss},
    optimizer={optimizer},
    steps=12,
    expect=[parameter("weight", low=-1e9, high=1e9).median()],
    show=[path("weight")],
)
"""

SEEDS = {
    "one": "1",
    "last": "18446744073709551615:18446744073709551616",
    "across": "9223372036854775806:9223372036854775810",
}


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every case at the edge, in every dtype and two modes, and accept the run, in a folder of its own."""
    folder = tmp_path_factory.mktemp("edges")
    (folder / "cases").mkdir()
    for name, (data, loss, optimizer) in CASES.items():
        text = FILE.lstrip().format(name=name, data=data, loss=loss, optimizer=optimizer)
        (folder / f"cases/{name}.py").write_text(text, encoding="utf-8")
    record(folder, folder / "run", "--seeds", "20", "--mode", "eager,ensemble")
    return folder


def record(folder: Path, run: Path, *words: str) -> None:
    """Train the cases of a folder and accept the run as the baseline beside it."""
    given = ["run", "--cases", str(folder / "cases"), "--device", "cpu", *words, "--out", str(run)]
    assert CliRunner().invoke(main, given, catch_exceptions=False).exit_code in {0, 1, 3}
    accept = ["accept", str(run), "--reason", "x", "--who", "me", "--baseline", f"{run}-baselines"]
    assert CliRunner().invoke(main, accept, catch_exceptions=False).exit_code == 0


def losses(run: Path, case: str, dtype: str, mode: str = "eager") -> list[float]:
    """Return the final losses of a cell, as a plain reader of CSV and ``float`` have them."""
    with (run / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            row for row in csv.DictReader(stream) if (row["case"], row["dtype"], row["mode"]) == (case, dtype, mode)
        ]
    return [float(row["final_loss"]) for row in rows]


def curves(run: Path, case: str, dtype: str) -> list[float]:
    """Return the first seed's losses on the way."""
    with (run / "curves.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["case"], row["dtype"], row["seed"]) == (case, dtype, "0")]
    return [float(row["loss"]) for row in rows if row["mode"] == "eager"]


def test_what_is_at_the_edge_is_recorded_as_it_is(edges: Path) -> None:
    """An overflow is an overflow, a subnormal no zero, a zero a zero; nothing is put in the place of another."""
    run = edges / "run"
    assert math.isinf(curves(run, "overflow", "float16")[0])
    assert all(0.0 < loss < 1e4 * 70000.0**2 for loss in curves(run, "overflow", "float64")[:1])
    assert 0.0 < curves(run, "subnormal", "float32")[0] < 1.18e-38
    assert curves(run, "subnormal", "float16")[0] == 0.0
    assert not any(map(math.isfinite, losses(run, "diverging", "float32")))
    assert set(losses(run, "exact", "bfloat16")) == {0.0}
    assert math.isinf(curves(run, "returning", "float64")[0])
    assert all(map(math.isfinite, losses(run, "returning", "float64")))
    assert max(curves(run, "negative", "float64")) < 0.0


def test_the_status_says_how_it_ended(edges: Path) -> None:
    """Diverged is what ends in no finite loss, and nothing else."""
    trials = read_run(edges / "run").trials
    finite = trials["final_loss"].map(math.isfinite)
    assert ((trials["status"] == "ok") == finite).all()
    assert {"ok", "diverged"} == set(trials["status"].astype(str))


def test_what_is_at_the_edge_is_equal_to_itself(edges: Path, invoke: Invoke) -> None:
    """Compared with itself each cell's losses pass, bit for bit, whatever they are."""
    done = invoke("compare", edges / "run", "--baseline", edges / "run-baselines", "--json")
    assert done.exit_code in {0, 1, 3}
    with (edges / "run/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["verdict"] for row in rows if row["aspect"] == "loss"} == {"pass"}
    assert len([row for row in rows if row["aspect"] == "loss"]) == len(CASES) * 4 * 2
    assert not {row["verdict"] for row in rows if row["aspect"] == "time"} - {"pass", "inconclusive", "incomparable"}


SHOWN = (("table",), ("table", "--json"), ("table", "--form", "csv"), ("table", "--scaling"), ("history",), ("report",))


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_what_is_at_the_edge_is_shown(edges: Path, tmp_path: Path, invoke: Invoke, words: tuple[str, ...]) -> None:
    """No table, page or history stumbles over it."""
    more = ("--baseline", edges / "run-baselines", "--out", tmp_path / "page.html") if words == ("report",) else ()
    done = invoke(*words, edges / "run", *more)
    assert done.exit_code in {0, 1, 3}
    assert (
        "overflow" in ((tmp_path / "page.html").read_text(encoding="utf-8") if more else done.stdout)
        or "--scaling" in words
    )


@pytest.mark.parametrize("seeds", SEEDS)
def test_any_seed_is_recorded_judged_and_shown(tmp_path: Path, invoke: Invoke, case_text: str, seeds: str) -> None:
    """One seed alone, the last there is, and those about 2⁶³, where signed numbers end."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/neuron.py").write_text(case_text, encoding="utf-8")
    record(tmp_path, tmp_path / "run", "--seeds", SEEDS[seeds], "--dtype", "float32,bfloat16")
    first, _, end = SEEDS[seeds].rpartition(":")
    planned = range(int(first or 0), int(end))
    trials = read_run(tmp_path / "run").trials
    assert set(trials["seed"].map(int)) == set(planned)
    done = invoke("compare", tmp_path / "run", "--baseline", tmp_path / "run-baselines", "--json")
    assert done.exit_code in {0, 3}
    assert '"verdict": "pass"' in done.stdout
    for words in (("table",), ("history",), ("report", "--baseline", tmp_path / "run-baselines")):
        assert invoke(*words, tmp_path / "run").exit_code in {0, 3}
