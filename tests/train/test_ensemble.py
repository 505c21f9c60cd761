"""An ensemble's seeds end where each would end alone, and none depends on its company."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD, Adam, RMSprop

from suite.case import Stepper, by_name, fixed
from suite.expect import fact, final_loss, gradients_kept, output, parameter, same_as, untrained
from suite.plan import DTYPES, Cell
from suite.train import eager, ensemble
from suite.trial import Status, Trial
from tests.cells import NEURON, NO_CLOCKS, MakeCell


def hidden(width: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Build one input, one hidden layer, one output."""
    return nn.Sequential(nn.Linear(1, width), activation(), nn.Linear(width, 1))


CURVE = replace(
    NEURON,
    name="curve",
    architecture=partial(hidden, 4),
    data=fixed(x=[[-1.0], [0.5], [2.0]], target=[[1.0], [0.25], [4.0]]),
    optimizer=partial(SGD, lr=0.01),
    steps=40,
)


def losses(trial: Trial) -> list[float]:
    """Return a trial's recorded losses, the final one last."""
    return [*(loss for _, loss in trial.curve), trial.final_loss]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_neuron_is_the_reference_to_the_bit(dtype: str, cell_of: MakeCell) -> None:
    """All that an ensemble records of one neuron, digests included, the documents' loop records too."""
    cell = cell_of(replace(NEURON, expect=[parameter("weight", near=5.0, atol=1.0)]), dtype=dtype, seeds=range(70))
    for together, alone in zip(ensemble.train(cell, cell.seeds), eager.train(cell, cell.seeds), strict=True):
        assert losses(together) == losses(alone)
        assert together.observations == alone.observations
        for part in ("data", "init", "gradient", "update", "final"):
            assert getattr(together, f"{part}_digest") == getattr(alone, f"{part}_digest")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_case_follows_the_reference(dtype: str, cell_of: MakeCell) -> None:
    """In every dtype an ensemble starts from the reference's bits and stays within its rounding."""
    tolerance = {"float64": 1e-12, "float32": 1e-4, "bfloat16": 0.2, "float16": 0.02}[dtype]
    cell = cell_of(CURVE, dtype=dtype)
    for together, alone in zip(ensemble.train(cell, range(3)), eager.train(cell, range(3)), strict=True):
        assert (together.init_digest, together.init_norm) == (alone.init_digest, alone.init_norm)
        assert together.start_norm == alone.start_norm
        np.testing.assert_allclose(losses(together), losses(alone), rtol=tolerance)


@settings(max_examples=25)
@given(
    width=st.integers(1, 6),
    activation=st.sampled_from([nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU, nn.ELU, nn.Softplus]),
    loss=st.sampled_from([nn.MSELoss(), nn.L1Loss(), nn.SmoothL1Loss(), nn.MSELoss(reduction="sum")]),
    optimizer=st.sampled_from([partial(SGD, lr=0.01, momentum=0.9, nesterov=True), partial(Adam, lr=0.01), RMSprop]),
    seed=st.integers(0, 2**64 - 4),
)
def test_a_small_architecture_follows_the_reference(
    width: int, activation: type[nn.Module], loss: nn.Module, optimizer: Callable[..., Stepper], seed: int
) -> None:
    """Whatever the layers, the loss and the optimizer, each seed ends where it ends alone."""
    case = replace(CURVE, architecture=partial(hidden, width, activation), loss=loss, optimizer=optimizer, steps=10)
    seeds = range(seed, seed + 3)
    cell = Cell(case=case, version="", device="cpu", dtype="float64", mode="ensemble", seeds=seeds)
    for together, alone in zip(ensemble.train(cell, seeds), eager.train(cell, seeds), strict=True):
        assert together.seed == alone.seed
        np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_seed_keeps_its_bits_in_any_company(dtype: str, cell_of: MakeCell) -> None:
    """Alone, among few, or past the end of a block of lanes: a seed's record is the same, times apart."""

    def bits(trials: Iterable[Trial]) -> dict[int, Trial]:
        return {t.seed: replace(t, **NO_CLOCKS) for t in trials}

    cell = cell_of(replace(CURVE, expect=[final_loss(low=0.0)]), dtype=dtype)
    many = bits(ensemble.train(cell, range(130)))
    for few in ([3], [7, 3, 0], range(60, 66), [129]):
        assert bits(ensemble.train(cell, list(few))) == {seed: many[seed] for seed in few}


