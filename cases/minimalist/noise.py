"""x² with noise, learnt from twenty points by ten hidden neurons: the fit is nearer to x² than the data are.

Source: "Minimalist PyTorch Example: My First Neural Network", It's play time!

Shapes: input (20, 1), weights (10, 1) and (1, 10), biases (10,) and (1,), output (20, 1). The noise has a standard
deviation of 0.5; on these points its mean square is 0.2547. The document leaves open what happens; this was found.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float32 / bfloat16 / float16; float64 is as float32:

- the loss on the noisy data ends between 0.164 and 4.71 / 1.66 and 6.70 / 0.509 and 4.93, with a median of
  0.214 / 3.02 / 0.732: ten bends do not follow the noise all the way;
- on the points, the mean square distance from x² itself is 0.089 / 2.87 / 0.422 in the median; it is below that of the
  data for 99.4 % of the seeds in float32, while the short types stop too early for that: 99 % below 4.6 / 0.62.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, Trajectories, answers, final_loss, graph, measured

Array = NDArray[np.float64]

FITTED = {"float64": 0.5, "float32": 0.5, "bfloat16": 4.8, "float16": 1.0}
NEARER = {"float64": 0.2547, "float32": 0.2547, "bfloat16": 4.8, "float16": 0.65}


def ten_hidden() -> nn.Sequential:
    """Build one input, ten hidden neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))


def noisy_parabola() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3), and their squares with noise, drawn after them: ``(20, 1)`` each."""
    random = np.random.RandomState(2)
    x = random.uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    noise = random.normal(0.0, 0.5, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(x**2 + noise)


POINTS = noisy_parabola()[0].tolist()
"""Where the fit is compared with x² itself: ``(20, 1)``."""


def distance_from_clean(seen: Trajectories) -> Array:
    """Return the mean square distance of the fit from x² on the training points: ``(seeds,)``."""
    distance: Array = np.mean((answers(seen, POINTS) - np.square(POINTS)) ** 2, axis=(1, 2))
    return distance


CASE = Case(
    architecture=ten_hidden,
    data=noisy_parabola,
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.001),
    steps=10_000,
    claims=("M6d",),
    expect=[
        final_loss(low=0.1),
        final_loss(high=FITTED).share(0.97, 1.0),
        measured("mean square distance from x²", distance_from_clean, at=POINTS, high=NEARER).share(0.97, 1.0),
    ],
    show=[graph(low=-6.0, high=6.0)],
)
