"""What reads files and words is given what a fuzzer makes up, which looks at the lines that it reaches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.mortal import Mortal
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


HARNESS = Path(__file__).with_name("readers.py")
TRIED = re.compile(r"stat::number_of_executed_units: (\d+)")
MEMORY = 2048
"""MiB that one input may lead to."""
WORDS = (
    b"0:100",
    b"100",
    b"cpu",
    b"cuda:0",
    b"auto",
    b"float32,float64",
    b"all",
    b"dask://host:8786",
    b"500MB",
    b"inline",
)
TABLES = (
    "trials.csv",
    "curves.csv",
    "observations.csv",
    "probes.csv",
    "graphs.csv",
    "again.csv",
    "first.csv",
    "verdicts.csv",
)
ROWS = 4
"""First lines of a table that are enough to begin with."""


@pytest.fixture(scope="module")
def beginnings(mortal: Mortal) -> Mapping[str, list[bytes]]:
    """Return what a fuzzer begins with: the files of a run, each behind the byte that chooses its reader, and words."""
    folder, begun = mortal.begin()
    assert begun.wait() == (0, "")
    tables = [(kind, folder / name) for kind, name in enumerate(TABLES) if (folder / name).exists()]
    return {
        "tables": [bytes([kind]) + b"".join(file.read_bytes().splitlines(True)[:ROWS]) for kind, file in tables],
        "records": [
            bytes([kind]) + (folder / name).read_bytes() for kind, name in enumerate(("machine.json", "run.json"))
        ],
        "words": [bytes([kind]) + word for kind in range(5) for word in WORDS],
    }


@pytest.mark.parametrize(("what", "share"), [("tables", 0.5), ("records", 0.4), ("words", 0.1)])
def test_readers_that_are_watched(
    beginnings: Mapping[str, list[bytes]],
    tally: Tallies,
    pytestconfig: pytest.Config,
    tmp_path: Path,
    what: str,
    share: float,
) -> None:
    """Each input is read exactly, or refused in lines; none takes a traceback, half a minute, or two GiB."""
    pytest.importorskip("atheris", reason="atheris is not installed; nox -s fuzz installs it")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for place, data in enumerate(beginnings[what]):
        (corpus / str(place)).write_bytes(data)
    seconds = max(1, round(60 * share * pytestconfig.getoption("--fuzz-minutes", default=1.0)))
    limits = (f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY}", "-timeout=30", "-max_len=20000")
    command = [sys.executable, str(HARNESS), what, *limits, "-print_final_stats=1", "-seed=1", str(corpus)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    counted, tried = tally(f"inputs that a fuzzer made up: {what}"), TRIED.search(done.stderr)
    assert tried is not None, done.stderr[-2000:]
    counted.survived(int(tried[1]) - bool(done.returncode))
    if done.returncode:
        counted.lost(done.stdout[-1000:])
    assert not counted.losses
