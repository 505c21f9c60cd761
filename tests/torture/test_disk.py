"""Disks fill, folders turn read-only or vanish, names are odd: one line tells it, and what was recorded stays."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from suite.records import find_baselines, read_run
from tests.mortal import Mortal
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


ROOM = 512 * 1024
"""Bytes that are more than a run of the small case needs."""


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount something at a place; skip the test where that is not allowed."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def a_disk(place: Path, size: int) -> Any:
    """Mount a disk of so many bytes."""
    return mounted(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")


def one_line(told: str, *parts: str) -> None:
    """Assert that what was told is one line, which holds all of these."""
    assert told.startswith("suite: "), told
    assert told.count("\n") == 1, told
    assert all(part in told for part in parts), told


def test_a_disk_that_fills(mortal: Mortal, tally: Tallies, moments: int) -> None:
    """A run on a disk of any size ends in one line; with more room, it is completed to the byte."""
    counted, draw = tally("a disk that fills during suite run"), Random(1)
    for k in range(moments):
        with a_disk(mortal.home / f"disk {k}", draw.randrange(4096, ROOM // 2, 4096)) as disk:
            folder = disk / "run"
            code, told = mortal.start(mortal.home, *mortal.words, "--out", folder).wait()
            with counted.one_try():
                if code:
                    one_line(told, str(folder), "No space left on device")
                subprocess.run(["mount", "-o", f"remount,size={4 * ROOM}", str(disk)], check=True)
                mortal.check(folder)
    assert not counted.losses


def test_a_file_that_may_not_grow(mortal: Mortal, tally: Tallies, moments: int) -> None:
    """A run whose files may only have so many bytes ends in one line, and is completed to the byte."""
    counted, draw = tally("a limit of bytes a file during suite run"), Random(2)
    for _ in range(moments):
        folder, begun = mortal.begin()
        bytes_each = draw.randrange(1, 60_000)
        resource.prlimit(begun.pid, resource.RLIMIT_FSIZE, (bytes_each, bytes_each))
        code, told = begun.wait()
        with counted.one_try():
            if code:
                one_line(told, folder.name, "File too large")
            mortal.check(folder)
    assert not counted.losses


def test_accepting_on_a_full_disk(mortal: Mortal, tally: Tallies, moments: int) -> None:
    """The old baseline stays where the new one finds no room, and is replaced once there is some."""
    counted, draw = tally("a disk that fills during suite accept"), Random(3)
    run, other = trained(mortal, "old"), trained(mortal, "new")
    for k in range(moments):
        with a_disk(mortal.home / f"baselines {k}", ROOM) as disk:
            accept = ("accept", "--reason", "torture", "--baseline", disk)
            assert mortal.start(mortal.home, *accept, run.name).wait() == (0, "")
            full = 1024 * draw.randrange(160, 400)
            subprocess.run(["mount", "-o", f"remount,size={full}", str(disk)], check=False, capture_output=True)
            code, told = mortal.start(mortal.home, *accept, other.name).wait()
            with counted.one_try():
                if code:
                    one_line(told, str(disk), "No space left on device")
                found = find_baselines(disk)["cpu"]
                assert found.manifest.run == (run.name if code else other.name)
                assert len(found.trials) == len(read_run(run).trials)
                subprocess.run(["mount", "-o", f"remount,size={ROOM}", str(disk)], check=True)
                assert mortal.start(mortal.home, *accept, other.name).wait() == (0, "")
                assert find_baselines(disk)["cpu"].manifest.run == other.name
    assert not counted.losses


def trained(mortal: Mortal, name: str) -> Path:
    """Return a run of this name, trained if it is not there yet."""
    folder: Path = mortal.home / name
    if not folder.exists():
        assert mortal.start(mortal.home, *mortal.words, "--out", name).wait() == (0, "")
    return folder


def test_what_may_only_be_read(mortal: Mortal, tally: Tallies) -> None:
    """Every verb that writes into a folder that is read-only names it, and nothing else happens."""
    run = trained(mortal, "old")
    kept = mortal.home / "kept"
    shutil.copytree(run, kept / "run", dirs_exist_ok=True)
    assert mortal.start(mortal.home, "accept", run, "--reason", "torture", "--baseline", kept / "b").wait()[0] == 0
    verbs: dict[str, tuple[object, ...]] = {
        "run": (*mortal.words, "--out", "locked/new"),
        "run --resume": (*mortal.words, "--out", "locked/run", "--resume"),
        "accept": ("accept", run, "--reason", "torture", "--baseline", "locked/b"),
        "compare": ("compare", "locked/run"),
        "compare --report": ("compare", run, "--report", "locked/verdicts.md"),
        "table --out": ("table", run, "--out", "locked/table.md"),
        "report": ("report", run, "--out", "locked/page.html"),
    }
    with mounted(mortal.home / "locked", "--bind", "-o", "ro", str(kept)) as place:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        for name, words in verbs.items():
            code, told = mortal.start(mortal.home, *words).wait()
            with tally("a read-only folder", f"suite {name}").one_try():
                assert code == 2, told
                one_line(told, "locked", "Read-only file system")
                assert mortal.read(kept / "run") == mortal.whole
                assert find_baselines(place / "b")["cpu"].manifest.run == run.name


def test_a_folder_that_vanishes(mortal: Mortal, tally: Tallies, moments: int) -> None:
    """Where someone takes a run's folder away, one line names it, and nothing is begun in its place."""
    counted, draw = tally("a folder that vanishes during suite run"), Random(4)
    for _ in range(moments):
        folder, begun = mortal.begin()
        while not (folder / "run.json").exists():
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.3))
        aside = folder.rename(folder.with_name(f"{folder.name} aside"))
        code, told = begun.wait()
        with counted.one_try():
            assert code in {0, 2}
            if code:
                one_line(told, folder.name)
                assert not folder.exists()
            aside.rename(folder)
            mortal.check(folder)
    assert not counted.losses


NAMES = {
    "letters of other alphabets": "läuft – прогон 実行 🏃",
    "a name of 255 bytes": "x" * 255,
    "a name of 256 bytes": "x" * 256,
    "a path of 6000 bytes": "/".join(["y" * 199] * 30),
    "a line end": "a\nb",
    "an escape": "a\x1b[31mb",
    "quotes and commas": 'a,"b",c',
    "no UTF-8": os.fsdecode(b"a\xff"),
    "a file's own": "cases/neuron.py",
    "below a file": "cases/neuron.py/run",
    "a device": "/dev/null",
    "spaces": "  ",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(mortal: Mortal, tally: Tallies, name: str) -> None:
    """A folder of any name holds a whole run, or is refused in one line that is safe to print."""
    with tally("a folder of an odd name", name).one_try():
        place = mortal.home / NAMES[name]
        code, told = mortal.start(mortal.home, *mortal.words, "--out", NAMES[name]).wait()
        assert code in {0, 2}, told
        if code:
            one_line(told)
            return
        assert mortal.read(place) == mortal.whole
        accept = ("accept", NAMES[name], "--reason", "torture", "--baseline", f"{NAMES[name][:200]} b")
        assert mortal.start(mortal.home, *accept).wait() == (0, "")
