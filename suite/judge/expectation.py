"""Aspect one: what a case expects, absolutely; needs no baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from suite.clause import Clause, Interval
from suite.judge.pairs import by_seed
from suite.judge.starts import ignored as why_ignored
from suite.judge.starts import is_discrete, trained
from suite.judge.statistics import (
    counts_allowed,
    quantile_of,
    rates_caught,
    too_rare,
    trials_needed,
)
from suite.judge.verdict import Aspect, Finding, Outcome, Stage, Verdict
from suite.observe import Array, belongs
from suite.trial import DeclaredCase, PlannedCell, Status

WORST_FIRST = (Outcome.BROKEN, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS)


def judge_cell(
    cell: PlannedCell,
    case: DeclaredCase,
    trials: pd.DataFrame,
    observed: pd.DataFrame,
    *,
    alpha: float,
    baseline: pd.DataFrame | None = None,
) -> Verdict:
    """Judge what the case expects of one cell; ``alpha`` is the false-alarm budget of one clause.

    ``baseline``: the same case's accepted trials, which tell how many starts are possible.
    """
    table = by_seed(observed)
    findings = list(_findings(cell, case, table, alpha))
    outcome, sentence = _summary(findings, trials, cell)
    unseen = _unseen(trials, table) if findings and outcome is not Outcome.ERROR else 0
    if unseen:
        told = f"of {unseen} of {len(trials)} seeds nothing is recorded that was observed"
        outcome, sentence = min(outcome, Outcome.INCONCLUSIVE, key=WORST_FIRST.index), f"{told}; {sentence}"
    alike, ignored = _alike(trials, baseline, alpha) if case.drawn else ("", "")
    if ignored:
        outcome, sentence = Outcome.ERROR, f"{alike}: {ignored}"
    elif alike:
        sentence = f"{sentence}; {alike}, as where few starts are possible"
    return Verdict(
        case=cell.case,
        device=cell.device,
        dtype=cell.dtype,
        mode=cell.mode,
        aspect=Aspect.EXPECTATION,
        outcome=outcome,
        stage=Stage.INITIALISATION if ignored else Stage.NONE,
        sentence=sentence,
        findings=tuple(findings),
    )


def _findings(cell: PlannedCell, case: DeclaredCase, table: pd.DataFrame, alpha: float) -> Iterator[Finding]:
    """Judge each clause that is asked for in the cell's dtype."""
    for place, clause in enumerate(case.clauses):
        if clause.within(cell.dtype) is not None:
            outcome, sentence = judge_clause(clause, cell.dtype, table, alpha=alpha)
            yield Finding(clause=place, outcome=outcome, sentence=sentence)


def _unseen(trials: pd.DataFrame, table: pd.DataFrame) -> int:
    """Count the seeds that were trained and of which no observation is left."""
    seeds = trained(trials)["seed"].to_numpy(np.uint64)
    return len(np.setdiff1d(seeds, table.index.to_numpy(np.uint64)))


def _alike(trials: pd.DataFrame, baseline: pd.DataFrame | None, alpha: float) -> tuple[str, str]:
    """Say which seeds start alike, if more do than chance lets, and why such seeds are none; nothing for few starts."""
    ours, theirs = trained(trials), None if baseline is None else trained(baseline)
    if not is_discrete(ours, alpha):
        return "", ""
    starts = ours["init_digest"].astype(str)
    second = int(starts.duplicated().to_numpy().argmax())
    first = int((starts == starts.iloc[second]).to_numpy().argmax())
    seeds = ours["seed"].to_numpy()
    told = f"seeds {seeds[first]} and {seeds[second]} start alike, and of {len(starts)} only {starts.nunique()} differ"
    return told, why_ignored(ours, theirs, alpha)


def _summary(findings: Sequence[Finding], trials: pd.DataFrame, cell: PlannedCell) -> tuple[Outcome, str]:
    failed = trials[trials["status"] == str(Status.ERROR)]
    if len(failed):
        reasons = failed["reason"].value_counts()
        return Outcome.ERROR, f"{len(failed)} of {len(trials)} seeds could not be trained: {reasons.index[0]}"
    if len(trials) < cell.seeds:
        return Outcome.INCONCLUSIVE, f"{len(trials)} of {cell.seeds} seeds trained; complete the run with --resume"
    for outcome in WORST_FIRST:
        told = [finding.sentence for finding in findings if finding.outcome is outcome]
        if told and outcome is not Outcome.PASS:
            return outcome, "; ".join(told)
    return Outcome.PASS, "; ".join(finding.sentence for finding in findings) or "nothing is expected"


def judge_clause(clause: Clause, dtype: str, table: pd.DataFrame, *, alpha: float) -> tuple[Outcome, str]:
    """Judge one clause over a cell's observations (seeds down, names across)."""
    bounds = clause.within(dtype)
    members = _members(clause, table)
    columns = [name for name in table.columns if belongs(name, clause.observation)]
    if bounds is None or not len(members) or not columns:
        return Outcome.INCONCLUSIVE, f"{clause.observation}: {clause.nobody}"
    if len(bounds[0]) not in {1, len(columns)}:
        return Outcome.BROKEN, f"{clause.observation} has {len(columns)} elements; {len(bounds[0])} bounds are given"
    values = members[columns].to_numpy(dtype=np.float64)
    if clause.share is not None:
        return _judge_share(clause, clause.share, values, bounds, alpha)
    if clause.quantile is not None:
        return _judge_quantile(clause, clause.quantile, columns, values, bounds, alpha)
    return _judge_every(clause, members.index.to_numpy(), columns, values, bounds)


