"""Parameters drawn otherwise than the documents' constructors draw them."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.nn import init

from suite.audit.fault import Fault, Function, Plant, instead
from suite.judge import Stage

AT_START = (Stage.INITIALISATION,)


def scaled(factor: float) -> Plant:
    """Return what multiplies every weight that is drawn."""

    def change(draw: Function) -> Function:
        return lambda tensor, **options: draw(tensor, **options).data.mul_(factor)

    return instead(init, "kaiming_uniform_", change)


def constant(_draw: Function) -> Function:
    """Draw nothing: give every weight one number."""
    return lambda tensor, **_options: init.constant_(tensor, 0.5)


def by_fan_out(draw: Function) -> Function:
    """Count outputs in place of inputs."""
    return lambda tensor, **options: draw(tensor, **options, mode="fan_out")


def zeros(_draw: Function) -> Function:
    """Draw no bias."""
    return lambda tensor, *_bounds: init.zeros_(tensor)


def above_zero(draw: Function) -> Function:
    """Draw biases from the upper half of their interval."""
    return lambda tensor, _low, high: draw(tensor, 0.0, high)


def kept(draw: Function) -> Function:
    """Draw a bias of each shape once, and give it to every network after."""
    first: dict[Any, Tensor] = {}

    def again(tensor: Tensor, *bounds: float) -> Any:
        drawn = draw(tensor, *bounds)
        return drawn.data.copy_(first.setdefault(tensor.shape, drawn.detach().clone()))

    return again


FAULTS = (
    Fault(
        name="init_wider",
        says="weights are drawn from an interval that is wider by the square root of two",
        stages=AT_START,
        plant=scaled(math.sqrt(2.0)),
        modelled_on="tinygrad/tinygrad#901",
    ),
    Fault(
        name="init_constant",
        says="every weight starts at one half, whatever the seed",
        stages=AT_START,
        plant=instead(init, "kaiming_uniform_", constant),
    ),
    Fault(
        name="init_fan_out",
        says="the interval of weights goes by the number of outputs, not of inputs",
        stages=AT_START,
        plant=instead(init, "kaiming_uniform_", by_fan_out),
    ),
    Fault(
        name="init_bias_zero",
        says="biases start at zero",
        stages=AT_START,
        plant=instead(init, "uniform_", zeros),
        modelled_on="paiml/aprender#2167",
    ),
    Fault(
        name="init_bias_positive",
        says="biases are drawn from the upper half of their interval",
        stages=AT_START,
        plant=instead(init, "uniform_", above_zero),
    ),
    Fault(
        name="init_bias_kept",
        says="every network gets the first network's biases",
        stages=AT_START,
        plant=instead(init, "uniform_", kept),
    ),
    Fault(
        name="init_last_digits",
        says="weights are drawn one part in a million too large",
        stages=AT_START,
        plant=scaled(1.0 + 1e-6),
    ),
)
