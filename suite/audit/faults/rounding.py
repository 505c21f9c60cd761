"""Results of the right formula, computed or kept in too few bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.audit.fault import Fault, Function, Plant, instead, kernels, own
from suite.judge import Stage

IN_FORWARD = (Stage.FORWARD,)
OR_BACKWARD = (Stage.FORWARD, Stage.BACKWARD)


def layers_in(dtype: torch.dtype, *, of: torch.dtype) -> Plant:
    """Return what computes layers in ``dtype`` whose input is of another."""

    def change(forward: Function) -> Function:
        def short(self: nn.Linear, x: Tensor) -> Any:
            if x.dtype != of:
                return forward(self, x)
            bias = None if self.bias is None else self.bias.to(dtype)
            return functional.linear(x.to(dtype), self.weight.to(dtype), bias).to(of)

        return short

    return instead(nn.Linear, "forward", change)


def products_of(dtype: torch.dtype, product: Function) -> Plant:
    """Return what multiplies matrices of ``dtype`` by ``product(left, right)``."""

    def fits(left: Tensor, right: Tensor) -> bool:
        return left.dtype == dtype and left.shape[1] == right.shape[0]  # what does not fit is torch's to refuse

    def mm(left: Tensor, right: Tensor) -> Any:
        return product(left, right) if fits(left, right) else own(torch.mm, left, right)

    def addmm(bias: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
        if not fits(left, right):
            return own(torch.addmm, bias, left, right, beta=beta, alpha=alpha)
        return alpha * product(left, right) + beta * bias

    return kernels(mm=mm, addmm=addmm)


def one_by_one(left: Tensor, right: Tensor) -> Tensor:
    """Round after every addition."""
    total = torch.zeros(left.shape[0], right.shape[1], dtype=left.dtype)
    for place in range(left.shape[1]):
        total = total + left[:, place, None] * right[place]
    return total


def truncated(left: Tensor, right: Tensor) -> Tensor:
    """Cut off what bfloat16 does not hold, in place of rounding it."""
    exact: Tensor = own(torch.mm, left.float(), right.float())
    return exact.view(torch.int32).bitwise_and(-(1 << 16)).view(torch.float32).to(left.dtype)


NO_MORE_THAN_AN_ULP = "sums of so few numbers are moved by no more than an ulp moves them"

FAULTS = (
    Fault(
        name="layers_in_bfloat16",
        says="layers of float32 are computed in bfloat16",
        stages=IN_FORWARD,
        plant=layers_in(torch.bfloat16, of=torch.float32),
        modelled_on="pytorch/pytorch#67384",
    ),
    Fault(
        name="layers_in_float16",
        says="layers of bfloat16 are computed in float16",
        stages=OR_BACKWARD,
        plant=layers_in(torch.float16, of=torch.bfloat16),
        modelled_on="BobMcDear/attorch#12",
        beyond_reach="float16 holds more digits than bfloat16; nothing but range is lost",
    ),
    Fault(
        name="double_in_single",
        says="layers of float64 are computed in float32",
        stages=OR_BACKWARD,
        plant=layers_in(torch.float32, of=torch.float64),
        modelled_on="keras-team/keras-core#922",
    ),
    Fault(
        name="sums_in_bfloat16",
        says="products of matrices in bfloat16 are rounded after every addition",
        stages=OR_BACKWARD,
        plant=products_of(torch.bfloat16, one_by_one),
        modelled_on="pytorch/pytorch#83863",
        beyond_reach=NO_MORE_THAN_AN_ULP,
    ),
    Fault(
        name="bfloat16_truncated",
        says="products of matrices in bfloat16 are cut off, not rounded",
        stages=OR_BACKWARD,
        plant=products_of(torch.bfloat16, truncated),
        beyond_reach=NO_MORE_THAN_AN_ULP,
    ),
)
