"""What a document claims is found broken where it does not hold, by the clauses that are said to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from torch import Tensor, nn
from torch.optim import SGD

from suite.case import Case
from suite.discover import discover, documented
from suite.expect import Expectation
from suite.judge import Outcome, judge_expectations
from suite.plan import DTYPES
from suite.train.eager import train
from suite.trial import RunRecord
from tests.cells import MakeCell

CASES = {case.name: case for case in discover([documented()]).cases}
SEEDS = range(3)


class Louder(nn.Module):
    """A network whose answers are thirty times too large; its parameters are those of another."""

    def __init__(self, network: Callable[[], nn.Module]) -> None:
        """Draw the other."""
        super().__init__()
        drawn = network()
        for name, part in drawn.named_children():
            self.add_module(name, part)
        self.forward_once = drawn.forward

    def forward(self, x: Tensor) -> Tensor:
        """Answer thirty times as much."""
        output: Tensor = self.forward_once(x) * 30.0
        return output


def louder(name: str) -> Case:
    """Return a documented case whose network answers thirty times as much; it is not trained, or it would diverge."""
    case = CASES[name]
    return replace(case, architecture=partial(Louder, case.architecture), optimizer=partial(SGD, lr=0.0))


FAULTS = [
    pytest.param(louder("graph_n10"), "M4b", id="a graph of ten that reaches farther"),
    pytest.param(louder("graph_n1000"), "M4b", id="a graph of a thousand that reaches farther"),
    pytest.param(
        replace(CASES["hidden_layer"], optimizer=partial(SGD, lr=0.0)), "G7b", id="a step that changes no parameter"
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fault", "claim"), FAULTS)
def test_a_claim_is_broken_where_it_does_not_hold(
    cell_of: MakeCell, run_of: Callable[..., RunRecord], fault: Case, claim: str, dtype: str
) -> None:
    """Of the case with the fault, some clause that shows the claim is broken; of the case itself, none is."""
    for case, wanted in ((replace(fault, steps=4), True), (CASES[fault.name], False)):
        clauses = [each.clause for each in case.expect if isinstance(each, Expectation)]
        run = run_of(train(cell_of(case, dtype=dtype), SEEDS, timed=False), clauses=clauses)
        (verdict,) = judge_expectations(run)
        broken = [f for f in verdict.findings if f.outcome is Outcome.BROKEN and claim in clauses[f.clause].claims]
        assert bool(broken) is wanted, verdict.sentence