def test_expectations_look_at_an_ensemble_as_at_one_seed(cell_of: MakeCell) -> None:
    """Groups, probes at the start and the end, facts and twins observe what they observe eagerly."""
    expect = [
        output(at=[[3.0]], low=-99.0),
        output(at=[[3.0]], at_start=True, low=-99.0),
        gradients_kept().among(untrained("0.weight")),
        same_as(replace(CURVE, name="twin", expect=())),
        fact(lambda specimen: float(specimen.x.shape[0]), called="rows", near=3.0, atol=0.0),
    ]
    cell = cell_of(replace(CURVE, expect=expect))
    for together, alone in zip(ensemble.train(cell, range(5)), eager.train(cell, range(5)), strict=True):
        (names, values), (wanted_names, wanted) = (zip(*t.observations, strict=True) for t in (together, alone))
        assert names == wanted_names
        np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-15)


def test_one_loop_trains_them_all(cell_of: MakeCell) -> None:
    """Every seed records the loop that it was part of; beside other work, no yardstick."""
    cell = cell_of(NEURON)
    timed, untimed = ensemble.train(cell, range(3)), ensemble.train(cell, range(3), timed=False)
    assert {(t.seeds_together, t.train_seconds) for t in timed} == {(3, timed[0].train_seconds)}
    assert all(t.yardstick_seconds > 0 for t in timed)
    assert all(np.isnan(t.yardstick_seconds) for t in untimed)


class Setter:
    """Sets every weight to a number that its name gives; knows nothing but a step."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]]) -> None:
        """Keep the parameters with their names."""
        self.named = list(named)

    def step(self) -> None:
        """Set them."""
        for name, value in self.named:
            value.data.fill_(3.0 if name == "weight" else 0.0)


def test_an_optimizer_by_name_sets_all_lanes(cell_of: MakeCell) -> None:
    """An optimizer that is built from named parameters and only knows step serves all seeds."""
    cell = cell_of(replace(NEURON, optimizer=by_name(Setter), expect=[parameter("weight", near=3.0, atol=0.0)]))
    assert {t.observations for t in ensemble.train(cell, range(4))} == {(("weight", 3.0),)}


class Forgetful(nn.Module):
    """Raises for every network but the first few that are built."""

    def __init__(self) -> None:
        """Draw one weight."""
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, _x: Tensor) -> Tensor:
        """Refuse."""
        raise RuntimeError("no forward today")


def test_a_chunk_that_cannot_be_trained_keeps_its_reason(cell_of: MakeCell) -> None:
    """Each of its seeds is recorded as an error, and nothing is raised."""
    trials = ensemble.train(cell_of(replace(NEURON, architecture=Forgetful)), range(2))
    assert [(t.seed, t.status) for t in trials] == [(0, Status.ERROR), (1, Status.ERROR)]
    assert "no forward today" in trials[0].reason


def test_an_answer_that_depends_on_no_parameter_is_every_seeds(cell_of: MakeCell) -> None:
    """A network may answer the same for all seeds: its loss is spread over the lanes."""

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return x if not self.training else x * self.weight

    cell = cell_of(replace(NEURON, architecture=Constant, expect=[output(near=1.0, atol=0.0)]))
    assert {t.observations for t in ensemble.train(cell, range(3))} == {(("output", 1.0),)}
    assert {t.final_loss for t in ensemble.train(cell, range(3))} == {16.0}


class Remembering:
    """Adds the gradient of the step before to each, and keeps it as it is, not as a copy."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        """Remember nothing yet."""
        self.parameters = list(parameters)
        self.before: dict[int, Tensor] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Go down both."""
        for place, value in enumerate(self.parameters):
            assert value.grad is not None
            value.sub_(0.01 * (value.grad + self.before.get(place, torch.zeros_like(value))))
            self.before[place] = value.grad


def test_a_gradient_that_an_optimizer_keeps_stays_as_it_was(cell_of: MakeCell) -> None:
    """An optimizer of one's own may hold on to a gradient; the next step writes over none of them."""
    cell = cell_of(replace(CURVE, optimizer=Remembering))
    for together, alone in zip(ensemble.train(cell, range(3)), eager.train(cell, range(3)), strict=True):
        np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-9)


class Paired(nn.Bilinear):
    """Weighs its input with itself, which goes through torch's own batching."""

    def __init__(self) -> None:
        """Draw it."""
        super().__init__(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Weigh."""
        return super().forward(x, x)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_nothing_is_rounded_more_than_it_is_alone(dtype: str, cell_of: MakeCell) -> None:
    """What goes through torch's own batching is done in the cell's dtype, and in no shorter one."""
    data = fixed(x=[[1.0, 0.3], [-0.7, 2.0]], target=[[1.0], [0.5]])
    cell = cell_of(replace(CURVE, architecture=Paired, data=data), dtype=dtype)
    tolerance = {"float64": 1e-12, "float32": 1e-5, "float16": 0.02}[dtype]
    for together, alone in zip(ensemble.train(cell, cell.seeds), eager.train(cell, cell.seeds), strict=True):
        assert together.status is alone.status is Status.OK
        assert losses(together) == pytest.approx(losses(alone), rel=tolerance)
