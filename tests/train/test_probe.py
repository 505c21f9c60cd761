"""A probe is the same training from a start, and over marks, moved by one unit in the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.plan import DTYPES
from suite.train import compiled, eager, ensemble
from suite.train.prepare import dtype_of
from suite.train.probe import Kicks, moved
from suite.trial import GRADIENT, LOSS, UPDATE, Trial, marks
from tests.cells import NO_CLOCKS, MakeCell

CURVE = Case(
    name="curve",
    architecture=partial(nn.Linear, 2, 1),
    data=fixed(x=[[-1.0, 0.3], [0.5, 0.7], [2.0, -1.1]], target=[[1.0], [0.25], [4.0]]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.01, momentum=0.5),
    steps=40,
)
SEEDS = range(5)


def neighbour(value: float, *, up: bool) -> float:
    """Return the next float64 above or below in size; zero has none."""
    return value if value == 0.0 else math.nextafter(value, math.copysign(math.inf if up else 0.0, value))


@given(value=st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300), up=st.booleans())
def test_a_number_is_moved_to_its_neighbour(value: float, up: bool) -> None:
    """As the standard library moves it."""
    found = moved(torch.tensor([value], dtype=torch.float64), torch.tensor([int(up)]))
    assert found.item() == neighbour(value, up=up)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_has_neighbours(dtype: str) -> None:
    """One unit in the last place of 1 is the dtype's epsilon above, half of it below."""
    one = torch.ones(2, dtype=dtype_of(dtype))
    epsilon = torch.finfo(one.dtype).eps
    assert (moved(one, torch.tensor([1, 0])).double() - 1.0).tolist() == [epsilon, -epsilon / 2]


@pytest.mark.parametrize("value", [0.0, -0.0, math.inf, -math.inf, math.nan])
def test_what_has_no_neighbour_stays(value: float) -> None:
    """A zero weight is as good as absent, and a diverged one is past help."""
    found = moved(torch.tensor([value, value]), torch.tensor([0, 1]))
    assert all(torch.equal(part, torch.tensor(value)) or math.isnan(value) for part in found)
    assert found.isnan().all() == math.isnan(value)


def test_directions_are_a_seeds_own() -> None:
    """Whoever is moved beside it; and they differ from parameter to parameter and from time to time."""
    together, alone = Kicks([3, 8]), Kicks([8])
    both, one = torch.ones(50, 2), torch.ones(50, 1)
    seen = []
    for _ in range(2):
        together([both])
        alone([one])
        assert torch.equal(both[:, 1:], one)
        seen.append(one.clone())
    assert len(one.unique()) > 2
    assert not torch.equal(both[:, 0], both[:, 1])
    assert not torch.equal(seen[0] - 1, seen[1] - seen[0])


@pytest.mark.parametrize("train", [eager.train, ensemble.train, compiled.train], ids=["eager", "ensemble", "compiled"])
def test_a_probe_changes_nothing_of_the_trials(cell_of: MakeCell, train: Callable[..., list[Trial]]) -> None:
    """All that is recorded of a seed is as without it."""

    def recorded(trials: list[Trial]) -> list[Trial]:
        return [replace(t, **NO_CLOCKS, distances=()) for t in trials]

    plain = train(cell_of(CURVE, seeds=SEEDS), SEEDS)
    probed = train(cell_of(CURVE, seeds=SEEDS, probed=SEEDS[1:3]), SEEDS)
    assert [trial.reason for trial in probed] == [""] * len(SEEDS)
    assert recorded(probed) == recorded(plain)
    assert [bool(trial.distances) for trial in probed] == [False, True, True, False, False]


