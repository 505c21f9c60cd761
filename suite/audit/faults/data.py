"""Data that reaches the network otherwise than the document gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.audit.fault import Fault, Function, instead
from suite.judge import Stage

IN_DATA = (Stage.DATA,)


def another_seed(draw: Function) -> Function:
    """Seed NumPy with a number of its own."""
    return lambda *_seed: draw(12345)


def rounded(read: Function) -> Function:
    """Bring arrays over in half the bits."""
    return lambda array: read(array).to(torch.bfloat16).to(torch.float32)


def one_twice(read: Function) -> Function:
    """Read the second sample in place of the first."""

    def shifted(array: Any) -> Tensor:
        samples: Tensor = read(array).clone()
        samples[0] = samples[1]
        return samples

    return shifted


def order_reversed(read: Function) -> Function:
    """Give the first array that comes as it is, and the next in reverse: targets do not belong to their inputs."""
    read_before: list[Any] = []

    def turned(array: Any) -> Tensor:
        read_before.append(array)
        samples: Tensor = read(array)
        return samples if len(read_before) % 2 else samples.flip(0)

    return turned


def next_number(build: Function) -> Function:
    """Read every number above four as the next float32 up."""

    def misread(*args: Any, **options: Any) -> Any:
        made = build(*args, **options)
        if made.dtype != torch.float32:
            return made
        return torch.where(made > 4.0, made.nextafter(torch.full_like(made, torch.inf)), made)

    return misread


FAULTS = (
    Fault(
        name="data_seed_ignored",
        says="NumPy draws the data from a seed of its own",
        stages=IN_DATA,
        plant=instead(np.random, "RandomState", another_seed),
        modelled_on="pytorch/pytorch#41329",
    ),
    Fault(
        name="data_rounded",
        says="data are rounded to bfloat16 on their way from NumPy",
        stages=IN_DATA,
        plant=instead(torch, "from_numpy", rounded),
    ),
    Fault(
        name="data_sample_twice",
        says="the second sample is read twice, the first never",
        stages=IN_DATA,
        plant=instead(torch, "from_numpy", one_twice),
    ),
    Fault(
        name="data_targets_reversed",
        says="targets come in reverse, so that they belong to other inputs",
        stages=IN_DATA,
        plant=instead(torch, "from_numpy", order_reversed),
    ),
    Fault(
        name="data_next_number",
        says="a written-out number above four is read as the next float32 up",
        stages=IN_DATA,
        plant=instead(torch, "tensor", next_number),
    ),
)
