"""Five hidden neurons, looked into: what seed 2 draws, what it answers, and the formula written out by hand.

Source: "Minimalist PyTorch Example: My First Neural Network", Look inside the network; Neural network as a function.

Shapes: input (points, 1), weights (5, 1) and (1, 5), biases (5,) and (1,), output (points, 1). The document prints the
numbers that it drew with seed 2 to four digits: they say whether torch still draws the same stream. For every seed the
network is W'·relu(Wx + b) + b', here computed with NumPy from the trained parameters.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the answers are
at most 2e-15 / 9e-7 / 0.032 / 0.004 from the formula. The printed digits hold to half a unit of the last in float64 and
float32.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Specimen, Trajectories, answers, fact, largest, measured, output, parameter, seed

Array = NDArray[np.float64]

GRID = [[-4.0], [-2.5], [-1.0], [0.0], [0.5], [2.0], [3.25], [4.0]]
"""Where the network is compared with the formula; every dtype holds these numbers exactly."""


PRINTED = {"float64": 6e-5, "float32": 6e-5, "bfloat16": 2.5e-3, "float16": 4e-4}
ANSWERED = {"float64": 6e-5, "float32": 6e-5, "bfloat16": 6e-3, "float16": 8e-4}
"""Four digits are printed; the short types round further."""
ROUNDING = {"float64": 1e-14, "float32": 4e-6, "bfloat16": 0.1, "float16": 0.01}


def five_hidden() -> nn.Sequential:
    """Build one input, five hidden neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 1))


def parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their squares: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2)


def by_hand(parameters: Mapping[str, Array], x: Array) -> Array:
    """Return W'·relu(Wx + b) + b' at ``x``: ``(points,)`` to ``(seeds, points)``."""
    hidden = np.maximum(parameters["0.weight"] * x + parameters["0.bias"][:, :, None], 0.0)
    result: Array = (parameters["2.weight"] @ hidden)[:, 0] + parameters["2.bias"]
    return result


def off_the_formula(seen: Trajectories) -> Array:
    """Return the largest distance between network and formula on the grid: ``(seeds,)``."""
    return largest(answers(seen, GRID)[..., 0] - by_hand(seen.final, np.ravel(GRID)))


def shapes_are_as_printed(specimen: Specimen) -> float:
    """Look at the parameters of each part: those of the ReLU are none."""
    first, relu, second = (list(part.parameters()) for part in specimen.network.children())
    shapes = [tuple(parameter.shape) for parameter in (*first, *second)]
    return float(shapes == [(5, 1), (5,), (1, 5), (1,)] and not relu)


document = seed(2)

CASE = Case(
    architecture=five_hidden,
    data=parabola,
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.001),
    steps=100,
    claims=("M1", "M2", "M3"),
    expect=[
        *(
            parameter(name, at_start=True, near=printed, atol=PRINTED).among(document).shows("M1")
            for name, printed in {
                "0.weight": [[0.2294], [-0.2380], [0.2742], [-0.0511], [0.4272]],
                "0.bias": [0.2381, -0.1149, -0.8085, 0.2283, -0.8853],
                "2.weight": [[0.0588, 0.0297, -0.0983, 0.3657, 0.0298]],
                "2.bias": [0.1854],
            }.items()
        ),
        fact(shapes_are_as_printed).shows("M1"),
        output(at=[2.3], at_start=True, near=0.2739, atol=ANSWERED).among(document).shows("M2"),
        output(at=[[2.3], [1.7], [3.6]], at_start=True, near=[[0.2739], [0.2741], [0.2661]], atol=ANSWERED)
        .among(document)
        .shows("M2"),
        measured("distance from the formula by hand", off_the_formula, at=GRID, high=ROUNDING).shows("M3"),
    ],
)
