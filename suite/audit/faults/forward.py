"""Layers and activations that compute something else; the gradient then follows what they compute."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.audit.fault import Fault, Function, Plant, instead, kernels, own
from suite.judge import Stage

IN_FORWARD = (Stage.FORWARD,)
KEPT_BITS = -(1 << 13)
"""A mask for the ten leading bits of a float32's fraction, which tensor cores read of it."""


def products(change: Function) -> Plant:
    """Return what multiplies ``change(left, right)`` wherever torch multiplies two matrices."""

    def mm(left: Tensor, right: Tensor) -> Any:
        return own(torch.mm, *change(left, right))

    def addmm(bias: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
        return own(torch.addmm, bias, *change(left, right), beta=beta, alpha=alpha)

    return kernels(mm=mm, addmm=addmm)


def as_laid_out(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Take the second matrix for contiguous, whatever its strides."""
    return left, right.as_strided(right.shape, (right.shape[1], 1))


def without_the_third(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Leave the last of three addends out."""
    return (left[:, :2], right[:2]) if left.shape[1] == 3 else (left, right)


def in_ten_bits(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Read the leading bits of float32 only."""
    if left.dtype != torch.float32:
        return left, right
    return left.view(torch.int32).bitwise_and(KEPT_BITS).view(torch.float32), right


def a_little_more(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply the first matrix by one and a millionth."""
    return left * (1.0 + 1e-6), right


def without_bias(forward: Function) -> Function:
    """Add no bias."""
    del forward
    return lambda self, x: functional.linear(x, self.weight)


def bias_twice(forward: Function) -> Function:
    """Add the bias once more."""
    return lambda self, x: forward(self, x) if self.bias is None else forward(self, x) + self.bias


FAULTS = (
    Fault(
        name="relu_leaks",
        says="a ReLU lets a hundredth of what is below zero through",
        stages=IN_FORWARD,
        plant=kernels(relu=lambda x: torch.where(x > 0, x, 0.01 * x)),
    ),
    Fault(
        name="relu_six",
        says="a ReLU cuts off at six",
        stages=(Stage.FORWARD, Stage.LATER),
        plant=kernels(relu=lambda x: x.clamp(0, 6)),
    ),
    Fault(
        name="leaky_slope_default",
        says="the default slope of a leaky ReLU is 0.02",
        stages=IN_FORWARD,
        plant=lambda: patch.object(functional.leaky_relu, "__defaults__", (0.02, False)),
        modelled_on="Dobiasd/frugally-deep#446",
    ),
    Fault(
        name="leaky_slope_lost",
        says="a leaky ReLU is computed as a ReLU",
        stages=IN_FORWARD,
        plant=kernels(leaky_relu=lambda x, *_slope: x.clamp_min(0)),
        modelled_on="apache/mxnet#7702",
    ),
    Fault(
        name="bias_dropped",
        says="a layer adds no bias",
        stages=IN_FORWARD,
        plant=instead(nn.Linear, "forward", without_bias),
    ),
    Fault(
        name="bias_twice",
        says="a layer adds its bias twice",
        stages=IN_FORWARD,
        plant=instead(nn.Linear, "forward", bias_twice),
        modelled_on="awslabs/slapo#10",
    ),
    Fault(
        name="product_strides_ignored",
        says="a product of matrices reads the second as if it were contiguous",
        stages=IN_FORWARD,
        plant=products(as_laid_out),
        modelled_on="pytorch/pytorch#78511",
    ),
    Fault(
        name="product_of_three",
        says="a product of matrices with three addends leaves the last out",
        stages=IN_FORWARD,
        plant=products(without_the_third),
        modelled_on="ROCm/composable_kernel#512",
    ),
    Fault(
        name="product_in_ten_bits",
        says="a product of matrices reads ten bits of float32",
        stages=(Stage.FORWARD, Stage.BACKWARD),
        plant=products(in_ten_bits),
        modelled_on="pytorch/pytorch#53635",
    ),
    Fault(
        name="product_last_digits",
        says="a product of matrices is one part in a million too large",
        stages=(Stage.FORWARD, Stage.BACKWARD),
        plant=products(a_little_more),
    ),
)
