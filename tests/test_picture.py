"""A picture holds what a seed left: its parameters on their way, and what the trained network answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.errand import Chunk, train_here
from suite.machine import Settings
from suite.picture import CLOSED_FORM, TRAINED, graph, path
from suite.plan import EAGER, ENSEMBLE, Cell
from suite.trial import Trial

Array = NDArray[np.float64]


def halving(_: object, updates: int) -> Array:
    """Return some closed form of a weight from 8 on: ``(seeds, updates + 1, 1, 1)``."""
    return np.tile((8.0 * 0.5 ** np.arange(updates + 1)).reshape(1, -1, 1, 1), (2, 1, 1, 1))


@pytest.fixture(params=[EAGER, ENSEMBLE])
def cell(request: pytest.FixtureRequest) -> Cell:
    """Train a weight and a bias on two points, for five steps, and keep pictures of one of two seeds."""
    case = Case(
        name="line",
        architecture=partial(nn.Linear, 1, 1),
        data=fixed(x=[[1.0], [2.0]], target=[[2.0], [4.0]]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1),
        steps=5,
    )
    return Cell(
        case=case, version="0" * 12, device="cpu", dtype="float64", mode=request.param, seeds=(3, 4), pictured=(4,)
    )


def drawn(cell: Cell, *pictures: object) -> list[Trial]:
    """Train a cell's seeds with these pictures."""
    shown = replace(cell, case=replace(cell.case, show=pictures))  # type: ignore[arg-type]
    return train_here(Chunk(cell=shown, seeds=(3, 4)), Settings())


def test_a_path_is_the_parameter_after_so_many_updates(cell: Cell) -> None:
    """A point of the path is where a training of just so many updates ends."""
    (_, seen) = drawn(cell, path("weight"))
    assert [x for _, _, x, _ in seen.graphs] == [0.0, 1.0, 2.0, 3.0, 5.0]
    for name, form, updates, value in seen.graphs[1:]:
        shorter = replace(cell, case=replace(cell.case, steps=int(updates)))
        assert (name, form) == ("weight", TRAINED)
        assert drawn(shorter, path("weight"))[1].graphs[-1] == (name, form, updates, value)


def test_only_pictured_seeds_leave_pictures(cell: Cell) -> None:
    """A seed that is not pictured is the trial that it is without."""
    (unseen, _) = drawn(cell, path("weight"), graph(low=-1.0, high=1.0))
    (plain, _) = drawn(replace(cell, pictured=()))
    assert unseen.graphs == ()
    assert (unseen.final_digest, unseen.final_loss) == (plain.final_digest, plain.final_loss)


def test_a_closed_form_stands_at_the_same_updates(cell: Cell) -> None:
    """It has a point where the path has one."""
    (_, seen) = drawn(cell, path("weight", halving))
    expected = [(CLOSED_FORM, x, 8.0 * 0.5**x) for x in (0.0, 1.0, 2.0, 3.0, 5.0)]
    assert [(form, x, y) for _, form, x, y in seen.graphs if form == CLOSED_FORM] == expected


def test_each_element_has_a_path_of_its_own(cell: Cell) -> None:
    """Elements are named by their indices, and each starts where its seed was drawn."""
    case = replace(
        cell.case,
        architecture=partial(nn.Linear, 2, 1),
        data=fixed(x=[[1.0, 0.0]], target=[[1.0]]),
        show=[path("weight"), path("bias")],
    )
    (_, seen) = train_here(Chunk(cell=replace(cell, case=case), seeds=(3, 4)), Settings())
    assert list(dict.fromkeys(name for name, *_ in seen.graphs)) == ["weight[0,0]", "weight[0,1]", "bias"]
    moved = {name for name, _, _, y in seen.graphs if y != next(v for n, _, _, v in seen.graphs if n == name)}
    assert moved == {"weight[0,0]", "bias"}


def test_a_graph_is_what_the_trained_network_answers(cell: Cell) -> None:
    """Its points stand evenly from low to high, and lie on the line that was learnt."""
    (_, seen) = drawn(cell, path("weight"), path("bias"), graph(low=-1.0, high=3.0, points=5))
    weight, bias = ([y for name, _, _, y in seen.graphs if name == part][-1] for part in ("weight", "bias"))
    points = [(x, y) for name, _, x, y in seen.graphs if name == "output"]
    assert [x for x, _ in points] == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert [y for _, y in points] == pytest.approx([weight * x + bias for x, _ in points], rel=1e-14)
