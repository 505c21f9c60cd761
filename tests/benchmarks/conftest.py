"""Runs of any size, for the benchmarks: the stored baseline's cells, tiled over many more seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tabulate import tabulate

from suite.plan import DTYPES
from suite.records.manifest import MACHINE_FILE, MANIFEST_FILE
from suite.records.schema import CURVES, GRAPHS, OBSERVATIONS, PROBES, SCHEMA_VERSION, TRIALS
from suite.trial import marks

RECORDED = Path(__file__).parents[2] / "results" / "baselines" / "cpu"

CHUNK = 20_000
"""Seeds whose rows are made at once."""
STEPS = 3
"""Updates of every trial: its curve has a point for each."""
APART = "float16"
"""The dtype in which a nudged run has other bits than the one that was not."""
SPREAD = 2.0**-30
"""How far a seed's numbers lie from those of the seed before it."""

NORMS = [f"{part}_norm" for part in ("data", "init", "start", "gradient", "update", "final")]
DIGESTS = {f"{part}_digest": place for place, part in enumerate(("init", "gradient", "update", "final"))}


TOLD = pytest.StashKey[dict[str, list[dict[str, object]]]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a row to one of the tables that are printed at the end: ``tell("A title", {"column": 1.5})``."""

    def add(title: str, row: dict[str, object]) -> None:
        request.config.stash.setdefault(TOLD, {}).setdefault(title, []).append(row)

    return add


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tables be written to files."""
    parser.addoption("--write-tables", metavar="DIR", help="write each table of the benchmarks to a file in DIR")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables, in Markdown; write each to a file named after the beginning of its title, if asked to."""
    place: str | None = config.getoption("--write-tables")
    for title, rows in config.stash.get(TOLD, {}).items():
        table = tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3g")
        terminalreporter.write_line(f"\n{title}\n\n{table}")
        if place:
            name = "-".join(title.partition(":")[0].lower().split())
            Path(place).mkdir(parents=True, exist_ok=True)
            Path(place, f"{name}.md").write_text(table + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Write the folder of a run of so many seeds: ``write_run(folder, cases=["relu"], seeds=250_000)``."""
    return write


def mode_of(dtype: str) -> str:
    """Return the mode that a cell is written in: one of the dtypes is timed, seed by seed."""
    return "eager" if dtype == "float64" else "ensemble"


def write(folder: Path, *, cases: Sequence[str], seeds: int, nudged: bool = False) -> Path:
    """Write a run of each case in every dtype; three points of a curve and one observation for each seed.

    Nudged, it is the same run on another day: other times, and in one dtype a last bit of the last loss.
    """
    folder.mkdir(parents=True)
    machine: dict[str, Any] = json.loads((RECORDED / MACHINE_FILE).read_text())
    for file, told in {MACHINE_FILE: machine, MANIFEST_FILE: _manifest(folder.name, cases, seeds)}.items():
        (folder / file).write_text(json.dumps(told | {"schema": SCHEMA_VERSION}, indent=1) + "\n")
    tables = {table.file: table for table in (TRIALS, CURVES, OBSERVATIONS)}
    recorded = {file: pd.read_csv(RECORDED / file, keep_default_na=False) for file in tables}
    for file, table in tables.items():
        with (folder / file).open("w", encoding="utf-8", newline="") as stream:
            stream.write(",".join(table.columns) + "\n")
            for case, dtype in product(cases, DTYPES):
                rows = {name: _of_cell(every, case, dtype) for name, every in recorded.items()}
                for start in range(0, seeds, CHUNK):
                    chunk = range(start, min(start + CHUNK, seeds))
                    stream.writelines(WRITERS[file](rows, chunk, folder.name, nudged))
    (folder / GRAPHS.file).write_text(",".join(GRAPHS.columns) + "\n", encoding="utf-8")
    probes = pd.read_csv(RECORDED / PROBES.file, keep_default_na=False)
    of_cells = [_of_cell(probes, *cell).assign(mode=mode_of(cell[1])) for cell in product(cases, DTYPES)]
    pd.concat(of_cells)[list(PROBES.columns)].to_csv(folder / PROBES.file, index=False)
    return folder


def _manifest(run: str, cases: Sequence[str], seeds: int) -> dict[str, Any]:
    """Return the stored baseline's manifest with these cells, and the expectations that one observation tells."""
    manifest: dict[str, Any] = json.loads((RECORDED / MANIFEST_FILE).read_text())
    declared = [case for case in manifest["cases"] if case["name"] in cases]
    for case in declared:
        looked_at = case["clauses"][0]["observation"]
        alone = [clause for clause in case["clauses"] if (clause["observation"], clause["group"]) == (looked_at, "")]
        case["clauses"] = alone
    size = {"first_seed": 0, "seeds": seeds, "short": False}
    cells = [
        {"case": case, "device": "cpu", "dtype": dtype, "mode": mode_of(dtype)} | size
        for case, dtype in product(cases, DTYPES)
    ]
    return manifest | {"run": run, "cases": declared, "cells": cells, "accepted": None}


def _of_cell(rows: pd.DataFrame, case: str, dtype: str) -> pd.DataFrame:
    """Return a recorded cell's rows; those of its ensemble, which alone was looked at."""
    return rows[(rows["case"] == case) & (rows["dtype"] == dtype) & (rows["mode"] == "ensemble")]


def _spread(values: pd.Series, seeds: range) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Repeat recorded numbers over the seeds, each seed with digits of its own."""
    places = np.arange(seeds.start, seeds.stop)
    result: np.ndarray[Any, np.dtype[np.float64]] = np.resize(values.to_numpy(float), len(values) * (seeds.stop + 1))[
        places
    ] * (1.0 + SPREAD * places)
    return result


def _trials(recorded: dict[str, pd.DataFrame], seeds: range, run: str, nudged: bool) -> Iterator[str]:
    rows = recorded[TRIALS.file]
    first = rows.iloc[0]
    numbers = {name: _spread(rows[name], seeds) for name in ("first_loss", "final_loss", *NORMS)}
    yardstick, day = _spread(pd.Series([7e-5]), seeds), 1.0 + 0.01 * nudged
    numbers |= {"train_seconds": 190 * day * yardstick, "yardstick_seconds": yardstick}
    other = nudged and first["dtype"] == APART
    numbers["final_loss"] = np.nextafter(numbers["final_loss"], 2.0) if other else numbers["final_loss"]
    words = {name: list(map(repr, values.tolist())) for name, values in numbers.items()}
    alike = {"schema": SCHEMA_VERSION, "run": run, "mode": mode_of(first["dtype"]), "steps": STEPS}
    alike |= {"compile_seconds": 0.0}
    words |= {name: [str(value)] * len(seeds) for name, value in (dict(first) | alike).items() if name not in words}
    words |= {"seed": list(map(str, seeds))}
    for name, place in DIGESTS.items():
        salt = place + 4 * (other and name == "final_digest")
        words[name] = [f"{(8 * seed + salt) * 0x9E3779B97F4A7C15 % 2**64:016x}" for seed in seeds]
    yield from (",".join(row) + "\n" for row in zip(*(words[name] for name in TRIALS.columns), strict=True))


def _curves(recorded: dict[str, pd.DataFrame], seeds: range, run: str, nudged: bool) -> Iterator[str]:
    rows = recorded[CURVES.file]
    losses = [_spread(rows.loc[rows["step"] == step, "loss"], seeds).tolist() for step in marks(STEPS)]
    cell = _cell_words(rows)
    for seed, *values in zip(seeds, *losses, strict=True):
        yield "".join(f"{cell},{seed},{step},{loss!r}\n" for step, loss in zip(marks(STEPS), values, strict=True))


def _observations(recorded: dict[str, pd.DataFrame], seeds: range, run: str, nudged: bool) -> Iterator[str]:
    rows = recorded[OBSERVATIONS.file]
    name, cell = rows["name"].iloc[0], _cell_words(rows)
    values = np.resize(rows.loc[rows["name"] == name, "value"].to_numpy(float), seeds.stop)[seeds.start :]
    yield from (f"{cell},{seed},{value!r},{name}\n" for seed, value in zip(seeds, values.tolist(), strict=True))


def _cell_words(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return ",".join([str(SCHEMA_VERSION), first["case"], first["device"], first["dtype"], mode_of(first["dtype"])])


WRITERS = {TRIALS.file: _trials, CURVES.file: _curves, OBSERVATIONS.file: _observations}
