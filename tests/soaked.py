"""What is repeated for long in one process."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from psutil import Process

from suite.cli import main
from tests.mortal import Mortal


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What one process held after each of many rounds of the same work."""

    memory: Sequence[float]
    """Bytes that are resident."""
    files: Sequence[int]
    threads: Sequence[int]

    def check(self) -> None:
        """Assert that once it is warm, nothing grows: no file, no thread, and no memory beyond what comes and goes."""
        warm = len(self.memory) // 2
        assert max(self.files[warm:]) <= max(self.files[:warm])
        assert max(self.threads[warm:]) <= max(self.threads[:warm])
        third, last = np.array_split(np.array(self.memory[warm:]), 2)
        assert np.median(last) - np.median(third) <= max(GROWTH, np.ptp(third))


GROWTH = 16 * 2**20
"""Bytes between the third and the last quarter of the rounds that an allocator may take of its own accord."""


@pytest.fixture
def soak(mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Soaked]:
    """Train, judge, compare, accept and draw small runs in this process for so many seconds, and at least 8 times."""

    def call(*words: str) -> None:
        done = CliRunner().invoke(main, list(words), prog_name="suite", catch_exceptions=False)
        assert done.exit_code in {0, 1, 3}, done.output  # times of so small a run are no matter here

    def rounds() -> None:
        call("run", "--cases", "cases", "--device", "cpu", "--dtype", "float64", "--seeds", "8", "--out", "run")
        call("accept", "run", "--reason", "once more")
        call("compare", "run", "--report", "verdicts.md")
        call("report", "run")
        shutil.rmtree("run")
        gc.collect()

    def repeat(seconds: float) -> Soaked:
        me, held = Process(), list[tuple[float, int, int]]()
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(held) < 8:
            rounds()
            held.append((me.memory_info().rss, me.num_fds(), me.num_threads()))
        memory, files, threads = zip(*held, strict=True)
        return Soaked(memory=memory, files=files, threads=threads)

    shutil.copytree(mortal.home / "cases", tmp_path / "cases")
    monkeypatch.chdir(tmp_path)
    return repeat
