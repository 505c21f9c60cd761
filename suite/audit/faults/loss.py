"""A mean squared error that is another number; its gradient is the other number's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from suite.audit.fault import Fault, Function, instead
from suite.judge import Stage

IN_FORWARD = (Stage.FORWARD,)


def replaced(loss: Function) -> Any:
    """Return what computes ``loss(output, target)`` in place of the mean squared error."""
    return instead(functional, "mse_loss", lambda _own: lambda output, target, **_reduction: loss(output, target))


def summed(output: Tensor, target: Tensor) -> Tensor:
    """Sum the squares."""
    return ((output - target) ** 2).sum()


def one_more(output: Tensor, target: Tensor) -> Tensor:
    """Divide the sum of squares by one more than their number."""
    return summed(output, target) / (output.numel() + 1)


def each_with_each(output: Tensor, target: Tensor) -> Tensor:
    """Compare every output with every target."""
    return ((output - target.reshape(-1, *(1,) * output.ndim)) ** 2).mean()


def root(output: Tensor, target: Tensor) -> Tensor:
    """Return the root of the mean square."""
    return ((output - target) ** 2).mean().sqrt()


def in_half(output: Tensor, target: Tensor) -> Tensor:
    """Compute in float16."""
    return ((output.to(torch.float16) - target.to(torch.float16)) ** 2).mean().to(output.dtype)


FAULTS = (
    Fault(
        name="loss_summed",
        says="the loss is a sum, not a mean",
        stages=IN_FORWARD,
        plant=replaced(summed),
    ),
    Fault(
        name="loss_wrong_count",
        says="the sum of squares is divided by one more than their number",
        stages=IN_FORWARD,
        plant=replaced(one_more),
        modelled_on="OpenNMT/OpenNMT-py#2209",
    ),
    Fault(
        name="loss_broadcast",
        says="every output is compared with every target",
        stages=IN_FORWARD,
        plant=replaced(each_with_each),
        modelled_on="pytorch/pytorch#18349",
    ),
    Fault(
        name="loss_root",
        says="the loss is the root of the mean square",
        stages=IN_FORWARD,
        plant=replaced(root),
    ),
    Fault(
        name="loss_in_half",
        says="the loss is computed in float16",
        stages=IN_FORWARD,
        plant=replaced(in_half),
        modelled_on="keras-team/keras-core#922",
    ),
)
