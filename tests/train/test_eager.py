"""The eager loop is the documents' loop, bit for bit, for each seed as if it were alone."""

from __future__ import annotations

import gc
import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD

from suite.case import Case
from suite.discover import rehearse
from suite.draw import globals_kept
from suite.expect import fact, final_loss, gradients_kept, output, parameter, same_as, unchanged, untrained
from suite.plan import DTYPES, REFERENCE_STEPS, Cell
from suite.train import eager
from suite.train.eager import one_step, train
from suite.train.leave import NO_DIGEST, digests, norms
from suite.trial import Status, marks
from tests.cells import NEURON, MakeCell
from tests.train.by_hand import DEEP, by_hand, copies, untimed

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
    ),
]


@pytest.mark.parametrize("case", [NEURON, DEEP], ids=["neuron", "deep"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_training_is_the_documents_loop_bit_for_bit(cell_of: MakeCell, case: Case, dtype: str) -> None:
    """Losses, first gradient, first update and final weights are those of the loop written out by hand."""
    for trial in train(cell_of(case, dtype=dtype), range(3)):
        way = by_hand(case, dtype, trial.seed)
        assert trial.curve == tuple((step, way.losses[step]) for step in marks(case.steps))
        assert [trial.gradient_digest] == digests(way.gradient)
        assert [trial.update_digest] == digests(way.updated)
        assert [trial.final_digest] == digests(way.final)
        assert [trial.gradient_norm, trial.update_norm, trial.final_norm] == [
            norms(phase)[0] for phase in (way.gradient, way.updated, way.final)
        ]


@pytest.mark.parametrize("case", [NEURON, DEEP], ids=["neuron", "deep"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_final_loss_is_that_of_the_trained_network_in_float64(cell_of: MakeCell, case: Case, dtype: str) -> None:
    """It is computed in float64 from the outputs, after the last update; the first loss is the curve's first."""
    for trial in train(cell_of(case, dtype=dtype), range(3)):
        assert trial.final_loss == by_hand(case, dtype, trial.seed).final_loss
        assert trial.first_loss == trial.curve[0][1]


def recurrence(weight: float, steps: int) -> tuple[float, list[float]]:
    """Return the weight after so many steps, and the loss before each: with e = w − 5, v ← 0.9v + 2e, e ← e − 0.1v."""
    error, velocity, losses = weight - 5.0, 0.0, []
    for _ in range(steps):
        losses.append(error**2)
        velocity = 0.9 * velocity + 2.0 * error
        error -= 0.1 * velocity
    return error + 5.0, losses


def test_one_neuron_follows_its_closed_form_in_float64(cell_of: MakeCell) -> None:
    """The whole trajectory is a linear recurrence; seed 0 starts at −0.007486820 and ends at 5.0142784."""
    case = replace(NEURON, expect=[parameter("weight", at_start=True, low=-1.0), parameter("weight", low=-9.0)])
    trials = train(cell_of(case), range(20))
    for trial in trials:
        start, end = (value for _, value in trial.observations)
        final, losses = recurrence(start, case.steps)
        assert end == pytest.approx(final, rel=1e-13)
        assert [loss for _, loss in trial.curve] == pytest.approx([losses[step] for step in marks(100)], rel=1e-10)
        assert trial.final_loss == pytest.approx((final - 5.0) ** 2, rel=1e-10)
    start, end = (value for _, value in trials[0].observations)
    assert (f"{start:.9f}", f"{end:.7f}") == ("-0.007486820", "5.0142784")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", [NEURON, DEEP], ids=["neuron", "deep"])
def test_a_seed_starts_from_one_point_on_every_device_and_in_every_dtype(
    cell_of: MakeCell, case: Case, device: str
) -> None:
    """The initial digest is that of the float32 draw on the CPU, in all four dtypes; two seeds have two."""
    with globals_kept():
        torch.manual_seed(4)
        drawn = digests(copies(case.architecture(), lambda value: value))
    short = replace(case, steps=2)
    trials = [trial for dtype in DTYPES for trial in train(cell_of(short, dtype=dtype, device=device), [4, 5])]
    assert [trial.status for trial in trials] == [Status.OK] * 8
    assert {trial.init_digest for trial in trials[::2]} == set(drawn)
    assert {trial.init_digest for trial in trials[1::2]}.isdisjoint(drawn)


@settings(max_examples=20)
@given(order=st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True), dtype=st.sampled_from(DTYPES))
def test_a_trial_does_not_depend_on_order_or_company(order: list[int], dtype: str) -> None:
    """Any seeds in any order give the trials that they give alone, times apart."""
    case = replace(
        DEEP,
        steps=5,
        expect=[output(at=[[2.0, 1.0]], low=0.0), final_loss(low=0.0), same_as(replace(DEEP, steps=5, name="twin"))],
    )
    cell = Cell(case=case, version="0" * 12, device="cpu", dtype=dtype, mode="eager", seeds=range(8))
    alone = [trial for seed in order for trial in train(cell, [seed])]
    torch.rand(len(order))
    assert untimed(train(cell, order)) == untimed(alone)


def test_a_short_cell_is_the_beginning_of_the_whole(cell_of: MakeCell) -> None:
    """It trains the first steps of a longer case to the same bits, and looks at nothing."""
    whole = cell_of(replace(NEURON, steps=129, expect=[final_loss(low=0.0)]))
    for short, long in zip(train(replace(whole, short=True), range(2)), train(whole, range(2)), strict=True):
        assert (short.steps, long.steps) == (REFERENCE_STEPS, 129)
        assert (short.observations, len(long.observations)) == ((), 1)
        assert short.curve[:-1] == long.curve[: len(short.curve) - 1]
        assert (short.init_digest, short.gradient_digest, short.update_digest) == (
            long.init_digest,
            long.gradient_digest,
            long.update_digest,
        )
        assert short.final_loss == by_hand(replace(NEURON, steps=REFERENCE_STEPS), "float64", short.seed).final_loss


class _Dropping(nn.Module):
    """A network that draws while it trains, changes its inputs, and behaves otherwise when it is evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(rows, 1)`` for ``(rows, 2)``."""
        return torch.as_tensor(self.layers(x.mul_(1.5)))


DROPPING = replace(DEEP, name="dropping", architecture=_Dropping, steps=4)


def test_a_network_that_draws_and_works_in_place_keeps_to_itself(cell_of: MakeCell) -> None:
    """Dropout, batch statistics and changed inputs of one seed leave the next one as it is alone."""
    cell = cell_of(DROPPING)
    assert untimed(train(cell, [2, 0, 1])) == untimed(trial for seed in (2, 0, 1) for trial in train(cell, [seed]))


def test_looking_changes_nothing(cell_of: MakeCell) -> None:
    """A case with expectations trains to the same bits as one without, whatever they look at."""
    seeing = [
        output(at_start=True, low=0.0),
        output(at=[[1.0, 2.0]], at_start=True, low=0.0),
        output(low=0.0),
        gradients_kept(),
        fact(lambda specimen: specimen.network(specimen.x).sum().item(), called="sum", low=0.0),
        same_as(replace(DROPPING, name="twin")),
    ]
    looked_at = train(cell_of(replace(DROPPING, expect=seeing)), range(2))
    assert all(trial.observations for trial in looked_at)
    assert untimed(replace(t, observations=()) for t in looked_at) == untimed(train(cell_of(DROPPING), range(2)))


class _Bare(nn.Module):
    """A network that is nothing but its parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(1))

    def forward(self, _: Tensor) -> Tensor:
        """Return the parameter itself."""
        return self.w


def test_outputs_at_the_start_are_of_the_untrained_network(cell_of: MakeCell) -> None:
    """They are those before the first step, though the network gives its parameter itself."""
    expect = [
        output(at_start=True, low=0.0),
        parameter("w", at_start=True, low=0.0),
        output(low=0.0),
        parameter("w", low=0.0),
    ]
    (trial,) = train(cell_of(replace(NEURON, architecture=_Bare, expect=expect)), [0])
    (_, shown_first), (_, first), (_, shown_last), (_, last) = trial.observations
    assert (shown_first, shown_last) == (first, last)
    assert first != last


def generator_states() -> list[Any]:
    """Return the states of all global generators."""
    return [torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()]  # noqa: NPY002


def no_network() -> nn.Module:
    """Draw, and raise."""
    torch.rand(1)
    raise ValueError("no network\nof this kind")


@pytest.mark.parametrize("case", [DROPPING, replace(NEURON, architecture=no_network)], ids=["draws", "raises"])
def test_training_leaves_no_trace(cell_of: MakeCell, case: Case) -> None:
    """Generators, collector and warnings are left as they were found, also when the architecture raises."""
    before, filters = generator_states(), list(warnings.filters)
    train(cell_of(case), range(2))
    assert generator_states() == before
    assert warnings.filters == filters
    assert gc.isenabled()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_divergence_is_recorded_as_it_is(cell_of: MakeCell, dtype: str) -> None:
    """With a learning rate of 1000 the loss leaves every range; it is kept as the loop by hand has it."""
    case = replace(NEURON, optimizer=partial(SGD, lr=1000.0, momentum=0.9))
    for trial in train(cell_of(case, dtype=dtype), range(2)):
        way = by_hand(case, dtype, trial.seed)
        assert (trial.status, trial.steps, trial.reason) == (Status.DIVERGED, 100, "")
        assert not math.isfinite(trial.final_loss)
        assert repr(trial.final_loss) == repr(way.final_loss)
        assert repr([loss for _, loss in trial.curve]) == repr([way.losses[step] for step in marks(100)])
        assert trial.final_digest != NO_DIGEST


def test_a_parameter_without_a_gradient_has_a_gradient_of_zero(cell_of: MakeCell) -> None:
    """What takes no part in the loss is untrained and unchanged, and costs no trial."""

    class _Spare(nn.Linear):
        def __init__(self) -> None:
            super().__init__(1, 1)
            self.spare = nn.Parameter(torch.rand(2))

    case = replace(NEURON, architecture=_Spare, expect=[unchanged("spare").among(untrained("spare"))])
    (trial,) = train(cell_of(case), [0])
    assert trial.observations == (("spare unchanged", 1.0), ("dead", 1.0))


def test_gradients_of_the_architecture_count_for_nothing(cell_of: MakeCell) -> None:
    """Gradients are set to zero before the first step too, as the documents do."""

    def build() -> nn.Module:
        network = nn.Linear(1, 1, bias=False)
        network.weight.grad = torch.ones(1, 1)
        return network

    found = train(cell_of(replace(NEURON, architecture=build)), range(2))
    assert untimed(found) == untimed(train(cell_of(NEURON), range(2)))


def test_classes_can_be_learnt(cell_of: MakeCell) -> None:
    """Targets that are class indices train in every dtype; the final loss is the cross entropy in float64."""
    x, classes = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([2, 0])
    case = replace(DEEP, architecture=partial(nn.Linear, 2, 3), data=lambda: (x, classes), loss=nn.CrossEntropyLoss())
    asked = replace(case, expect=[output(low=0.0)])
    for dtype in DTYPES:
        (trial,) = train(cell_of(asked, dtype=dtype), [0])
        outputs = np.array([value for _, value in trial.observations]).reshape(2, 3)
        likelihood = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        assert trial.final_loss == pytest.approx(-np.log(likelihood[[0, 1], [2, 0]]).mean(), rel=1e-12)


def test_a_warning_of_the_loss_is_no_error(cell_of: MakeCell) -> None:
    """Torch warns about targets of another size at every step; that is for expectations, not for the terminal."""
    case = replace(NEURON, architecture=partial(nn.Linear, 1, 3))
    assert [trial.status for trial in train(cell_of(case), range(2))] == [Status.OK] * 2


def test_no_seed_gives_no_trial(cell_of: MakeCell) -> None:
    """A cell whose seeds are all trained already has nothing left to do."""
    nothing: Sequence[int] = ()
    assert train(cell_of(NEURON), nothing) == []


def test_one_more_step_is_the_loops_next_step(cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a benchmark times is the loop itself, until the device has finished: its losses are the first seed's."""
    before = generator_states()
    waits: list[torch.device] = []
    monkeypatch.setattr(eager, "synchronise", waits.append)
    step = one_step(cell_of(NEURON, seeds=[5, 6]))
    assert [step().item() for _ in range(10)] == by_hand(NEURON, "float64", 5).losses[:10]
    assert generator_states() == before
    assert waits == [torch.device("cpu")] * 10


class Growing(nn.Module):
    """A loss that counts for more at every call."""

    calls = 0

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Count."""
        self.calls += 1
        return (output - target).square().mean() * self.calls


def test_a_loss_that_keeps_something_is_a_new_one_for_each_seed(cell_of: MakeCell) -> None:
    """What it kept of one seed, of warming up or of a rehearsal is no other's, and the case's own keeps nothing."""
    loss = Growing()
    case = replace(NEURON, loss=loss, steps=5)
    assert rehearse(case) == []
    together = train(cell_of(case, seeds=range(3)), range(3))
    assert [untimed(train(cell_of(case, seeds=range(3)), [seed])) for seed in range(3)] == [
        untimed([trial]) for trial in together
    ]
    assert loss.calls == 0
