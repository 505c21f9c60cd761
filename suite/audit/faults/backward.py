"""Gradients that do not belong to what was computed forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD

from suite.audit.fault import Fault, Function, Plant, instead, kernels
from suite.judge import Stage

IN_BACKWARD = (Stage.BACKWARD,)


class Transposed(torch.autograd.Function):
    """A matrix as it is; its gradient is laid out column by column."""

    @staticmethod
    def forward(_context: Any, *args: Any, **_options: Any) -> Any:
        """Return the matrix."""
        return args[0].clone()

    @staticmethod
    def backward(_context: Any, *grad_outputs: Any) -> Any:
        """Return the entries of the gradient's transpose, in the matrix's shape."""
        (gradient,) = grad_outputs
        return gradient.t().reshape(gradient.shape)


class Smaller(torch.autograd.Function):
    """A tensor as it is; its gradient is divided by a number."""

    @staticmethod
    def forward(context: Any, *args: Any, **_options: Any) -> Any:
        """Return the tensor."""
        tensor, context.number = args
        return tensor.clone()

    @staticmethod
    def backward(context: Any, *grad_outputs: Any) -> Any:
        """Return the gradient, divided."""
        return grad_outputs[0] / context.number, None


transposed: Function = Transposed.apply
smaller: Function = Smaller.apply


def weight_transposed(_forward: Function) -> Function:
    """Give a weight the entries of its gradient's transpose."""
    return lambda self, x: functional.linear(x, transposed(self.weight), self.bias)


def bias_halved(forward: Function) -> Function:
    """Give a bias half of its gradient."""

    def halved(self: nn.Linear, x: Tensor) -> Any:
        bias = self.bias
        return forward(self, x) if bias is None else functional.linear(x, self.weight, smaller(bias, 2))

    return halved


def error_gradient(change: Function) -> Plant:
    """Return what hands ``change(gradient)`` on as the gradient of a mean squared error."""

    def mse_loss_backward(gradient: Tensor, output: Tensor, target: Tensor, reduction: int) -> Any:
        grad = torch.ops.aten.mse_loss_backward.grad_input
        return change(grad(gradient, output, target, reduction, grad_input=torch.empty_like(output)))

    return kernels(mse_loss_backward=mse_loss_backward)


def only_the_first(gradient: Tensor) -> Tensor:
    """Leave all entries but the first without a gradient."""
    return torch.where(torch.arange(gradient.numel()).view(gradient.shape) == 0, gradient, 0.0)


def nothing(_zero_grad: Function) -> Function:
    """Leave gradients as they are."""
    return lambda *_args, **_options: None


FAULTS = (
    Fault(
        name="relu_slope_at_zero",
        says="the slope of a ReLU at zero is one",
        stages=IN_BACKWARD,
        plant=kernels(threshold_backward=lambda gradient, x, threshold: torch.where(x >= threshold, gradient, 0.0)),
        modelled_on="pytorch/tutorials#269",
    ),
    Fault(
        name="relu_mask_inverted",
        says="a ReLU hands the gradient on where it was off",
        stages=IN_BACKWARD,
        plant=kernels(threshold_backward=lambda gradient, x, threshold: torch.where(x > threshold, 0.0, gradient)),
        modelled_on="pytorch/pytorch#1860",
    ),
    Fault(
        name="leaky_gradient_flat",
        says="a leaky ReLU hands no gradient on below zero",
        stages=IN_BACKWARD,
        plant=kernels(leaky_relu_backward=lambda gradient, x, *_slope: torch.where(x > 0, gradient, 0.0)),
        modelled_on="deeplearning4j/deeplearning4j#8178",
    ),
    Fault(
        name="gradient_smaller",
        says="the gradient of the loss is a thousandth too small",
        stages=IN_BACKWARD,
        plant=error_gradient(lambda gradient: 0.999 * gradient),
        modelled_on="horovod/horovod#2654",
    ),
    Fault(
        name="gradient_of_first_only",
        says="only the first output gets a gradient",
        stages=IN_BACKWARD,
        plant=error_gradient(only_the_first),
        modelled_on="flagos-ai/FlagGems#5212",
    ),
    Fault(
        name="gradient_transposed",
        says="the gradient of a weight is laid out column by column",
        stages=IN_BACKWARD,
        plant=instead(nn.Linear, "forward", weight_transposed),
    ),
    Fault(
        name="gradient_bias_halved",
        says="a bias gets half of its gradient",
        stages=IN_BACKWARD,
        plant=instead(nn.Linear, "forward", bias_halved),
        modelled_on="pytorch/torchtitan#4332",
    ),
    Fault(
        name="gradients_pile_up",
        says="zero_grad leaves gradients as they are",
        stages=(Stage.LATER,),
        plant=instead(SGD, "zero_grad", nothing),
        modelled_on="meta-pytorch/torchforge#71",
    ),
)
