"""Runs to be recorded: one with odd texts, a divergence and an error in it, and small ones to be accepted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from suite.machine import Machine
from suite.picture import TRAINED
from suite.records import Recorder, in_memory
from suite.trial import Manifest, RunRecord, Status, Trial
from tests.records.recorded import SEEDS, content, put


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return three cells of three seeds in the plan's order: with odd texts, with a divergence, and untrainable."""
    diverged = {"status": Status.DIVERGED, "final_loss": math.nan, "curve": ((0, 1.0), (1, math.inf), (2, math.nan))}
    failed = {
        "status": Status.ERROR,
        "reason": 'no\n"kernel", here\r',
        "curve": (),
        "observations": (),
        "distances": (),
    }
    odd = (("w[0,1]", 1 / 3), ('said "x",\ny', -0.0))
    drawn = tuple(("output", TRAINED, x, 2.0 * x) for x in (0.0, 0.5, 1.0))
    return [
        *(trial_of(seed, case="odd, name", observations=odd, graphs=drawn) for seed in range(SEEDS)),
        *(trial_of(seed, dtype="float16", **diverged) for seed in range(SEEDS)),
        *(trial_of(seed, device="cuda:0", **failed) for seed in range(SEEDS)),
    ]


@pytest.fixture(scope="module")
def manifest(trials: list[Trial], manifest_of: Callable[..., Manifest]) -> Manifest:
    """Return what the run set out to do, before it is complete."""
    return manifest_of(trials, complete=False)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, trials: list[Trial], manifest: Manifest, machine: Machine
) -> dict[str, bytes]:
    """Return the files of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    recorder = Recorder(folder, manifest, machine)
    recorder.append(trials)
    recorder.finish()
    return content(folder)


@pytest.fixture
def complete(tmp_path: Path, undisturbed: dict[str, bytes]) -> Path:
    """Return a folder with a complete run, to be damaged."""
    return put(tmp_path / "run", undisturbed)


@pytest.fixture(scope="module")
def run_over(
    trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest], machine: Machine
) -> Callable[..., RunRecord]:
    """Make a run of some seeds of each cell, given as case, device and dtype, on the devices that they name."""

    def make(
        *cells: tuple[str, str, str],
        run: str = "a-run",
        observed: bool = True,
        seeds: range = range(2),
        **given: object,
    ) -> RunRecord:
        trials = [
            trial_of(seed, case=case, device=device, dtype=dtype, **({} if observed else {"observations": ()}))
            for case, device, dtype in cells
            for seed in seeds
        ]
        devices = {device: machine.devices[device] for _, device, _ in cells}
        return in_memory(manifest_of(trials, run=run, **given), replace(machine, devices=devices), trials)

    return make
