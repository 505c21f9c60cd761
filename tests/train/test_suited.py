"""What cannot be an ensemble is recognised before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from suite.case import Case, Stepper, by_name, fixed
from suite.expect import same_as
from suite.plan import REFERENCE_SEEDS, Cell, make_plan
from suite.train import ensemble
from suite.train.suited import suited, why_not


def hidden(width: int) -> nn.Module:
    """Build one input, one hidden layer, one output."""
    return nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, 1))


CURVE = Case(
    name="curve",
    architecture=partial(hidden, 4),
    data=fixed(x=[[-1.0], [0.5], [2.0]], target=[[1.0], [0.25], [4.0]]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.01),
    steps=40,
)


class Setter:
    """Sets every weight to a number that its name gives; knows nothing but a step."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]]) -> None:
        """Keep the parameters with their names."""
        self.named = list(named)

    def step(self) -> None:
        """Set them."""
        for name, value in self.named:
            value.data.fill_(float(len(name)))


class Normalised(SGD):
    """Steps along the gradient's direction: one seed's step would depend on its neighbours'."""

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Divide each gradient by its norm over all entries."""
        for group in self.param_groups:
            for value in group["params"]:
                value.sub_(group["lr"] * value.grad / value.grad.norm())


class Parted(AdamW):
    """Lets weights decay and no biases, which it tells apart by their number of axes."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        """Part them."""
        given = list(parameters)
        flat, others = ([p for p in given if (p.ndim < 2) == is_flat] for is_flat in (True, False))
        super().__init__([{"params": others, "weight_decay": 0.01}, {"params": flat, "weight_decay": 0.0}], lr=1e-4)


class Patient(SGD):
    """Makes an update at every eighth call alone, of gradients whose norm it holds down."""

    calls = 0

    def step(self) -> None:  # type: ignore[override]
        """Count."""
        self.calls += 1
        if self.calls % 8 == 0:
            nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 0.1)
            super().step()


class Idle(nn.Module):
    """Holds a layer that it never asks."""

    def __init__(self) -> None:
        """Draw both."""
        super().__init__()
        self.net, self.idle = hidden(3), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Ask one."""
        answer: Tensor = self.net(x)
        return answer


class Frozen(nn.Sequential):
    """Keeps its first layer as it was drawn."""

    def __init__(self) -> None:
        """Draw both."""
        super().__init__(nn.Linear(1, 3).requires_grad_(False), nn.Linear(3, 1))


class Fading(nn.Module):
    """Answers a little less at every call."""

    def __init__(self) -> None:
        """Draw it."""
        super().__init__()
        self.net, self.calls = hidden(3), 0

    def forward(self, x: Tensor) -> Tensor:
        """Count."""
        self.calls += 1
        answer: Tensor = self.net(x)
        return answer / (1.0 + self.calls / 1000)


class Forgetful(nn.Module):
    """Raises for every network but the first few that are built."""

    def __init__(self) -> None:
        """Draw one weight."""
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, _x: Tensor) -> Tensor:
        """Refuse."""
        raise RuntimeError("no forward today")


class Bounded(SGD):
    """Holds the norm of all gradients down, to what hardly any seed reaches."""

    def step(self) -> None:  # type: ignore[override]
        """Make an update of what is left."""
        nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 100.0)
        super().step()


class Careful(SGD):
    """Makes no update of gradients that are not all finite, as a scaler of losses does."""

    def step(self) -> None:  # type: ignore[override]
        """Look at all of them."""
        if all(bool(value.grad.isfinite().all()) for value in self.param_groups[0]["params"]):
            super().step()


class Drawn(nn.Module):
    """Draws more than its parameters: the kind of a layer, a buffer, a number, a list, of one seed in a few."""

    def __init__(self, what: str) -> None:
        """Draw all, and keep one."""
        super().__init__()
        rare = torch.rand(1).item() < 0.3
        self.net = nn.Sequential(hidden(3), nn.Tanh() if rare and what == "layer" else nn.ReLU())
        self.register_buffer("mask", torch.full((1,), float(rare and what == "buffer")))
        self.plain = torch.full((1,), float(rare and what == "tensor"))
        self.scale = 2.0 if rare and what == "number" else 1.0
        self.order = [1, 0] if rare and what == "list" else [0, 1]
        self.act = torch.sin if rare and what == "function" else torch.cos
        if rare and what == "one more":
            self.more = True

    def forward(self, x: Tensor) -> Tensor:
        """Ask them, whatever was drawn."""
        answer: Tensor = self.net(x)
        return answer


def hooked(register: str) -> nn.Module:
    """Build a network that holds one gradient down by a hook on it."""
    network = hidden(3)
    getattr(next(network.parameters()), register)(print)
    return network


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("layer", "another kind of net.1 than seed 0"),
        ("buffer", "another mask of the network"),
        ("tensor", "another plain of the network"),
        ("number", "another scale of the network"),
        ("list", "another order of the network"),
        ("function", "another act of the network"),
        ("one more", "another more of the network"),
    ],
)
def test_what_a_seed_draws_beside_its_parameters_is_found_out(what: str, told: str) -> None:
    """All lanes go through the network of one seed; so it is found out before, or in the seeds that have it."""
    reason = why_not(replace(CURVE, architecture=partial(Drawn, what)))
    assert reason is not None
    assert told in reason


