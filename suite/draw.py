"""A trial's starting point: the same for a seed on every device, in every dtype, in any company.

Parameters are drawn on the CPU in float32, as the architecture's own constructor draws them,
and only then cast and moved: ``Linear(dtype=float64)`` would draw another stream.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from suite.case import ByName, Case, Stepper

if TYPE_CHECKING:
    from torch import Tensor, nn

NUMPY_SEEDS = 2**32
"""NumPy's global generator takes seeds below this."""
DATA_SEED = 0
"""What the global generators are seeded with before a case file is imported or gives its data."""


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the global generators of torch, NumPy and Python as they were found."""
    import torch

    accelerators = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    legacy, python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=accelerators):
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(python)


def draw(case: Case, seed: int) -> nn.Module:
    """Build the untrained network of ``seed``, on the CPU in float32; seeds every global generator."""
    seed_generators(seed)
    return case.architecture()


def is_drawn(case: Case) -> bool:
    """Tell whether a network starts from random numbers: whether two that are built in turn start otherwise."""
    import torch

    with generators_kept():
        first, second = draw(case, DATA_SEED), case.architecture()
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return not all(torch.equal(ours, theirs) for ours, theirs in pairs)


def seed_generators(seed: int) -> None:
    """Seed the global generators of torch, NumPy and Python."""
    _seed_torch(seed)
    np.random.seed(seed % NUMPY_SEEDS)
    random.seed(seed)


def _seed_torch(seed: int) -> None:
    """Seed torch's generators; without an accelerator only the CPU's, at a third of the cost."""
    import torch

    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def batch(case: Case) -> tuple[Tensor, Tensor]:
    """Return the case's inputs and targets, on the CPU as it gives them; generators are kept.

    Data that draws without a seed of its own draws the same at every call.
    """
    with generators_kept():
        seed_generators(DATA_SEED)
        x, target = case.data()
    return x.clone(), target.clone()


def optimizer_for(case: Case, named: Iterable[tuple[str, nn.Parameter]]) -> Stepper:
    """Build the case's optimizer over parameters, given with their names, if it wants them so."""
    if isinstance(case.optimizer, ByName):
        return case.optimizer.build(named)
    return case.optimizer(parameter for _, parameter in named)
