"""The one way through the house: discover, plan, train, record, judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

from suite.case import Case
from suite.cluster import Cluster
from suite.discover import DOCUMENTED, Collection, discover, documented, folder
from suite.draw import is_drawn
from suite.engine import Engine, check_engine, chop, done_in, nothing_done, split, train_plan
from suite.errand import seen, train_here
from suite.errors import raise_all
from suite.expect import Expectation
from suite.judge import Verdict
from suite.judge.verdict import ALL
from suite.limits import UNLIMITED, Limits
from suite.machine import Settings, fingerprint, unavailable
from suite.paths import real
from suite.plan import EAGER, Cell, Plan
from suite.records import in_memory, sole_recorder
from suite.resuming import check_unchanged
from suite.sketch import Sketch, sketch
from suite.source import UNWRITTEN, read_source
from suite.trial import DeclaredCase, Manifest, PlannedCell, RunRecord, Trial
from suite.version import case_version

RUNS = Path("results/runs")
BASELINES = Path("results/baselines")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a run was asked to do."""

    collection: Collection
    plan: Plan
    settings: Settings
    engine: Engine | Cluster
    limits: Limits = UNLIMITED
    folder: Path
    notes: tuple[str, ...] = ()
    """What is done otherwise than asked, and why."""
    resume: bool = False


def new_folder() -> Path:
    """Return a fresh run folder, named after the time in UTC."""
    return RUNS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(4)}"


def execute(task: Task, watch: Callable[[Sequence[Trial]], None], *, check: Callable[[], None] = lambda: None) -> Path:
    """Train what the task's run still lacks and record it; ``watch`` sees every chunk of trials.

    ``check`` is called before a chunk is recorded; what it raises ends the run without it.

    Raises:
        SuiteError: if the folder cannot be written or resumed, or the engine is not there, or what a run to be resumed
            recorded of a case is not what the case computes now.
    """
    check_engine(task.engine, task.plan, task.settings, task.limits)
    machine = fingerprint(dict.fromkeys(cell.device for cell in task.plan.cells), task.settings)
    manifest = manifest_of(task)
    plan, settings = task.plan, task.settings
    unchanged = partial(check_unchanged, plan, settings, task.limits)
    with sole_recorder(task.folder, manifest, machine, resume=task.resume, check=unchanged) as recorder:
        done = done_in(recorder.done)
        with closing(train_plan(plan, settings, engine=task.engine, done=done, limits=task.limits)) as chunks:
            for trials in chunks:
                check()
                recorder.append(trials)
                watch(trials)
        recorder.finish()
    return task.folder


def manifest_of(task: Task) -> Manifest:
    """Return what the run sets out to do, as its folder keeps it."""
    cases = {cell.case.name: (cell.case, cell.version) for cell in task.plan.cells}
    spoilt = {cell.case.name for cell in task.plan.cells if cell.spoilt}
    cited = {claim for case, _ in cases.values() for claim in case.claims}
    return Manifest(
        run=real(task.folder).name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        roots=tuple(_root_name(Path(root)) for root in task.collection.roots),
        known_cases=tuple(case.name for case in task.collection.cases),
        cases=tuple(_declared(case, version, looked_at=case.name not in spoilt) for case, version in cases.values()),
        cells=tuple(
            PlannedCell(
                case=cell.case.name,
                device=cell.device,
                dtype=cell.dtype,
                mode=cell.mode,
                first_seed=cell.seeds[0],
                seeds=len(cell.seeds),
                short=cell.short,
            )
            for cell in task.plan.cells
        ),
        modes=task.plan.modes,
        claims=tuple(claim for claim in dict.fromkeys(task.collection.claims) if claim.id in cited),
        skipped=task.plan.skipped,
        notes=task.notes,
    )


