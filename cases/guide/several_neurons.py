"""Three neurons side by side under a leaky ReLU: each goes its own way, to its own target.

Source: "The No-Questions Asked Guide to PyTorch : Part 1", Multiple Neurons, Multiple Inputs with Bias, Leaky RelU
Activation Function.

Shapes: input (2,), weight (3, 2), bias (3,), output (3,). The mean over three outputs divides each neuron's gradient
by 3 and nothing else ties them together: three networks of one neuron each, trained with a third of the learning
rate, do the same. From any start, outputs end within 0.12 of their targets. A target of one number is stretched
over all outputs, with a warning.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: outputs end at
most 0.12 / 0.12 / 0.19 / 0.12 from their targets, and at most 5e-15 / 4e-6 / 0.16 / 0.04 from the three networks of one
neuron.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.optim import SGD

from suite import Case, Specimen, fact, fixed, output, same_as, warns

NEAR = {"float64": 0.15, "float32": 0.15, "bfloat16": 0.25, "float16": 0.16}
APART = {"float64": 1e-13, "float32": 2e-5, "bfloat16": 0.25, "float16": 0.08}


class ThreeNeurons(nn.Module):
    """One layer from two inputs to three outputs, then a leaky ReLU."""

    def __init__(self) -> None:
        """Draw weights and biases from U(-1/√2, 1/√2)."""
        super().__init__()
        self.layer = nn.Linear(2, 3, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh, add, and flatten each output below zero: ``(2,)`` to ``(3,)``."""
        return leaky_relu(self.layer(x))


class ThreeNetworks(nn.Module):
    """Three networks of one neuron, which share nothing but the draw of a layer of three."""

    def __init__(self) -> None:
        """Draw a layer of three neurons and give each network one of them."""
        super().__init__()
        layer = nn.Linear(2, 3, bias=True)
        self.weights = nn.ParameterList(layer.weight.detach().split(1))
        self.biases = nn.ParameterList(layer.bias.detach().split(1))

    def forward(self, x: Tensor) -> Tensor:
        """Ask each network, and put the answers side by side: ``(2,)`` to ``(3,)``."""
        answers = [leaky_relu(weight @ x + bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        return torch.cat(answers)


def apart() -> Case:
    """Declare the three networks: the sum of their losses, so that each has the gradient of its own."""
    return Case(
        name="three networks of one neuron",
        architecture=ThreeNetworks,
        data=fixed(x=[1.0, 1.0], target=[5.0, 6.0, 7.0]),
        loss=nn.MSELoss(reduction="sum"),
        optimizer=partial(SGD, lr=0.1 / 3, momentum=0.9),
        steps=100,
    )


def leaky_relu_goes_element_by_element(specimen: Specimen) -> float:
    """Compare the leaky ReLU of two numbers with that of each, and with what it should be."""
    together = leaky_relu(specimen.tensor([-1.0, 5.0]))
    alone = [leaky_relu(specimen.tensor([value])) for value in (-1.0, 5.0)]
    return float(torch.equal(together, torch.cat(alone)) and torch.equal(together, specimen.tensor([-0.01, 5.0])))


def takes_two_and_gives_three(specimen: Specimen) -> float:
    """Look at the shapes of what goes in, what comes out, and the weight between."""
    answer = specimen.network(specimen.tensor([1.0, 2.0]))
    return float(answer.shape == (3,) and specimen.network.get_parameter("layer.weight").shape == (3, 2))


CASE = Case(
    name="several_neurons",
    architecture=ThreeNeurons,
    data=fixed(x=[1.0, 1.0], target=[5.0, 6.0, 7.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=100,
    claims=("G6", "G6c", "G6d", "G6e"),
    expect=[
        output(near=[5.0, 6.0, 7.0], atol=NEAR).shows("G6"),
        same_as(apart(), atol=APART, curve=False).shows("G6c"),
        fact(leaky_relu_goes_element_by_element).shows("G6d"),
        fact(takes_two_and_gives_three).shows("G6e"),
    ],
)

BROADCAST = Case(
    name="broadcast_target",
    architecture=ThreeNeurons,
    data=fixed(x=[1.0, 1.0], target=[5.0]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.1, momentum=0.9),
    steps=100,
    claims=("G6b",),
    expect=[
        output(near=[5.0, 5.0, 5.0], atol=NEAR),
        warns(UserWarning, about="target size"),
    ],
)
