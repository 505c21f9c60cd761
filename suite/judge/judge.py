"""All verdicts of a run: its expectations, and every cell against its baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import pandas as pd

from suite.judge.arbiter import ARBITER, Arbiter
from suite.judge.clauses import with_eased
from suite.judge.expectation import judge_cell
from suite.judge.gone import disappeared
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import CellTables, Pairs, by_cell
from suite.judge.time import Times
from suite.judge.verdict import ALL, Aspect, Judgement, Outcome, Verdict, verdict_of
from suite.machine import differences
from suite.plan import EAGER
from suite.trial import CellKey, Manifest, PlannedCell, RunRecord, device_type, key_of

FALSE_ALARMS = 0.01
"""Probability that a run in which nothing changed fails anywhere: shared by all its tests."""

Tables = Mapping[CellKey, CellTables]
"""The rows of each cell."""
NO_BASELINES: Mapping[str, RunRecord] = {}
Side = Pairs | Judgement
"""A cell beside its baseline, or why that cannot be."""


def judge_expectations(run: RunRecord) -> list[Verdict]:
    """Judge what the cases expect of a run; needs no baseline."""
    return [*_expectations(run, by_cell(run), alpha=_level(run, Aspect.EXPECTATION)), *_skipped(run)]


def judge(run: RunRecord, baselines: Mapping[str, RunRecord]) -> list[Verdict]:
    """Judge a run in all aspects; ``baselines`` holds accepted runs by type of device."""
    ours, theirs = _tables(run, baselines)
    beside = list(_beside(run, baselines, ours, theirs))
    return [
        *_expectations(run, ours, alpha=_level(run, Aspect.EXPECTATION), baselines=baselines, theirs=theirs),
        *_losses(run, baselines, ours, theirs, beside),
        *_times(run, baselines, beside),
        *(v for kind, baseline in baselines.items() for v in disappeared(run.manifest, baseline.manifest, kind)),
        *_not_had(run, baselines),
        *_not_run(run, baselines),
        *_skipped(run),
    ]


def judge_times(run: RunRecord, baselines: Mapping[str, RunRecord]) -> list[Verdict]:
    """Judge a run's times alone; ``baselines`` holds accepted runs by type of device."""
    return list(_times(run, baselines, _beside(run, baselines, *_tables(run, baselines))))


def _tables(run: RunRecord, baselines: Mapping[str, RunRecord]) -> tuple[Tables, dict[str, Tables]]:
    """Return each cell's rows, of the run, and of the baseline of each type of device."""
    return by_cell(run), {kind: by_cell(baseline) for kind, baseline in baselines.items()}


def _beside(
    run: RunRecord, baselines: Mapping[str, RunRecord], ours: Tables, theirs: Mapping[str, Tables]
) -> Iterator[tuple[PlannedCell, Side]]:
    """Give each cell that was trained, beside its baseline, or why that cannot be."""
    drawn = {kind: {name for name, _ in _drawn([run, baseline])} for kind, baseline in baselines.items()}
    for cell in run.manifest.cells:
        kind, key = device_type(cell.device), key_of(cell)
        if key not in ours:
            continue
        if key not in theirs.get(kind, {}):
            told = "no baseline; accept one with: suite accept RUN --reason TEXT"
            yield cell, Judgement(outcome=Outcome.MISSING, sentence=told)
        else:
            pairs = Pairs(ours[key], theirs[kind][key], drawn=cell.case in drawn[kind])
            yield cell, _side_by_side(pairs, run.manifest, baselines[kind].manifest)


def _losses(
    run: RunRecord,
    baselines: Mapping[str, RunRecord],
    ours: Tables,
    theirs: Mapping[str, Tables],
    beside: Iterable[tuple[PlannedCell, Side]],
) -> Iterator[Verdict]:
    alpha = _level(run, Aspect.LOSS)
    for cell, side in beside:
        if isinstance(side, Pairs):
            kind = device_type(cell.device)
            terms = _terms(cell, run, ours, baselines[kind], theirs[kind], alpha)
            yield verdict_of(cell, Aspect.LOSS, judge_loss(side, terms))
        else:
            yield verdict_of(cell, Aspect.LOSS, side)


def _times(
    run: RunRecord, baselines: Mapping[str, RunRecord], beside: Iterable[tuple[PlannedCell, Side]]
) -> Iterator[Verdict]:
    """Judge the times of the cells that were timed: the seeds of an ensemble share one loop, and so one time."""
    again = by_cell(replace(run, trials=run.again))
    times = Times(run=run, baselines=baselines, again=again, budget=FALSE_ALARMS / len(Aspect))
    return times.verdicts([(cell, side) for cell, side in beside if isinstance(side, Pairs) and cell.mode == EAGER])


def _level(run: RunRecord, aspect: Aspect) -> float:
    """Return the level of one test of expectations or losses: each aspect has a share of the budget."""
    clauses, cells = {case.name: len(case.clauses) for case in run.manifest.cases}, run.manifest.cells
    tests = {
        Aspect.EXPECTATION: sum(clauses[cell.case] + 1 for cell in cells),  # and that its seeds are seeds
        Aspect.LOSS: 4 * len(cells),  # where they lie, which way strays went, what swings, and how exact they are
    }
    return FALSE_ALARMS / len(Aspect) / max(1, tests[aspect])


