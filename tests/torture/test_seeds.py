"""A run of very many seeds is recorded, read and judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.mortal import Mortal
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


FLOAT32 = ("--device", "cpu", "--dtype", "float32", "--mode", "ensemble", "--engine", "processes")
MINUTE = 60.0


def test_a_run_of_many_seeds(mortal: Mortal, tally: Tallies, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Every seed has its row, in order, and the run is what it is compared with: itself."""
    seeds = int(pytestconfig.getoption("--many-seeds", default=1_000_000))
    counted = tally(f"a run of {seeds:,} seeds, compared with itself")
    shutil.copytree(mortal.home / "cases", tmp_path / "cases")
    with counted.one_try():
        begun = mortal.start(tmp_path, "run", "--cases", "cases", *FLOAT32, "--seeds", seeds, "--out", "many")
        assert begun.wait(60 * MINUTE) == (0, "")
        rows = pd.read_csv(tmp_path / "many" / "trials.csv", usecols=["seed", "status"])
        assert np.array_equal(rows["seed"], np.arange(seeds))
        assert set(rows["status"]) == {"ok"}
        assert mortal.start(tmp_path, "compare", "many", "--baseline", "many").wait(10 * MINUTE) == (0, "")
    assert not counted.losses