def _root_name(root: Path) -> str:
    """Name a folder of cases as every run calls it that is begun in the present folder, however it was spelt."""
    if real(root) == real(documented()):
        return DOCUMENTED
    whole, here = Path(os.path.normpath(root.absolute())), Path.cwd()
    return os.fspath(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _declared(case: Case, version: str, *, looked_at: bool) -> DeclaredCase:
    """Declare a case; one that cannot be trained is not ``looked_at``, since that runs its code."""
    file = read_source(Path(case.file)) if case.file else UNWRITTEN
    drawn = seen(is_drawn, case) if looked_at else None
    drawing = seen(sketch, case) if looked_at else None
    return DeclaredCase(
        name=case.name,
        version=version,
        folder=folder(case),
        source=f"{folder(case)}/{Path(case.file).name}",
        steps=case.steps,
        drawn=bool(drawn),
        claims=case.claims,
        clauses=tuple(e.clause for e in case.expect if isinstance(e, Expectation)),
        line=file.line_of(case.name),
        title=file.title,
        document=file.document,
        sketch=drawing or Sketch(),
    )


def unrecorded(task: Task) -> RunRecord:
    """Train all of a task and return what it left, without a folder."""
    machine = fingerprint(dict.fromkeys(cell.device for cell in task.plan.cells), task.settings)
    chunks = train_plan(task.plan, task.settings, engine=task.engine, done=nothing_done)
    return in_memory(manifest_of(task), machine, [trial for trials in chunks for trial in trials])


def timed_again(run: RunRecord, verdicts: Sequence[Verdict], roots: Sequence[Path]) -> RunRecord:
    """Time once more, in this process, the cells that these verdicts are about; unless this is not the run's machine.

    Returns the run with what was timed last. Case files are taken from ``roots``, and never from where the run says
    that its cases lie: they are code, and anyone may have made the run.

    Raises:
        SuiteError: if the folders of cases are damaged.
    """
    wanted = {(verdict.case, verdict.device, verdict.dtype) for verdict in verdicts}
    everywhere = {device for case, device, _ in wanted if case == ALL}
    settings = run.machine.settings
    if any(map(unavailable, run.machine.devices)) or fingerprint(run.machine.devices, settings) != run.machine:
        return run
    plan = planned_again(
        run, lambda cell: cell.device in everywhere or (cell.case, cell.device, cell.dtype) in wanted, roots
    )
    alone, _ = split(list(chop(plan, nothing_done)))
    trials = [trial for chunk in alone for trial in train_here(chunk, settings)]
    return replace(run, again=in_memory(run.manifest, run.machine, trials).trials)


def planned_again(run: RunRecord, wanted: Callable[[PlannedCell], bool], roots: Sequence[Path]) -> Plan:
    """Return the cells of a run that were timed and are wanted, if their cases in ``roots`` are what they were.

    Of each cell those seeds that the run holds.
    """
    cases = {case.name: (case, case_version(case)) for case in discover(roots).cases}
    declared = {case.name: case.version for case in run.manifest.cases}
    held = run.trials[run.trials["mode"] == EAGER].groupby(["case", "device", "dtype"], observed=True)["seed"]
    seeds = {place: tuple(map(int, found)) for place, found in held}
    return Plan(
        cells=tuple(
            Cell(
                case=cases[cell.case][0],
                version=declared[cell.case],
                device=cell.device,
                dtype=cell.dtype,
                mode=cell.mode,
                seeds=seeds[cell.case, cell.device, cell.dtype],
                short=cell.short,
            )
            for cell in run.manifest.cells
            if cell.mode == EAGER
            and wanted(cell)
            and (cell.case, cell.device, cell.dtype) in seeds
            and cases.get(cell.case, (None, ""))[1] == declared[cell.case]
        )
    )


def check_roots(run: RunRecord, roots: Sequence[Path]) -> None:
    """Refuse to take cases of a run from folders that nobody named here.

    Raises:
        SuiteError: naming each of them.
    """
    named = {_root_name(root) for root in roots}
    raise_all(
        f"--again: the run's cases are from {root}; if their code may be run here, name that folder with --cases"
        for root in run.manifest.roots
        if root not in named
    )
