"""Two random streams: the seeds of both sides as two samples, their losses by rank, their rates exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import Pairs
from suite.judge.statistics import NUMBERS, coincidences_allowed, rank_test, rates_differ, samples_needed
from suite.judge.verdict import Judgement, Outcome, Stage
from suite.observe import Array
from suite.trial import Status

DIVERGED = "diverged"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How many seeds of each side something holds for."""

    name: str
    ours: int
    theirs: int


def judge_samples(pairs: Pairs, *, same_machine: bool, differs: str, alpha: float) -> Judgement:
    """Judge two samples that started elsewhere, as a whole at level ``alpha``: starts, final losses, every rate."""
    ours, theirs = map(_ranked, pairs.column("final_loss"))
    rates = list(_rates(pairs))
    level = alpha / (2 + len(rates))
    p, larger = rank_test(ours, theirs)
    begun = _begun(pairs, level)
    told = (
        f"another random stream ({differs or 'on the same machine'}): median losses {np.median(ours):.4g} and "
        f"{np.median(theirs):.4g}, p = {p:.2g}"
    )
    wrong = [sentence for sentence in (begun, *(_told(rate, len(ours), level) for rate in rates)) if sentence]
    if wrong or p <= level:
        improved = not wrong and larger < 0.5
        outcome = Outcome.IMPROVED if improved else Outcome.REGRESSED
        return Judgement(outcome=outcome, stage=Stage.INITIALISATION, sentence="; ".join([told, *wrong]))
    needed = samples_needed(level)
    if len(ours) < needed:
        few = f"{told}; so few seeds can show no difference, {needed} could"
        return Judgement(outcome=Outcome.INCONCLUSIVE, stage=Stage.INITIALISATION, sentence=few)
    outcome = Outcome.CHANGED if same_machine else Outcome.PASS
    shown = f"{told}; no difference shown, of losses or of {len(rates)} rates"
    return Judgement(outcome=outcome, stage=Stage.INITIALISATION, sentence=shown)


def _begun(pairs: Pairs, alpha: float) -> str:
    """Say how the size of starts differs, which another stream does not change; nothing, if chance may do it."""
    alike = _alike(pairs, alpha)
    if alike:
        return alike
    ours, theirs = map(_ranked, pairs.column("start_norm"))
    p, _ = rank_test(ours, theirs)
    told = f"starts of median norm {np.median(ours):.4g}, of the baseline's {np.median(theirs):.4g}, p = {p:.2g}"
    return told if p <= alpha else ""


def _ranked(values: Array) -> Array:
    """Return values as they are ranked: what is no number is above all."""
    return np.where(np.isfinite(values), values, np.inf)


def _alike(pairs: Pairs, alpha: float) -> str:
    """Say how many seeds start as another does, if more do than in the baseline: what draws nothing is no stream."""
    ours, theirs = (len(starts) - len(np.unique(starts.astype(str))) for starts in pairs.column("init_digest"))
    allowed = coincidences_allowed(len(pairs.seeds), NUMBERS, alpha)
    told = f"{ours} of {len(pairs.seeds)} seeds start as another one does, of the baseline's {theirs}"
    return told if ours > theirs + allowed else ""


def _rates(pairs: Pairs) -> Iterator[Rate]:
    """Count what holds of a seed or does not: whether it diverged, and each observation that is 0 or 1."""
    ours, theirs = (side == str(Status.DIVERGED) for side in pairs.column("status"))
    yield Rate(name=DIVERGED, ours=int(ours.sum()), theirs=int(theirs.sum()))
    for name, (mine, yours) in pairs.observed().items():
        if np.isin(mine, (0.0, 1.0)).all() and np.isin(yours, (0.0, 1.0)).all():
            yield Rate(name=name, ours=int(mine.sum()), theirs=int(yours.sum()))


def _told(rate: Rate, seeds: int, alpha: float) -> str:
    """Say how a rate differs; nothing, if chance may do it."""
    p = rates_differ(rate.ours, rate.theirs, seeds)
    told = f"{rate.name} in {rate.ours} of {seeds} seeds, of the baseline's in {rate.theirs}, p = {p:.2g}"
    return told if p <= alpha else ""
