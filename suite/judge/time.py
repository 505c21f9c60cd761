"""Aspect three: time against the baseline, in units of the yardstick, seed by seed."""

from __future__ import annotations

import math

import numpy as np

from suite.judge.pairs import Pairs
from suite.judge.statistics import median_interval
from suite.judge.verdict import Judgement, Outcome
from suite.observe import Array

SLOWER = 0.25
"""Smallest slowdown that is called one: a quarter more time a step."""


def judge_time(pairs: Pairs, *, same_machine: bool, differs: str, alpha: float) -> Judgement:
    """Judge one cell's times; a slowdown needs evidence and size: the whole interval beyond the threshold."""
    if not same_machine:
        return Judgement(outcome=Outcome.INCOMPARABLE, sentence=f"times of another machine: {differs}")
    ratios = log_ratios(pairs)
    if not len(ratios):
        return Judgement(outcome=Outcome.INCOMPARABLE, sentence="no seed was timed alone on both sides")
    low, high, confidence = median_interval(ratios, alpha)
    told = (
        f"{math.exp(float(np.median(ratios))):.2f} times the baseline's time a step, {math.exp(low):.2f} to "
        f"{math.exp(high):.2f} with confidence {confidence:.4g} ({len(ratios)} seeds)"
    )
    if low > math.log1p(SLOWER):
        return Judgement(outcome=Outcome.REGRESSED, sentence=told)
    if high < -math.log1p(SLOWER):
        return Judgement(outcome=Outcome.IMPROVED, sentence=told)
    return Judgement(outcome=Outcome.PASS, sentence=f"{told}; a slowdown counts from {SLOWER:.0%}")


def log_ratios(pairs: Pairs) -> Array:
    """Return the log of train time over yardstick time a step, over the baseline's, for seeds timed alone."""
    ours, theirs = (_in_yardsticks(pairs, side) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Array = np.log(ours) - np.log(theirs)
    return ratios[np.isfinite(ratios)]


def _in_yardsticks(pairs: Pairs, side: int) -> Array:
    columns = {
        name: pairs.column(name)[side] for name in ("train_seconds", "yardstick_seconds", "steps", "seeds_together")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = columns["train_seconds"] / (columns["steps"] * columns["seeds_together"])
        cost: Array = seconds / columns["yardstick_seconds"]
    return cost
