"""Aspect two: the loss against the baseline, in the first tier that applies: bits, tolerance, distribution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from suite.judge.arbiter import Arbiter, Flags, Opinion
from suite.judge.distribution import judge_samples
from suite.judge.pairs import DIGESTS, Pairs, same_bits
from suite.judge.stage import excess, find_stage, too_far
from suite.judge.statistics import too_rare
from suite.judge.stream import same_stream
from suite.judge.swings import judge_swings
from suite.judge.tolerance import FEW, Tolerance, tolerance_from
from suite.judge.verdict import Judgement, Outcome, Stage
from suite.observe import Array


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms a cell is compared with its baseline."""

    dtype: str
    same_machine: bool
    """The fingerprints are equal, so that bits must be."""
    differs: str
    """What differs otherwise."""
    alpha: float
    """Share of the false-alarm budget."""
    arbiter: Arbiter | None = None
    """The same seeds in float64, on both sides."""

    def opinion(self, pairs: Pairs, seeds: Flags) -> Opinion | None:
        """Ask the arbiter, if there is one, about the flagged seeds."""
        return self.arbiter.opinion(pairs, seeds, self.alpha) if self.arbiter else None


def judge_loss(pairs: Pairs, terms: Terms) -> Judgement:
    """Judge one cell's losses against its baseline's, and say how many it holds nothing against."""
    found = _judged(pairs, terms)
    alone = pairs.alone if len(pairs.seeds) else 0
    return replace(found, sentence=f"{found.sentence}; seeds that the baseline lacks: {alone}") if alone else found


def _judged(pairs: Pairs, terms: Terms) -> Judgement:
    if not len(pairs.seeds):
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence="no seed was trained on both sides")
    if terms.same_machine and _bits_equal(pairs):
        return Judgement(outcome=Outcome.PASS, sentence=f"{len(pairs.seeds)} seeds, bit for bit the baseline")
    if pairs.drawn and not same_stream(pairs, terms.dtype, terms.alpha):
        return judge_samples(pairs, same_machine=terms.same_machine, differs=terms.differs, alpha=terms.alpha)
    same_start = terms.same_machine or pairs.same("init_digest")
    tolerance = tolerance_from(pairs.probes, terms.dtype, same_start=same_start)
    if tolerance is None:
        told = "the baseline holds no probe of this case in this dtype, and so no tolerance; accept a new one"
        return Judgement(outcome=Outcome.INCOMPARABLE, sentence=told)
    if not tolerance.measured:
        told = "one unit in the last place takes the baseline's probes from a number to none, so that nothing is known"
        return Judgement(outcome=Outcome.INCONCLUSIVE, sentence=f"{told} of how far losses may lie apart")
    swings = judge_swings(pairs, tolerance, alpha=terms.alpha)
    judged = _by_tolerance(pairs, tolerance, terms)
    return _both(judged, swings) if swings else judged


def _both(judged: Judgement, swings: Judgement) -> Judgement:
    """Return what both say: of what seeds tell one by one, and of what they tell as samples only."""
    if judged.outcome.code or not (swings.outcome.code or swings.outcome is Outcome.IMPROVED):
        return replace(judged, sentence=f"{judged.sentence}; {swings.sentence}")
    return replace(swings, stage=swings.stage if judged.stage is Stage.NONE else judged.stage)


def _bits_equal(pairs: Pairs) -> bool:
    return all(pairs.same(digest) for digest in DIGESTS) and bool(same_bits(*pairs.curves).all())


