"""x² learnt from twenty points by ten hidden neurons: it goes on getting better, and it does not extrapolate.

Source: "Minimalist PyTorch Example: My First Neural Network", Generate data; Setup the training loop; It's play time!

Shapes: input (20, 1), weights (10, 1) and (1, 10), biases (10,) and (1,), output (20, 1). Outside [-3, 3] the graph
runs on nearly straight, as only a neuron that is on, or off, at all twenty points can bend it there; x² does not.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float32 / bfloat16 / float16; float64 is as float32:

- the loss ends between 0.027 and 4.96 / 1.26 and 7.04 / 0.199 and 5.14, with a median of 0.054 / 2.64 / 0.345; 99 % of
  the seeds keep at most 2.3 % / 48 % / 6.2 % of their first loss;
- from step 64 to step 512 it falls to at most 0.84 / 0.90 / 0.85 of itself, from step 4,096 to the last to at most
  0.997 / 1.0 / 1.002: in bfloat16 a step is soon smaller than half the distance between neighbouring numbers, and by
  step 1,024 nothing moves any more;
- the error grows by at least 11.9 / 15.9 / 13.6 from 4 to 6, and again to 12, on either side; the slope changes there
  by at most 0.20 / 0.09 / 0.08, that of x² by 8.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Trajectories, answers, final_loss, graph, measured

Array = NDArray[np.float64]

STEPS = 10_000
OUTSIDE = [[-12.0], [-6.0], [-4.0], [4.0], [6.0], [12.0]]

SEEN_ALMOST_ALWAYS = {"float64": 0.3, "float32": 0.3, "bfloat16": 4.8, "float16": 0.6}
KEPT = {"float64": 0.03, "float32": 0.03, "bfloat16": 0.55, "float16": 0.08}
STILL_FALLING = {"float64": 1.001, "float32": 1.001, "bfloat16": 1.01, "float16": 1.01}
FALLING_FAST = {"float64": 0.93, "float32": 0.93}
"""Of most seeds; the short types stand still before step 4,096, or nearly."""


def ten_hidden() -> nn.Sequential:
    """Build one input, ten hidden neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))


def parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their squares: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2)


def loss_kept(seen: Trajectories, *, since: int = 0, until: int = STEPS - 1) -> Array:
    """Return the loss before step ``until`` as a part of that before step ``since``: ``(seeds,)``."""
    at = list(seen.curve_steps)
    return seen.curve[:, at.index(until)] / seen.curve[:, at.index(since)]


def error_growth(seen: Trajectories) -> Array:
    """Return the least growth of the error, from 4 to 6 and from 6 to 12, on either side: ``(seeds,)``."""
    error = np.abs(answers(seen, OUTSIDE) - np.square(OUTSIDE))[..., 0]
    outwards = np.stack([error[:, 2::-1], error[:, 3:]], axis=1)
    least: Array = np.diff(outwards).min(axis=(1, 2))
    return least


def slope_change(seen: Trajectories) -> Array:
    """Return how much the graph bends between 4 and 12, or between -4 and -12: ``(seeds,)``."""
    slopes = np.diff(answers(seen, OUTSIDE)[..., 0]) / np.diff(np.ravel(OUTSIDE))
    most: Array = np.abs(np.diff(slopes))[:, [0, 3]].max(axis=1)
    return most


CASE = Case(
    name="square_n10",
    architecture=ten_hidden,
    data=parabola,
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.001),
    steps=STEPS,
    claims=("M5", "M5b", "M6c"),
    expect=[
        measured("loss kept", loss_kept, high=KEPT).share(0.97, 1.0).shows("M5"),
        final_loss(high=SEEN_ALMOST_ALWAYS).share(0.97, 1.0).shows("M5"),
        measured("loss kept from step 64 to 512", partial(loss_kept, since=64, until=512), high=0.97).shows("M5b"),
        measured("loss kept since step 4096", partial(loss_kept, since=4096), high=STILL_FALLING).shows("M5b"),
        measured("loss kept since step 4096", partial(loss_kept, since=4096), high=FALLING_FAST)
        .share(0.97, 1.0)
        .shows("M5b"),
        measured("growth of the error outside", error_growth, at=OUTSIDE, low=8.0).shows("M6c"),
        measured("change of slope outside", slope_change, at=OUTSIDE, high=0.5).shows("M6c"),
    ],
    show=[graph(low=-6.0, high=6.0)],
)
