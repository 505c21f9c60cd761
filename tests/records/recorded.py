"""What tests of a run's folder look at it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from suite.records import Recorder
from suite.records.atomic import replace_own
from suite.trial import RunRecord, Trial

SEEDS = 3
TORN = ("curves.csv", "observations.csv", "probes.csv", "graphs.csv")
"""What holds rows of trials, beside their own."""


def content(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder, hidden ones too."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a folder's files."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def left_to_do(recorder: Recorder, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that a resumed run still lacks."""
    return [t for t in trials if (t.case, t.device, t.dtype, t.mode, t.seed) not in recorder.done]


def same_tables(ours: RunRecord, theirs: RunRecord) -> None:
    """Assert that two runs hold the same rows, of the same kinds, to the bit."""
    for table in ("trials", "curves", "observations"):
        pd.testing.assert_frame_equal(getattr(ours, table), getattr(theirs, table), check_exact=True)


def killed_after(survived: int) -> Callable[[Path, str], None]:
    """Return a way to replace files that works so many times, and is then interrupted."""
    replaced: list[Path] = []

    def replace_some(file: Path, text: str) -> None:
        if len(replaced) == survived:
            raise KeyboardInterrupt
        replaced.append(file)
        replace_own(file, text)

    return replace_some
