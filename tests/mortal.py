"""Commands that are killed, crowded and starved, in processes of their own."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from psutil import Error as PsutilError
from psutil import Process

from suite.records import read_run
from suite.records.lock import LOCK_FILE
from suite.trial import CLOCKS

SERVER = """
    import gc, json, os, signal, sys
    from pathlib import Path

    from suite.cli import main

    def note(told, name, number):
        (told / "beside").write_text(str(number))
        (told / "beside").rename(told / name)

    try:
        main(["run", "relu", "--seeds", "2", "--device", "cpu", "--dtype", "float32", "--out", sys.argv[1]])
    except SystemExit:
        pass
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        place, folder, words = json.loads(line)
        told = Path(place)
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = os.fork()
        if child:
            note(told, "pid", child)
            note(told, "code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os._exit(0)
        os.setsid()
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, file in enumerate((os.devnull, told / "out", told / "err")):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["suite", *words]
        main()  # which ends this process
"""
"""Starts the command line without the seconds that importing takes: in copies of a process that did so, and trained."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A command that was started in a process group of its own."""

    told: Path
    """Where its output, its number and its exit code come to lie."""
    pid: int

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def workers(self) -> list[int]:
        """Return the numbers of its worker processes, oldest first."""
        with suppress(PsutilError):  # it has just ended
            children = Process(self.pid).children(recursive=True)
            servers = [child.pid for child in children if "forkserver" in " ".join(child.cmdline())]
            return [child.pid for child in children if child.ppid() in servers]
        return []

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return (self.told / "code").exists()

    def wait(self, seconds: float = 120.0) -> tuple[int, str]:
        """Return its exit code, below zero for a signal, and its error output."""
        until(self.ended, seconds)
        told = self.told / "err"  # which is not there yet if it was killed at once
        return int((self.told / "code").read_text()), told.read_text(encoding="utf-8") if told.exists() else ""


def until(true: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not come true within {seconds} seconds"
        time.sleep(0.002)


@pytest.fixture(scope="session")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Begun]]:
    """Start the command line in a folder, in a process of its own, at once: ``begin(folder, "run", "--seeds", 3)``."""
    home = tmp_path_factory.mktemp("begun")
    numbers = count()
    env = os.environ | {"XDG_CACHE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", dedent(SERVER), str(home / "first")]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, env=env, **pipes) as server:
        assert server.stdin is not None

        def start(folder: Path, *words: object) -> Begun:
            told = home / str(next(numbers))
            told.mkdir()
            print(json.dumps([str(told), str(folder), list(map(str, words))]), file=server.stdin, flush=True)
            until((told / "pid").exists)
            return Begun(told=told, pid=int((told / "pid").read_text()))

        start(home, "--version").wait()  # which is after the first run
        yield start
        server.stdin.close()


@pytest.fixture(scope="session")
def left_by() -> Callable[[Path], dict[str, object]]:
    """Return what a run left, by file, hidden ones too; apart from its name, its start and what its clocks said."""

    def read(folder: Path) -> dict[str, object]:
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != LOCK_FILE}
        manifest = json.loads(files.pop("run.json")) | {"run": "", "started": ""}
        return files | {"run.json": manifest, "trials.csv": _without_clocks(files["trials.csv"])}

    return read


def _without_clocks(table: bytes) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(table.decode(), newline=""))
    return [{name: word for name, word in row.items() if name not in ("run", *CLOCKS)} for row in rows]


@dataclass(frozen=True, kw_only=True)
class Mortal:
    """A run of a small case, which is begun again and again, killed at some moment, and then completed.

    Where its folder holds a file "hold", its worker processes wait, and make a file "held".
    """

    home: Path
    start: Callable[..., Begun]
    read: Callable[[Path], dict[str, object]]
    whole: dict[str, object]
    """What it leaves if nothing disturbs it."""
    seconds: float
    """How long that takes."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def words(self) -> list[str]:
        """Return the command that begins it, without its folder and its engine."""
        return ["run", "--cases", "cases", "--device", "cpu", "--seeds", "24"]

    def begin(self, *words: str) -> tuple[Path, Begun]:
        """Begin it in a new folder."""
        folder = self.home / f"run {next(self.numbers)}"
        return folder, self.start(self.home, *self.words, "--out", folder.name, *words)

    @contextmanager
    def held(self) -> Iterator[tuple[Path, Begun]]:
        """Begin it in worker processes, and give it once it waits there."""
        (self.home / "held").unlink(missing_ok=True)
        (self.home / "hold").touch()
        folder, begun = self.begin("--engine", "processes")
        try:
            until(lambda: (self.home / "held").exists() or begun.ended())
            yield folder, begun
        finally:
            (self.home / "hold").unlink()

    def killed(self, number: int, moment: float, *words: str) -> tuple[Path, int, str]:
        """Begin it, send it a signal after so many seconds; return its folder, its exit code and its error output."""
        folder, begun = self.begin(*words)
        time.sleep(moment)
        begun.send(number)
        return folder, *begun.wait()

    def check(self, folder: Path) -> None:
        """Assert that what a run left can be read, is part of what it would have left, and is completed to all of it.

        Where a run had not begun, its command begins it.
        """
        begun = (folder / "run.json").exists()
        if begun:
            read_run(folder)
            rows: Any = self.read(folder)["trials.csv"]
            wanted: Any = self.whole["trials.csv"]
            assert all(row in wanted for row in rows)
        resume = ["--resume"] if begun else []
        assert self.start(self.home, *self.words, "--out", folder, *resume).wait() == (0, "")
        assert self.read(folder) == self.whole


IMPORTS = """import time
from multiprocessing import current_process
from pathlib import Path
from functools"""

HELD = """

def build():
    while Path("hold").exists() and current_process().name != "MainProcess":
        Path("held").touch()
        time.sleep(0.01)
    return nn.Linear(1, 1, bias=False)


CASE ="""


@pytest.fixture(scope="session")
def mortal(
    tmp_path_factory: pytest.TempPathFactory,
    case_text: str,
    begin: Callable[..., Begun],
    left_by: Callable[[Path], dict[str, object]],
) -> Mortal:
    """Return a run that may be killed, and what it leaves undisturbed."""
    text = case_text.replace("steps=3", "steps=30").replace("partial(nn.Linear, 1, 1, bias=False)", "build")
    home = tmp_path_factory.mktemp("mortal")
    (home / "cases").mkdir()
    (home / "cases/neuron.py").write_text(text.replace("from functools", IMPORTS, 1).replace("\nCASE =", HELD))
    run = Mortal(home=home, start=begin, read=left_by, whole={}, seconds=0.0)
    start = time.monotonic()
    folder, begun = run.begin()
    assert begun.wait() == (0, "")
    return replace(run, whole=left_by(folder), seconds=time.monotonic() - start)