def _by_tolerance(pairs: Pairs, tolerance: Tolerance, terms: Terms) -> Judgement:
    """Judge every recorded loss, on the way and final, seed by seed."""
    far, allowed = excess(pairs, tolerance), tolerance.strays_among(len(pairs.seeds), terms.alpha)
    gone = int(np.isposinf(far).any(axis=1).sum()) > tolerance.gone_among(len(pairs.seeds), terms.alpha)
    stage, step = find_stage(pairs, tolerance, terms.dtype, exact=terms.same_machine)
    where = f"left the baseline at stage {stage}" + (f", step {step}" if stage is Stage.LATER else "")
    beyond, seeds = _beyond(np.abs(far)), len(pairs.seeds)
    if gone or (beyond <= allowed and (too_far(pairs, tolerance).any() or _one_way(far, terms.alpha))):
        return Judgement(outcome=Outcome.REGRESSED, stage=stage, sentence=f"{_worst(pairs, far)}; {where}")
    if beyond > allowed:
        return _left(pairs, far, allowed, terms, stage, where)
    if not tolerance.tells(seeds, beyond, terms.alpha):
        few = f"; {FEW} seeds could" if seeds < FEW else ""
        told = f"{beyond} of {seeds} seeds went another way; where a third may or did, they tell nothing{few}"
        return Judgement(outcome=Outcome.INCONCLUSIVE, stage=stage, sentence=told)
    largest = _within(far, allowed)
    opinion = terms.opinion(pairs, np.ones(seeds, dtype=np.bool_))
    if opinion is not None and opinion.is_less_exact:
        sentence = f"{largest}, but all the same {opinion.sentence}; {where}"
        return Judgement(outcome=Outcome.REGRESSED, stage=stage, sentence=sentence)
    if terms.same_machine:
        return Judgement(outcome=Outcome.CHANGED, stage=stage, sentence=f"same machine, other bits: {where}; {largest}")
    return Judgement(outcome=Outcome.PASS, sentence=f"{largest} ({terms.differs})")


def _left(pairs: Pairs, far: Array, allowed: int, terms: Terms, stage: Stage, where: str) -> Judgement:
    """Judge losses that lie beyond their tolerance.

    They improved if they are nearer to float64, or if the first step was the baseline's and none is larger later.
    """
    beyond = np.abs(far).max(axis=1) > 1.0
    opinion = terms.opinion(pairs, beyond)
    lower = stage is Stage.LATER and _beyond(far) <= allowed
    sentence = f"{_worst(pairs, -far if lower else far)}; {where}" + (f"; {opinion.sentence}" if opinion else "")
    improved = opinion.is_nearer if opinion and opinion.decided else lower
    return Judgement(outcome=Outcome.IMPROVED if improved else Outcome.REGRESSED, stage=stage, sentence=sentence)


def _beyond(far: Array) -> int:
    """Count the seeds with a loss above its tolerance."""
    return int((far > 1.0).any(axis=1).sum())


def _one_way(far: Array, alpha: float) -> bool:
    """Tell whether seeds that went another way went up more often than chance, where they lie farthest out."""
    farthest = np.take_along_axis(far, np.abs(far).argmax(axis=1)[:, None], axis=1)[:, 0]
    higher, lower = int((farthest > 1.0).sum()), int((farthest < -1.0).sum())
    return higher > lower and too_rare(higher, higher + lower, 0.5, 0.5) <= alpha


def _within(far: Array, allowed: int) -> str:
    """Say how much of the tolerance the seeds use, strays apart."""
    used = np.abs(far).max(axis=1)
    strays = int((used > 1.0).sum())
    most = used[used <= 1.0].max(initial=0.0)
    told = f"losses of {len(used) - strays} seeds use at most {most:.0%} of their tolerance"
    return f"{told}; {strays} went another way, {allowed} may" if strays else told


def _worst(pairs: Pairs, far: Array) -> str:
    """Name the loss that lies farthest out: its seed, its step, both values and the allowance."""
    sizes = far if (far > 1.0).any() else np.abs(far)
    seed, point = np.unravel_index(int(sizes.argmax()), far.shape)
    ours, theirs = (side[seed, point] for side in pairs.curves)
    outside = _beyond(np.abs(far))
    moment = "final loss" if point == far.shape[1] - 1 else f"loss at step {pairs.steps[seed, point]}"
    return (
        f"{moment} of seed {pairs.seeds[seed]} is {ours:.6g}, baseline {theirs:.6g}: {sizes[seed, point]:.3g} times "
        f"the tolerance ({outside} of {len(pairs.seeds)} seeds beyond it)"
    )
