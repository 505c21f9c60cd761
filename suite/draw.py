"""A trial's starting point: the same for a seed on every device, in every dtype, in any company.

Parameters are drawn on the CPU in float32, as the architecture's own constructor draws them,
and only then cast and moved: ``Linear(dtype=float64)`` would draw another stream.
"""

from __future__ import annotations

import io
import os
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.case import ByName, Case, Stepper
from suite.signals import hearers_kept

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NUMPY_SEEDS = 2**32
"""NumPy's global generator takes seeds below this."""
DATA_SEED = 0
"""What the global generators are seeded with before a case file is imported or gives its data."""


@contextmanager
def globals_kept() -> Iterator[None]:
    """Leave what is global as it was found, and begin with torch as it is when new.

    That is the generators of torch, NumPy and Python, what :func:`torch_as_new` keeps, the present folder, who hears
    the signals that end a command, and where it is printed to: what the code of a case prints goes to stderr.
    """
    import torch

    accelerators = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    legacy, python = np.random.get_state(), random.getstate()
    aside: Any = _Aside()
    with (
        torch.random.fork_rng(devices=accelerators),
        torch_as_new(),
        chdir(os.curdir),
        redirect_stdout(aside),
        hearers_kept(),
    ):
        try:
            yield
        finally:
            np.random.set_state(legacy)
            random.setstate(python)


class _Aside(io.TextIOBase):
    """Where the code of a case prints to; it may even be closed."""

    def write(self, text: str) -> int:
        """Print it to stderr."""
        return sys.stderr.write(text)


@contextmanager
def torch_as_new() -> Iterator[None]:
    """Let torch make float32 on the CPU and record gradients, whatever a case's code left; leave it as it was found."""
    import torch

    before = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    _let_torch(torch.float32, torch.device("cpu"), grad=True)
    try:
        yield
    finally:
        dtype, device, grad = before
        _let_torch(dtype, device, grad=grad)


def _let_torch(dtype: torch.dtype, device: torch.device, *, grad: bool) -> None:
    """Set what torch makes unless told otherwise; a device only where it differs, since a set one costs each call."""
    import torch

    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(grad)
    if torch.get_default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)


def draw(case: Case, seed: int) -> nn.Module:
    """Build the untrained network of ``seed``, on the CPU in float32; sets every global generator, and that dtype."""
    import torch

    seed_generators(seed)
    torch.set_default_dtype(torch.float32)
    return case.architecture()


def is_drawn(case: Case) -> bool:
    """Tell whether a network starts from random numbers: whether two that are built in turn start otherwise."""
    import torch

    with globals_kept():
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
    """Return the case's inputs and targets, on the CPU as it gives them; what is global is kept.

    Data that draws without a seed of its own draws the same at every call.
    """
    with globals_kept():
        seed_generators(DATA_SEED)
        x, target = case.data()
    return x.clone(), target.clone()


def optimizer_for(case: Case, named: Iterable[tuple[str, nn.Parameter]]) -> Stepper:
    """Build the case's optimizer over parameters, given with their names, if it wants them so."""
    if isinstance(case.optimizer, ByName):
        return case.optimizer.build(named)
    return case.optimizer(parameter for _, parameter in named)
