"""Two devices, or two runs, side by side: whether their losses agree, and which lies nearer to float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.judge.arbiter import ARBITER, Arbiter
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import CellTables, Pairs
from suite.judge.verdict import Judgement, Outcome
from suite.machine import Machine, differences


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one of the two left of a case in a dtype."""

    tables: CellTables
    exact: CellTables | None
    """The same in float64; None if it is not there."""
    machine: Machine
    device: str


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What two sides are to each other."""

    judgement: Judgement
    nearer: int
    """Below 0 if ours lies nearer to float64, beyond chance; above 0 if theirs does; else 0."""


def judge_beside(ours: Side, theirs: Side, dtype: str, *, alpha: float) -> Beside:
    """Judge one side's losses by the tolerance that the other's probes measured, at level ``alpha``.

    Neither side is right: a loss that left the other's tolerance upwards and one that left it downwards both differ.
    """
    pairs = Pairs(ours.tables, theirs.tables)
    if pairs.incomparable:
        return Beside(judgement=Judgement(outcome=Outcome.INCOMPARABLE, sentence=pairs.incomparable), nearer=0)
    facts = ours.machine.facts(ours.device), theirs.machine.facts(theirs.device)
    terms = Terms(
        dtype=dtype,
        same_machine=facts[0] == facts[1],
        differs=differences(*facts, other="other"),
        alpha=alpha,
        arbiter=_arbiter(ours.exact, theirs.exact) if dtype != ARBITER else None,
    )
    opinion = terms.opinion(pairs, np.ones(len(pairs.seeds), dtype=np.bool_)) if len(pairs.seeds) else None
    nearer = 0 if opinion is None or not opinion.decided else (-1 if opinion.nearer > opinion.farther else 1)
    return Beside(judgement=judge_loss(pairs, terms), nearer=nearer)


def _arbiter(ours: CellTables | None, theirs: CellTables | None) -> Arbiter | None:
    return Arbiter(ours=ours, baseline=theirs) if ours is not None and theirs is not None else None
