"""What is repeated for long in one process takes no more memory, files or threads than at first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torture


def test_an_hour_of_small_runs(soak: Callable[..., Any], pytestconfig: pytest.Config, tally: Callable[[str], Any]) -> None:
    """Training, recording, judging, accepting and drawing, over and over, for as long as was asked for."""
    minutes = float(pytestconfig.getoption("--soak-minutes", default=5.0))
    counted = tally(f"growth over {minutes:g} minutes of small runs")
    with counted.one_try():
        found = soak(60 * minutes)
        print(found)
        found.check()
    assert not counted.losses
