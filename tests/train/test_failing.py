"""A seed that cannot be trained is an error with its reason, and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.expect import fact, measured, same_as
from suite.train.eager import train
from suite.trial import Status
from tests.cells import NEURON, MakeCell
from tests.train.by_hand import untimed


def nothing_built() -> nn.Module:
    """Raise."""
    raise ValueError("no network\nof this kind")


def refusing(*seeds: int) -> Callable[[], nn.Module]:
    """Return an architecture whose networks of some seeds raise in forward."""

    class _Refusing(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if self.seed in seeds:
                raise ValueError(f"not with seed {self.seed}\nand some more")
            return super().forward(x)

    def build() -> nn.Module:
        network = _Refusing(1, 1, bias=False)
        network.seed = torch.initial_seed()  # type: ignore[assignment]
        return network

    return build


@pytest.mark.parametrize("seeds", [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
@pytest.mark.parametrize("twin", [False, True])
def test_a_seed_that_cannot_be_trained_stops_no_other(cell_of: MakeCell, seeds: list[int], twin: bool) -> None:
    """It is recorded as an error with its reason in a line, first, last or between; the others are what they were."""
    broken = replace(NEURON, name="broken", architecture=refusing(1))
    case = replace(NEURON, expect=[same_as(broken)]) if twin else broken
    sound = replace(NEURON, expect=[same_as(replace(NEURON, name="broken"))]) if twin else NEURON
    trials = train(cell_of(case), seeds)
    assert [trial.seed for trial in trials] == seeds
    assert [trial.reason for trial in trials] == ["ValueError: not with seed 1" if s == 1 else "" for s in seeds]
    assert [trial.status for trial in trials] == [Status.ERROR if s == 1 else Status.OK for s in seeds]
    expected = train(cell_of(sound), [s for s in seeds if s != 1])
    assert untimed(replace(t, case="neuron") for t in trials if t.seed != 1) == untimed(expected)


def test_an_observation_that_fails_for_a_seed_stops_no_other(cell_of: MakeCell) -> None:
    """An author's function that raises costs the seed it raises for, with its reason, and no other."""

    def look(seen: Any) -> Any:
        if 1 in seen.seeds:
            raise KeyError("seed 1")
        return seen.final_loss

    trials = train(cell_of(replace(NEURON, steps=3, expect=[measured("own", look, low=0.0)])), range(3))
    assert [trial.reason for trial in trials] == ["", "KeyError: 'seed 1'", ""]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": nothing_built}, "ValueError: no network"),
        ({"architecture": nothing_built}, "ValueError: no network"),
        ({"expect": [fact(lambda _: 1 / 0, called="one", low=0.0)]}, "ZeroDivisionError: division by zero"),
    ],
    ids=["data", "architecture", "fact"],
)
def test_a_cell_that_cannot_be_prepared_is_an_error_of_every_seed(
    cell_of: MakeCell, change: dict[str, Any], reason: str
) -> None:
    """What all seeds need and none can have is each one's reason, in a line."""
    trials = train(cell_of(replace(NEURON, **change)), [3, 4])
    assert [(trial.seed, trial.status, trial.reason) for trial in trials] == [
        (3, Status.ERROR, reason),
        (4, Status.ERROR, reason),
    ]