def _expectations(
    run: RunRecord,
    ours: Tables,
    *,
    alpha: float,
    baselines: Mapping[str, RunRecord] = MappingProxyType({}),
    theirs: Mapping[str, Tables] = MappingProxyType({}),
) -> Iterator[Verdict]:
    cases, drawn = {case.name: case for case in run.manifest.cases}, _drawn([run, *baselines.values()])
    before = {kind: {case.name: case.clauses for case in each.manifest.cases} for kind, each in baselines.items()}
    for cell in run.manifest.cells:
        if key_of(cell) in ours:
            rows, case = ours[key_of(cell)], cases[cell.case]
            case = replace(case, drawn=(case.name, case.version) in drawn, clauses=() if cell.short else case.clauses)
            known = _accepted_trials(cell, case.version, theirs)
            verdict = judge_cell(cell, case, rows.trials, rows.observations, alpha=alpha, baseline=known)
            once = () if cell.short else before.get(device_type(cell.device), {}).get(cell.case, ())
            yield with_eased(verdict, once, case.clauses)
        else:
            sentence = f"none of {cell.seeds} seeds trained; complete the run with --resume"
            yield verdict_of(cell, Aspect.EXPECTATION, Judgement(outcome=Outcome.INCONCLUSIVE, sentence=sentence))


def _accepted_trials(cell: PlannedCell, version: str, theirs: Mapping[str, Tables]) -> pd.DataFrame | None:
    """Return the baseline's trials of a cell; None where it has none of that version of the case."""
    found = theirs.get(device_type(cell.device), {}).get(key_of(cell))
    return found.trials if found is not None and found.trials["case_version"].iloc[0] == version else None


def _drawn(runs: Iterable[RunRecord]) -> set[tuple[str, str]]:
    """Return name and version of the cases whose start any run found drawn: a draw that broke looks like none."""
    return {(case.name, case.version) for run in runs for case in run.manifest.cases if case.drawn}


def _side_by_side(pairs: Pairs, ours: Manifest, baseline: Manifest) -> Side:
    """Return a cell beside its baseline, or say why that cannot be, with a remedy where modes differ."""
    why = pairs.incomparable
    otherwise = why == pairs.other_steps and _modes(ours) != _modes(baseline)
    hint = "; give the --mode that the baseline had" if otherwise else ""
    return Judgement(outcome=Outcome.INCOMPARABLE, sentence=f"{why}{hint}") if why else pairs


def _modes(manifest: Manifest) -> set[str]:
    """Return the modes that were asked for; of a run that does not tell, those in which it trained."""
    return set(manifest.modes) or {cell.mode for cell in manifest.cells}


def _terms(
    cell: PlannedCell,
    run: RunRecord,
    ours: Tables,
    baseline: RunRecord,
    theirs: Tables,
    alpha: float,
) -> Terms:
    """Return the terms on which a cell's losses are compared; float64 is no arbiter of itself."""
    facts = run.machine.facts(cell.device), baseline.machine.facts(cell.device)
    exact = cell.case, cell.device, ARBITER, cell.mode
    known = cell.dtype != ARBITER and exact in ours and exact in theirs
    return Terms(
        dtype=cell.dtype,
        same_machine=facts[0] == facts[1],
        differs=differences(*facts),
        alpha=alpha,
        arbiter=Arbiter(ours=ours[exact], baseline=theirs[exact]) if known else None,
    )


def _accepted(baselines: Mapping[str, RunRecord]) -> Iterator[PlannedCell]:
    """Give each cell of the baselines, of each those on its type of device."""
    for kind, baseline in baselines.items():
        yield from (cell for cell in baseline.manifest.cells if device_type(cell.device) == kind)


def _not_had(run: RunRecord, baselines: Mapping[str, RunRecord]) -> Iterator[Verdict]:
    """Name the baseline's cells that were asked for here, and could not be trained in their mode."""
    planned = {key_of(cell) for cell in run.manifest.cells}
    places = {key[:-1] for key in planned}
    for cell in _accepted(baselines):
        key = key_of(cell)
        if cell.mode in run.manifest.modes and key[:-1] in places and key not in planned:
            gone = f"the baseline has it; it was asked for, and could not be trained in mode {cell.mode} here"
            yield verdict_of(cell, Aspect.LOSS, Judgement(outcome=Outcome.MISSING, sentence=gone))


def _not_run(run: RunRecord, baselines: Mapping[str, RunRecord]) -> Iterator[Verdict]:
    """Count the baseline's cells of the run's cases and devices that were not asked for, once for each device.

    Cells of other cases are none of the run's business, and those whose mode could not be had are named by themselves.
    """
    cells = run.manifest.cells
    cases, ours = {cell.case for cell in cells}, {key_of(cell)[:3] for cell in cells}
    for device in dict.fromkeys(cell.device for cell in cells):
        baseline = baselines.get(device_type(device))
        accepted = [cell for cell in baseline.manifest.cells if cell.device == device] if baseline else []
        theirs = {key_of(cell)[:3] for cell in accepted if cell.case in cases}
        if lacking := len(theirs - ours):
            sentence = f"of the baseline's {len(theirs)} cells of these cases, {lacking} were not run"
            yield _of_all(device, Aspect.LOSS, Outcome.SKIPPED, sentence)


def _skipped(run: RunRecord) -> Iterator[Verdict]:
    for skip in run.manifest.skipped:
        yield _of_all(skip.device, Aspect.EXPECTATION, Outcome.SKIPPED, skip.reason)


def _of_all(device: str, aspect: Aspect, outcome: Outcome, sentence: str) -> Verdict:
    """Return a verdict about all cells of a device."""
    return Verdict(case=ALL, device=device, dtype=ALL, mode=ALL, aspect=aspect, outcome=outcome, sentence=sentence)
