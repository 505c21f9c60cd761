"""Two random streams: the seeds of both sides as two samples, their losses by rank, their rates exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from suite.judge.pairs import Pairs
from suite.judge.statistics import rank_test, rates_differ, samples_needed, too_rare
from suite.judge.tolerance import ROUNDING
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
    found = [_larger(ours, theirs), *_elsewhere(*_in_roundings(ours, theirs))]
    p, told = min(found)
    return f"starts {told}, p = {p:.2g}" if p <= alpha / len(found) else ""


def _larger(ours: Array, theirs: Array) -> tuple[float, str]:
    """Count the seeds that start larger than their baseline, against those that start smaller, rounding apart.

    Of two streams as many should, however much the one goes along with the other.
    """
    with np.errstate(invalid="ignore"):
        apart = (ours != theirs) & ~(np.abs(ours - theirs) <= ROUNDING * theirs)
    larger, seeds = int((ours > theirs)[apart].sum()), int(apart.sum())
    return too_rare(larger, seeds, 0.5, 0.5), f"larger than their baseline's in {larger} of {seeds} seeds"


def _elsewhere(ours: Array, theirs: Array) -> Iterator[tuple[float, str]]:
    """Compare norms by rank: themselves, and how far they lie from the median of all."""
    middles = np.median(ours), np.median(theirs)
    yield rank_test(ours, theirs)[0], "of median norm {:.4g}, of the baseline's {:.4g}".format(*middles)
    with np.errstate(invalid="ignore"):
        middle = np.median(np.concatenate([ours, theirs]))
        away = [np.nan_to_num(np.abs(side - middle), nan=0.0, posinf=np.inf) for side in (ours, theirs)]
    spreads = np.median(away[0]), np.median(away[1])
    yield rank_test(*away)[0], "of norms {:.4g} off the median, of the baseline's {:.4g}".format(*spreads)


def _in_roundings(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Return norms with what rounding may do to them taken away, which is all that differs where they have one size."""
    unit = ROUNDING * float(np.median(theirs))
    if not 0.0 < unit < np.inf:
        return ours, theirs
    return unit * np.rint(ours / unit), unit * np.rint(theirs / unit)


def _ranked(values: Array) -> Array:
    """Return values as they are ranked: what is no number is above all."""
    return np.where(np.isfinite(values), values, np.inf)


def _alike(pairs: Pairs, alpha: float) -> str:
    """Say how many seeds start as another does, if more do than in the baseline: what draws nothing is no stream.

    Where there are few starts to draw, some of them coincide by chance, on either side.
    """
    ours, theirs = (len(starts) - len(np.unique(starts.astype(str))) for starts in pairs.column("init_digest"))
    chance = ours <= theirs or rates_differ(ours, theirs, len(pairs.seeds)) > alpha
    told = f"{ours} of {len(pairs.seeds)} seeds start as another one does, of the baseline's {theirs}"
    return "" if chance else told


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
