"""One, two, ten and a thousand hidden neurons: the graph is made of straight pieces, and width does not blow it up.

Source: "Minimalist PyTorch Example: My First Neural Network", Visualize the output.

Shapes: input (points, 1), n hidden neurons, output (points, 1). Each hidden neuron bends the graph at -b/w, where it
switches on, and nowhere else. The second layer's weights are drawn the smaller the more there are, so that the
untrained graph reaches as far with a thousand neurons as with ten.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float64 / float32 / bfloat16 / float16: the answers
are at most 2e-15 / 1.1e-6 / 0.064 / 0.0065 from the formula; away from the kinks the slope times the step changes by at
most 4e-15 / 2.4e-6 / 0.125 / 0.014; the graphs of n=10 need 2 to 10 kinks. Before training, the graph's range is
between 0.35 and 2.7 for 90 % of the seeds, and at most 5.0, for n=10 as for n=1000; the untrained network answers at
most 3.8 at -4, 0.97 at 0 and 3.4 at 4 for n=10, and 3.2, 0.75 and 3.6 for n=1000, either way and in every dtype.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Expectation, Trajectories, answers, largest, measured, output
from suite import graph as drawn

Array = NDArray[np.float64]

STEP = 0.25
GRID = [[number * STEP] for number in range(-16, 17)]
"""From -4 to 4, as the document plots; every dtype holds these numbers exactly."""
ENDS = [[-4.0], [0.0], [4.0]]
"""Where the untrained networks are asked."""
SEEN = 1e-4
"""A change of slope, times the step, that is no rounding error in float32; the short types round too far to count."""
ROUNDING = {"float64": 2e-14, "float32": 5e-6, "bfloat16": 0.15, "float16": 0.015}
ROUNDING_OF_BENDS = {"float64": 2e-14, "float32": 6e-6, "bfloat16": 0.3, "float16": 0.03}


def make_network(hidden: int) -> nn.Sequential:
    """Build one input, ``hidden`` neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their squares: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2)


def by_hand(parameters: Mapping[str, Array]) -> Array:
    """Return W'·relu(Wx + b) + b' on the grid: ``(seeds, points)``."""
    hidden = np.maximum(parameters["0.weight"] * np.ravel(GRID) + parameters["0.bias"][:, :, None], 0.0)
    result: Array = (parameters["2.weight"] @ hidden)[:, 0] + parameters["2.bias"]
    return result


def off_the_formula(seen: Trajectories) -> Array:
    """Return the largest distance between network and formula on the grid: ``(seeds,)``."""
    return largest(answers(seen, GRID)[..., 0] - by_hand(seen.final))


def curvature(seen: Trajectories) -> Array:
    """Return the change of slope times the step at each inner point: ``(seeds, points - 2)``."""
    return np.diff(answers(seen, GRID)[..., 0], n=2, axis=1)


def kinks_needed(seen: Trajectories) -> Array:
    """Count, from the answers alone, the kinks without which the graph could not be explained: ``(seeds,)``.

    A kink between two points of the grid bends the graph at both: a run of L bent points needs L/2 kinks, rounded up.
    """
    bent = np.pad(np.abs(curvature(seen)) > SEEN, ((0, 0), (1, 1)))
    counts = []
    for row in bent:
        (edges,) = np.diff(row.astype(int)).nonzero()
        counts.append(sum((end - start + 1) // 2 for start, end in zip(edges[::2], edges[1::2], strict=True)))
    return np.array(counts, dtype=np.float64)


def bend_away_from_kinks(seen: Trajectories) -> Array:
    """Return the largest curvature at points whose neighbourhood no hidden neuron switches in: ``(seeds,)``."""
    with np.errstate(divide="ignore"):
        kinks = -seen.final["0.bias"] / seen.final["0.weight"][..., 0]
    inner = np.ravel(GRID)[1:-1]
    near = (np.abs(inner[:, None] - kinks[:, None, :]) < STEP * 1.1).any(axis=2)
    return largest(np.where(near, 0.0, curvature(seen)))


def range_at_start(seen: Trajectories) -> Array:
    """Return how far the untrained graph reaches from its lowest to its highest point: ``(seeds,)``."""
    graphs = by_hand(seen.initial)
    span: Array = graphs.max(axis=1) - graphs.min(axis=1)
    return span


def graph(hidden: int, *expected: Expectation, claims: tuple[str, ...]) -> Case:
    """Declare the network of so many hidden neurons, trained for a while as the document does."""
    return Case(
        name=f"graph_n{hidden}",
        architecture=partial(make_network, hidden),
        data=parabola,
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.001),
        steps=100,
        claims=claims,
        expect=expected,
        show=[drawn(low=-4.0, high=4.0)],
    )


def piecewise_linear(hidden: int) -> list[Expectation]:
    """Expect the formula's answers, straight pieces between its kinks, and no more kinks than neurons."""
    return [
        measured("distance from the formula by hand", off_the_formula, at=GRID, high=ROUNDING).shows("M4"),
        measured("bend away from kinks", bend_away_from_kinks, at=GRID, high=ROUNDING_OF_BENDS).shows("M4"),
        measured("kinks needed", kinks_needed, at=GRID, high={"float64": hidden, "float32": hidden}).shows("M4"),
    ]


usual_range = measured("range at start", range_at_start, low=0.35, high=2.7).share(0.85, 0.95).shows("M4b")
reach = output(at=ENDS, at_start=True, low=[-7.0, -2.0, -7.0], high=[7.0, 2.0, 7.0]).shows("M4b")
"""What the networks answer themselves: the range above is a formula's, applied to their parameters."""

CASES = [
    graph(1, *piecewise_linear(1), claims=("M4",)),
    graph(2, *piecewise_linear(2), claims=("M4",)),
    graph(10, *piecewise_linear(10), usual_range, reach, claims=("M4", "M4b")),
    graph(1000, usual_range, reach, claims=("M4b",)),
]
