"""sin(x) learnt from twenty points by ten hidden neurons, instead of x².

Source: "Minimalist PyTorch Example: My First Neural Network", It's play time!

Shapes: input (20, 1), weights (10, 1) and (1, 10), biases (10,) and (1,), output (20, 1). Who answers the mean of the
targets has a loss of 0.450.

Measured over an ensemble of seeds 0-999 (torch 2.13.0, CPU), as float32 / bfloat16 / float16; float64 is as float32:
the loss ends between 0.008 and 0.096 / 0.054 and 0.61 / 0.035 and 0.221, with a median of 0.030 / 0.171 / 0.076 and
99 % of the seeds below 0.072 / 0.44 / 0.143.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD

from suite import Case, final_loss, graph

LEARNT = {"float64": 0.15, "float32": 0.15, "bfloat16": 1.0, "float16": 0.35}
LEARNT_WELL = {"float64": 0.08, "float32": 0.08, "bfloat16": 0.45, "float16": 0.16}


def ten_hidden() -> nn.Sequential:
    """Build one input, ten hidden neurons under a ReLU, one output."""
    return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))


def wave() -> tuple[Tensor, Tensor]:
    """Return 20 points drawn from U(-3, 3) and their sines: ``(20, 1)`` each."""
    x = np.random.RandomState(2).uniform(-3.0, 3.0, size=(20, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(np.sin(x))


CASE = Case(
    architecture=ten_hidden,
    data=wave,
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.001),
    steps=10_000,
    claims=("M6b",),
    expect=[
        final_loss(high=LEARNT),
        final_loss(high=LEARNT_WELL).share(0.97, 1.0),
    ],
    show=[graph(low=-6.0, high=6.0)],
)
