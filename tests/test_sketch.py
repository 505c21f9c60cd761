"""What there is to draw of a network is heard, whatever way its forward is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from suite.case import Case, fixed
from suite.discover import discover, documented
from suite.sketch import Layer, Sketch, sketch


class Written(nn.Module):
    """Two layers, the first multiplied by hand."""

    def __init__(self, multiply: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        """Draw the parameters."""
        super().__init__()
        self.multiply = multiply
        self.weight = nn.Parameter(torch.rand(3, 2))
        self.bias = nn.Parameter(torch.rand(3))
        self.out = nn.Linear(3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Go through both: ``(points, 2)`` to ``(points, 1)``."""
        answer: Tensor = self.out(relu(self.multiply(x, self.weight, self.bias)))
        return answer


@pytest.mark.parametrize(
    "multiply",
    [
        linear,
        lambda x, weight, bias: x @ weight.T + bias,
        lambda x, weight, bias: torch.addmm(bias, x, weight.t()),
        lambda x, weight, bias: torch.einsum("pi,oi->po", x, weight).add(bias),
    ],
    ids=["linear", "@", "addmm", "einsum"],
)
def test_a_layer_is_heard_however_it_is_written(
    neuron: Case, multiply: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> None:
    """A product with a matrix of parameters is a layer; a vector added is its bias; what follows its activation."""
    data = fixed(x=[[1.0, 2.0]] * 4, target=[[1.0]] * 4)
    case = replace(neuron, architecture=lambda: Written(multiply), data=data)
    hidden = Layer(inputs=2, outputs=3, bias=True, activation="relu")
    assert sketch(case).layers == (hidden, Layer(inputs=3, outputs=1))


def test_a_network_without_a_layer_has_none(neuron: Case) -> None:
    """What multiplies by single numbers only is not drawn."""

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.rand(1))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    assert sketch(replace(neuron, architecture=Scale)) == Sketch()


def test_data_are_drawn_where_both_are_single_numbers(neuron: Case) -> None:
    """A column of inputs and one of targets are points of a plane; anything else is none."""
    line = replace(neuron, data=fixed(x=[[1.0], [2.0]], target=[[3.0], [5.0]]))
    assert sketch(line).points == ((1.0, 3.0), (2.0, 5.0))
    assert sketch(neuron).points == ()
    wide = replace(line, architecture=lambda: nn.Linear(2, 1), data=fixed(x=[[1.0, 2.0]] * 2, target=[[3.0]] * 2))
    assert sketch(wide).points == ()
    endless = replace(neuron, data=fixed(x=[[1.0], [2.0], [3.0]], target=[[3.0], [math.inf], [math.nan]]))
    assert sketch(endless).points == ((1.0, 3.0),)


def test_looking_leaves_the_generators_alone(neuron: Case) -> None:
    """The next number is what it would have been."""
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    sketch(neuron)
    assert torch.equal(torch.rand(1), expected)


def test_every_documented_case_has_a_network_to_draw() -> None:
    """Each begins with what its data give and ends with what its targets are."""
    for case in discover([documented()]).cases:
        layers = sketch(case).layers
        x, target = case.data()
        assert layers, case.name
        assert (layers[0].inputs, layers[-1].outputs) == (x.shape[-1], target.shape[-1] or 1) or case.name == (
            "broadcast_target"
        )
        assert all(before.outputs == after.inputs for before, after in pairwise(layers))