def by_hand(seed: int) -> dict[tuple[str, int], float]:
    """Train a seed twice, once with every parameter moved, and return how far that carries what is measured."""
    x, target = CURVE.data()

    def way(kicks: Kicks) -> tuple[list[float], list[list[np.ndarray[Any, Any]]]]:
        torch.manual_seed(seed)
        network = CURVE.architecture().double()
        values = [value.detach().unsqueeze(-1) for value in network.parameters()]
        optimizer = SGD(network.parameters(), lr=0.01, momentum=0.5)
        losses, first = [], []
        kicks(values)
        for step in range(CURVE.steps):
            loss = nn.functional.mse_loss(network(x.double()), target.double())
            optimizer.zero_grad()
            loss.backward()
            if step == 0:
                first.append([value.grad.numpy().copy() for value in network.parameters() if value.grad is not None])
            optimizer.step()
            if step == 0:
                first.append([value.detach().numpy().copy() for value in network.parameters()])
            if step in marks(CURVE.steps):
                losses.append(loss.item())
                if step != CURVE.steps - 1:
                    kicks(values)
        losses.append(nn.functional.mse_loss(network(x.double()), target.double()).item())
        return losses, first

    (plain, one), (carried, other) = way(Kicks([])), way(Kicks([seed]))
    far = {
        (LOSS, step): abs(mine**0.5 - yours**0.5) / plain[0] ** 0.5
        for step, mine, yours in zip([*marks(CURVE.steps), CURVE.steps], plain, carried, strict=True)
    }
    for part, mine, yours in zip((GRADIENT, UPDATE), one, other, strict=True):
        flat, moved_by = (np.concatenate([a.ravel() for a in side]) for side in (mine, yours))
        far[part, 0] = float(np.linalg.norm(flat - moved_by) / np.linalg.norm(flat))
    return far


@pytest.mark.parametrize("train", [eager.train, ensemble.train, compiled.train], ids=["eager", "ensemble", "compiled"])
def test_a_probe_measures_what_an_ulp_does(cell_of: MakeCell, train: Callable[..., list[Trial]]) -> None:
    """Written out by hand: kicks at the start and at every mark, distances of roots, relative to the first."""
    (trial,) = train(cell_of(CURVE, seeds=[7], probed=[7]), [7])
    found = {(part, step): distance for part, step, distance in trial.distances}
    wanted = by_hand(7)
    assert list(found) == [(GRADIENT, 0), (UPDATE, 0), *((LOSS, step) for step in (*marks(40), 40))]
    assert found.keys() == wanted.keys()
    off = [abs(found[key] - wanted[key]) for key in wanted]
    assert (
        max(off) <= 3e-16
        if train is not eager.train
        else all(found[key] == pytest.approx(wanted[key], rel=6e-3, abs=1e-20) for key in wanted)
    )
    assert 0 < max(found.values()) < 1e-14


@pytest.mark.parametrize("seeds", [range(5), range(70)])
def test_a_probe_does_not_depend_on_its_company(cell_of: MakeCell, seeds: range) -> None:
    """Trained with more seeds, or in another group of lanes, it is carried as far."""
    few, many = (
        {t.seed: t.distances for t in ensemble.train(cell_of(CURVE, seeds=s, probed=s), s)} for s in ([3], seeds)
    )
    assert many[3] == few[3]


def blown(lr: float) -> Case:
    """Return the case with a rate at which it diverges."""
    return replace(CURVE, optimizer=partial(SGD, lr=lr), steps=300)


@pytest.mark.parametrize("train", [eager.train, ensemble.train], ids=["eager", "ensemble"])
def test_a_probe_that_diverges_beside_its_seed_is_not_moved(
    cell_of: MakeCell, train: Callable[..., list[Trial]]
) -> None:
    """Infinity is no distance from infinity, and NaN none from NaN."""
    (trial,) = train(cell_of(blown(1e4), seeds=[1], probed=[1], dtype="float32"), [1])
    ended = [distance for part, step, distance in trial.distances if (part, step) == (LOSS, 300)]
    assert not math.isfinite(trial.final_loss)
    assert ended == [0.0]
    assert not any(math.isnan(distance) for _, _, distance in trial.distances)


def test_a_network_that_does_not_move_is_not_carried(cell_of: MakeCell) -> None:
    """Without a gradient there is nothing to divide by, and nothing is divided."""
    still = replace(CURVE, architecture=partial(zero, 2), data=fixed(x=[[0.0, 0.0]], target=[[0.0]]))
    (trial,) = ensemble.train(cell_of(still, seeds=[1], probed=[1]), [1])
    assert {distance for _, _, distance in trial.distances} == {0.0}


def zero(width: int) -> nn.Module:
    """Build a layer whose weights are zero."""
    layer = nn.Linear(width, 1)
    for value in layer.parameters():
        nn.init.zeros_(value)
    return layer