def _members(clause: Clause, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the seeds that the clause is about; none, if no seed tells whether it is one of them."""
    if not clause.group:
        return table
    return table[(table[clause.group] == 1.0) == clause.inside] if clause.group in table else table.iloc[:0]


def _inside(values: Array, bounds: Interval) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell for each value whether it lies within its bounds; NaN lies nowhere."""
    low, high = bounds
    result: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (values >= np.array(low)) & (values <= np.array(high))
    return result


def told_bounds(bounds: Interval, element: int = 0) -> str:
    """Say what is allowed: "4.95 to 5.05", "at least 1", "exactly 0.5"."""
    low, high = (ends[min(element, len(ends) - 1)] for ends in bounds)
    if low == high:
        return f"exactly {low:g}"
    if np.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"


def _judge_every(
    clause: Clause,
    seeds: np.ndarray[tuple[int], np.dtype[np.uint64]],
    columns: Sequence[str],
    values: Array,
    bounds: Interval,
) -> tuple[Outcome, str]:
    inside = _inside(values, bounds)
    if inside.all():
        span = f"{values.min():.6g} to {values.max():.6g}" if values.min() < values.max() else f"{values.min():.6g}"
        return Outcome.PASS, f"{clause.observation}{clause.seeds_meant} is {span}, {told_bounds(bounds)} allowed"
    outside = ~inside.all(axis=1)
    row, column = np.argwhere(~inside)[0]
    return Outcome.BROKEN, (
        f"{columns[column]} of seed {seeds[row]} is {values[row, column]:.6g}; {told_bounds(bounds, int(column))} was "
        f"expected{clause.seeds_meant} ({outside.sum()} of {len(values)} seeds outside)"
    )


def _judge_share(
    clause: Clause, share: tuple[float, float], values: Array, bounds: Interval, alpha: float
) -> tuple[Outcome, str]:
    count, trials = int(_inside(values, bounds).all(axis=1).sum()), len(values)
    least, most = counts_allowed(trials, *share, alpha)
    expected = f"{share[0]:g}" if share[0] == share[1] else f"{share[0]:g} to {share[1]:g}"
    what = clause.observation if bounds == ([1.0], [1.0]) else f"{clause.observation} {told_bounds(bounds)}"
    told = f"{what} in {count} of {trials} seeds{clause.seeds_meant}, expected rate {expected}"
    if not least <= count <= most:
        return Outcome.BROKEN, f"{told} (p = {too_rare(count, trials, *share):.1e}; {least} to {most} allowed)"
    if (least, most) == (0, trials) and (needed := trials_needed(*share, alpha)):
        return Outcome.INCONCLUSIVE, f"{told}; no count of so few would have been wrong, of {needed} some would"
    return Outcome.PASS, f"{told}; {_caught(trials, least, most)} would have been caught"


def _caught(trials: int, least: int, most: int) -> str:
    """Name the rates that a count from ``least`` to ``most`` rules out: "a rate below 0.21 or above 0.79"."""
    low, high = rates_caught(trials, least, most)
    sides = [f"below {low:.2g}"] * (least > 0) + [f"above {high:.2g}"] * (most < trials)
    return f"a rate {' or '.join(sides)}" if sides else "nothing"


def _judge_quantile(
    clause: Clause, quantile: float, columns: Sequence[str], values: Array, bounds: Interval, alpha: float
) -> tuple[Outcome, str]:
    """Judge where a quantile of all possible seeds lies, from the seeds seen: at most so many lie below it, or above.

    Each element has its share of ``alpha``. A value that is no number lies on both sides.
    """
    name, seeds = "median" if quantile == 0.5 else f"{quantile:g}-quantile", len(values)
    rates, level = (quantile, 1.0 - quantile), alpha / len(columns)
    most = [counts_allowed(seeds, 0.0, rate, level)[1] for rate in rates]
    beyond = np.stack([~(values >= np.array(bounds[0])), ~(values <= np.array(bounds[1]))]).sum(axis=1)
    wrong = (beyond > np.array(most)[:, None]).any(axis=0)
    at = int(wrong.argmax())
    found = quantile_of(values, quantile)[at]
    told = f"{name} of {columns[at]} over {seeds} seeds{clause.seeds_meant} is {found:.6g}"
    sides = f"{beyond[0, at]} seeds lie below, {beyond[1, at]} above; {most[0]} and {most[1]} may"
    if wrong.any():
        return Outcome.BROKEN, f"{told}; {told_bounds(bounds, at)} was expected ({sides})"
    needed = [
        trials_needed(0.0, rate, level) for rate, end in zip(rates, bounds, strict=True) if np.isfinite(end).any()
    ]
    if needed and seeds < min(needed):
        return Outcome.INCONCLUSIVE, f"{told}; so few can show nothing, {min(needed)} could"
    return Outcome.PASS, f"{told}, {told_bounds(bounds, at)} allowed ({sides})"
