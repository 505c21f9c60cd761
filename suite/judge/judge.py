"""All verdicts of a run: its expectations, and every cell against its baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from suite.judge.arbiter import Arbiter
from suite.judge.expectation import judge_cell
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import CellKey, CellTables, Pairs, by_cell, key_of
from suite.judge.time import judge_time
from suite.judge.verdict import Aspect, Judgement, Outcome, Verdict
from suite.machine import differences
from suite.plan import EAGER
from suite.trial import PlannedCell, RunRecord

FALSE_ALARMS = 0.01
"""Probability that a run in which nothing changed fails anywhere: shared by all its tests."""

OF_A_CELL = 4
"""Tests of a cell besides its clauses: its seeds, its losses and how exact they are, its time."""

ARBITER = "float64"
"""The dtype that decides between two of another that differ."""

ALL = "*"
"""In place of a case or dtype, where a verdict is about all of them."""


def judge_expectations(run: RunRecord) -> list[Verdict]:
    """Judge what the cases expect of a run; needs no baseline."""
    return list(_expectations(run, by_cell(run), alpha=_share_of_budget(run))) + list(_skipped(run))


def judge(run: RunRecord, baselines: Mapping[str, RunRecord]) -> list[Verdict]:
    """Judge a run in all aspects; ``baselines`` holds accepted runs by type of device."""
    ours, alpha = by_cell(run), _share_of_budget(run)
    theirs = {kind: by_cell(baseline) for kind, baseline in baselines.items()}
    verdicts = list(_expectations(run, ours, alpha=alpha))
    for cell in run.manifest.cells:
        kind = cell.device.partition(":")[0]
        if key_of(cell) in ours:
            verdicts += _against(cell, run, ours, baselines.get(kind), theirs.get(kind, {}), alpha)
    return [*verdicts, *_disappeared(run, baselines), *_skipped(run)]


def _share_of_budget(run: RunRecord) -> float:
    """Return the level of one test: the budget divided among all tests of the run (Bonferroni)."""
    clauses = {case.name: len(case.clauses) for case in run.manifest.cases}
    return FALSE_ALARMS / max(1, sum(clauses[cell.case] + OF_A_CELL for cell in run.manifest.cells))


def _expectations(run: RunRecord, ours: Mapping[CellKey, CellTables], *, alpha: float) -> Iterator[Verdict]:
    cases = {case.name: case for case in run.manifest.cases}
    for cell in run.manifest.cells:
        if key_of(cell) in ours:
            rows, case = ours[key_of(cell)], cases[cell.case]
            if cell.short:
                case = replace(case, clauses=())
            yield judge_cell(cell, case, rows.trials, rows.observations, alpha=alpha)
        else:
            sentence = f"none of {cell.seeds} seeds trained; complete the run with --resume"
            yield _verdict(cell, Aspect.EXPECTATION, Judgement(outcome=Outcome.INCONCLUSIVE, sentence=sentence))


def _against(
    cell: PlannedCell,
    run: RunRecord,
    ours: Mapping[CellKey, CellTables],
    baseline: RunRecord | None,
    theirs: Mapping[CellKey, CellTables],
    alpha: float,
) -> list[Verdict]:
    """Judge one cell's losses and times."""
    if baseline is None or key_of(cell) not in theirs:
        missing = Judgement(
            outcome=Outcome.MISSING, sentence="no baseline; accept one with: suite accept RUN --reason TEXT"
        )
        return [_verdict(cell, Aspect.LOSS, missing)]
    pairs = Pairs(ours[key_of(cell)], theirs[key_of(cell)])
    versions = [side.trials["case_version"].iloc[0] for side in (pairs.ours, pairs.baseline)]
    if versions[0] != versions[1]:
        sentence = f"the case was changed (version {versions[0]}, baseline {versions[1]}); accept a new baseline"
        return [_verdict(cell, Aspect.LOSS, Judgement(outcome=Outcome.INCOMPARABLE, sentence=sentence))]
    steps = pairs.column("steps")
    if not np.array_equal(*steps):
        most = [side.max(initial=0) for side in steps]
        sentence = f"trained for {most[0]} steps, the baseline for {most[1]}; give the --mode that the baseline had"
        return [_verdict(cell, Aspect.LOSS, Judgement(outcome=Outcome.INCOMPARABLE, sentence=sentence))]
    verdicts = [_verdict(cell, Aspect.LOSS, judge_loss(pairs, _terms(cell, run, ours, baseline, theirs, alpha)))]
    if cell.mode == EAGER:  # the seeds of an ensemble share one loop, and so one time
        verdicts.append(_verdict(cell, Aspect.TIME, _time(cell, run, baseline, pairs, alpha)))
    return verdicts


def _terms(
    cell: PlannedCell,
    run: RunRecord,
    ours: Mapping[CellKey, CellTables],
    baseline: RunRecord,
    theirs: Mapping[CellKey, CellTables],
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


def _time(cell: PlannedCell, run: RunRecord, baseline: RunRecord, pairs: Pairs, alpha: float) -> Judgement:
    facts = run.machine.timing_facts(cell.device), baseline.machine.timing_facts(cell.device)
    return judge_time(pairs, same_machine=facts[0] == facts[1], differs=differences(*facts), alpha=alpha)


def _verdict(cell: PlannedCell, aspect: Aspect, judgement: Judgement) -> Verdict:
    return Verdict(
        case=cell.case,
        device=cell.device,
        dtype=cell.dtype,
        mode=cell.mode,
        aspect=aspect,
        outcome=judgement.outcome,
        stage=judgement.stage,
        sentence=judgement.sentence,
    )


def _disappeared(run: RunRecord, baselines: Mapping[str, RunRecord]) -> Iterator[Verdict]:
    """Name the baseline's cells whose case the run's folders of cases no longer hold."""
    present = set(run.manifest.known_cases)
    for baseline in {id(b): b for b in baselines.values()}.values():
        if baseline.manifest.roots != run.manifest.roots:
            continue
        for cell in baseline.manifest.cells:
            if cell.case not in present:
                gone = Judgement(outcome=Outcome.MISSING, sentence="the baseline has it, but the case disappeared")
                yield _verdict(cell, Aspect.LOSS, gone)


def _skipped(run: RunRecord) -> Iterator[Verdict]:
    for skip in run.manifest.skipped:
        yield Verdict(
            case=ALL,
            device=skip.device,
            dtype=ALL,
            mode=ALL,
            aspect=Aspect.EXPECTATION,
            outcome=Outcome.SKIPPED,
            sentence=skip.reason,
        )
