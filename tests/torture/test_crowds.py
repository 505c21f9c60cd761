"""Eight processes train, accept and compare in one folder at once; every run is whole, every baseline one run's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from suite.records import find_baselines, read_run
from tests.mortal import Mortal
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


CROWD = 8


@pytest.fixture
def place(mortal: Mortal, tmp_path: Path) -> Path:
    """Return a folder to work in, with the case."""
    shutil.copytree(mortal.home / "cases", tmp_path / "cases")
    return tmp_path


def trained(mortal: Mortal, place: Path) -> list[tuple[int, str, Path]]:
    """Train eight runs at once, in folders that they name themselves; return codes, error outputs and folders."""
    crowd = [mortal.start(place, *mortal.words) for _ in range(CROWD)]
    ended = [one.wait(600.0) for one in crowd]
    last = [(one.told / "out").read_text(encoding="utf-8").splitlines()[-1] for one in crowd]
    return [(code, told, place / line) for (code, told), line in zip(ended, last, strict=True)]


def test_eight_at_once(mortal: Mortal, tally: Tallies, moments: int, place: Path) -> None:
    """Runs that begin in the same second are all whole; accepted at once, one after the other is the baseline."""
    rounds = max(1, moments // 20)
    runs, accepts = tally("eight runs at once"), tally("eight acceptances at once")
    reads, compares = tally("baselines read while eight accept"), tally("suite compare while eight accept")
    for _ in range(rounds):
        done = trained(mortal, place)
        for code, told, folder in done:
            with runs.one_try():
                assert (code, told) == (0, "")
                assert mortal.read(folder) == mortal.whole
        with runs.one_try():
            assert len({folder for *_, folder in done}) == CROWD
        words = ("accept", "--reason", "torture")
        crowd = [mortal.start(place, *words, folder.relative_to(place)) for *_, folder in done]
        reader = mortal.start(place, "compare", done[0][2])
        before = set[str]()
        while not all(one.ended() for one in crowd):
            with reads.one_try():
                before = look(place / "results" / "baselines", before)
            if reader.ended():
                with compares.one_try():
                    code, told = reader.wait()
                    assert code in {0, 1, 3}, told
                reader = mortal.start(place, "compare", done[0][2])
        reader.wait()
        for one in crowd:
            with accepts.one_try():
                assert one.wait() == (0, "")
    assert not any(one.losses for one in (runs, accepts, reads, compares))


def look(baselines: Path, before: set[str]) -> set[str]:
    """Assert that there is one baseline, all of one run, as soon as there was one; return the names of those seen."""
    found = find_baselines(baselines)
    assert found or not before
    for run in found.values():
        recorded = read_run(baselines.parent / "runs" / run.manifest.run)
        assert set(run.trials["run"]) == {run.manifest.run}
        assert run.trials.equals(recorded.trials)
        assert run.probes.equals(recorded.probes)
    return before | {run.manifest.run for run in found.values()}


def test_eight_into_one_folder(mortal: Mortal, tally: Tallies, moments: int, place: Path) -> None:
    """Of eight runs that are given the same folder, one trains there, and the others are told in a line."""
    counted = tally("eight runs into the same folder")
    for k in range(max(1, moments // 20)):
        crowd = [mortal.start(place, *mortal.words, "--out", f"same {k}") for _ in range(CROWD)]
        ended = [one.wait(600.0) for one in crowd]
        with counted.one_try():
            assert sorted(code for code, _ in ended) == [0, *[2] * (CROWD - 1)]
            for code, told in ended:
                assert told.count("\n") == bool(code), told
                assert not code or "is writing there; wait" in told or "holds a run already" in told, told
            assert mortal.read(place / f"same {k}") == mortal.whole
    assert not counted.losses
