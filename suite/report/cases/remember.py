"""What is remembered of one case: the figures and verdicts of its accepted baseline and of its newest run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from suite.case import Case
from suite.errors import SuiteError
from suite.records import find_baselines, read_run
from suite.records.find import find_runs, newest, read_manifests
from suite.records.folder import read_verdicts
from suite.report.history.series import points_of
from suite.trial import RunRecord

BASELINE, NEWEST = "accepted baseline", "newest run"


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """What one run holds of a case."""

    what: str
    """Whether it is the accepted baseline, or the newest run."""
    run: str
    started: str
    torch: str
    why: str
    """The reason for which it was accepted; empty if it was not."""
    version: str
    """Of the case, as it was then."""
    points: pd.DataFrame
    """One row for each device and dtype; see :func:`suite.report.history.series.points_of`."""
    verdicts: pd.DataFrame
    """As ``verdicts.csv`` holds them."""


def remember(case: Case, *, baseline: Path, runs: Path) -> tuple[list[Remembered], list[str]]:
    """Return what the baselines and the newest complete run hold of a case, and why others could not be read."""
    found: list[Remembered] = []
    faults: list[str] = []
    try:
        accepted = {id(run): run for run in find_baselines(baseline).values()}
        found += [record for run in accepted.values() for record in _of(run, case.name, BASELINE)]
    except SuiteError as error:
        faults += error.faults
    try:
        sought = find_runs([runs] if runs.is_dir() else [])
        manifests = read_manifests(sought.found)
        faults += [*sought.faults, *manifests.faults]
        folder = newest(manifests.found, case.name)
        found += _of(read_run(folder), case.name, NEWEST, read_verdicts(folder)) if folder else []
    except SuiteError as error:
        faults += error.faults
    return found, faults


def _of(run: RunRecord, case: str, what: str, verdicts: pd.DataFrame | None = None) -> Iterator[Remembered]:
    """Give what a run holds of a case, if it trained any of it."""
    part = replace(
        run,
        trials=run.trials[run.trials["case"] == case],
        observations=run.observations[run.observations["case"] == case],
    )
    if part.trials.empty:
        return
    points = points_of(part)
    yield Remembered(
        what=what,
        run=run.manifest.run,
        started=run.manifest.started,
        torch=run.machine.torch,
        why=run.manifest.accepted.why if run.manifest.accepted else "",
        version=points["case_version"].iloc[0],
        points=points,
        verdicts=pd.DataFrame() if verdicts is None else verdicts[verdicts["case"] == case],
    )