def test_a_rare_seed_that_draws_something_else_is_an_error() -> None:
    """Where it was not found out before, no seed beside it is trained through a network that is not its own."""
    case = replace(CURVE, architecture=partial(Drawn, "layer"))
    cell = Cell(case=case, version="", device="cpu", dtype="float64", mode="ensemble", seeds=range(20))
    (reason,) = {trial.reason for trial in ensemble.train(cell, cell.seeds, timed=False)}
    assert reason.endswith("draws another kind of net.1 than seed 0, not other numbers alone")


@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_a_hook_on_a_parameter_is_found_out(register: str) -> None:
    """Lanes have none; it is no matter what it does, since that may be nothing for long."""
    assert why_not(replace(CURVE, architecture=partial(hooked, register))) == (
        "a hook on the gradient of 0.weight would not be called"
    )


def test_a_case_that_is_compared_with_one_that_is_no_ensemble_is_none() -> None:
    """Both are trained in one way."""
    twin = replace(CURVE, name="frozen", architecture=Frozen)
    told = why_not(replace(CURVE, architecture=partial(hidden, 3), expect=[same_as(twin)]))
    assert told == "trained together they have another first gradient of 0.weight than each has alone"


FUSED = partial(SGD, lr=0.01, momentum=0.9, fused=True)


def test_what_is_no_ensemble_in_one_dtype_is_found_out_there() -> None:
    """As an optimizer's kernel that, on more than a few entries, does nothing in short dtypes."""
    case = replace(CURVE, optimizer=FUSED)
    assert why_not(case, ["float64", "float32"]) is None
    if why_not(case, ["bfloat16"]) is None:
        pytest.skip("this torch has no such kernel")
    plan, notes = suited(make_plan([case], dtypes=("float64", "bfloat16")))
    assert {cell.mode for cell in plan.cells} == {"eager"}
    assert "trained together in bfloat16 they have another first update" in notes[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"optimizer": partial(Bounded, lr=0.01)}, "another first update of 0.weight"),
        ({"optimizer": partial(Careful, lr=0.01)}, "another 0.weight in the end"),
        ({"optimizer": partial(Normalised, lr=0.1)}, "first update"),
        ({"architecture": lambda: nn.Sequential(hidden(3), nn.BatchNorm1d(1))}, "axis"),
        ({"architecture": lambda: nn.Sequential(hidden(3), nn.Dropout())}, "axis"),
        ({"architecture": Forgetful}, "no forward today"),
        ({"optimizer": Parted}, "another first update of 0.bias"),
        ({"optimizer": partial(Patient, lr=0.01)}, "another 0.weight in the end"),
        ({"architecture": Idle, "optimizer": partial(AdamW, lr=1e-6)}, "another first update of idle.weight"),
        ({"architecture": Frozen, "optimizer": partial(SGD, lr=1e-6)}, "another first gradient of 0.weight"),
        ({"architecture": Fading, "optimizer": partial(SGD, lr=1e-6)}, "another net.0.weight in the end"),
    ],
)
def test_what_cannot_be_an_ensemble_is_found_out(change: dict[str, Any], reason: str) -> None:
    """An optimizer or a module for which one more axis is another thing is recognised, with the reason."""
    told = why_not(replace(CURVE, **change))
    assert told is not None
    assert reason in told


@pytest.mark.parametrize(
    "optimizer", [partial(SGD, lr=0.01, momentum=0.9), partial(Adam, lr=0.01), RMSprop, by_name(Setter)]
)
def test_elementwise_optimizers_are_taken(optimizer: Callable[..., Stepper]) -> None:
    """What does to each entry what it does to one is no reason to train one by one."""
    assert why_not(replace(CURVE, optimizer=optimizer)) is None


def test_what_can_be_an_ensemble_stays_one() -> None:
    """A plan of elementwise cases is left as it is, with nothing to say."""
    plan = make_plan([CURVE], dtypes=("float32",))
    assert suited(plan) == (plan, ())


def test_what_cannot_be_an_ensemble_is_trained_one_by_one() -> None:
    """Its cells become whole eager ones, in place of their short twins, and a sentence says why."""
    layers = partial(nn.Sequential, nn.Linear(1, 1), nn.Dropout())
    noisy = replace(CURVE, name="noisy", architecture=layers, data=fixed(x=[[1.0]], target=[[5.0]]))
    plan, notes = suited(make_plan([noisy, CURVE], seeds=range(30), dtypes=("float64", "float32")))
    found = [(cell.case.name, cell.dtype, cell.mode, cell.short, len(cell.seeds)) for cell in plan.cells]
    assert found == [
        ("noisy", "float64", "eager", False, 30),
        ("noisy", "float32", "eager", False, 30),
        ("curve", "float64", "eager", True, REFERENCE_SEEDS),
        ("curve", "float64", "ensemble", False, 30),
        ("curve", "float32", "eager", True, REFERENCE_SEEDS),
        ("curve", "float32", "ensemble", False, 30),
    ]
    assert len(notes) == 1
    assert notes[0].startswith("noisy: its seeds are trained one by one, since ")
