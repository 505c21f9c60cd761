"""Differences that are no defects: what an upgrade, another processor or another backend may do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from suite.audit.fault import Control, Function, instead, kernels
from suite.audit.faults.update import SGD_MODULE, UPDATE, another_of_torchs
from suite.machine import Settings

KERNELS = "ATEN_CPU_CAPABILITY"
"""The environment variable that chooses torch's kernels."""


def one_draw_later(draw: Function) -> Function:
    """Throw a number away before anything is drawn."""

    def later(self: Any, *args: Any) -> Any:
        torch.rand(1)
        return draw(self, *args)

    return later


def written_out(
    params: list[Tensor], grads: list[Tensor], buffers: list[Any], *_scaling: Any, lr: float, momentum: float, **_: Any
) -> None:
    """Update by the formula of the documents, one operation after the other."""
    for place, (parameter, gradient) in enumerate(zip(params, grads, strict=True)):
        velocity = gradient.clone()
        if momentum and buffers[place] is None:
            buffers[place] = velocity
        elif momentum:
            velocity = buffers[place].copy_(buffers[place] * momentum + gradient)
        parameter.sub_(velocity * lr)


def product_plus_bias(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply and add apart."""
    product = torch.mm(x.reshape(-1, x.shape[-1]), weight.t()).reshape(*x.shape[:-1], len(weight))
    return product if bias is None else product + bias


def mean_of_squares(output: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Subtract, square and average, or sum."""
    squares = (output - target) ** 2
    return squares.mean() if reduction == "mean" else squares.sum()


UNCHANGED = Control(name="unchanged", says="nothing is changed", exact=True)

CONTROLS = (
    Control(
        name="other_company",
        says="the seeds of a cell are trained in two groups, the later first",
        in_two_groups=True,
        exact=True,
    ),
    Control(
        name="threads_2",
        says="an operation takes two threads",
        settings=Settings(threads=2),
    ),
    Control(
        name="threads_4",
        says="an operation takes four threads",
        settings=Settings(threads=4),
    ),
    Control(
        name="kernels_plain",
        says="torch takes its plain kernels",
        variables={KERNELS: "default"},
    ),
    Control(
        name="kernels_avx2",
        says="torch takes its AVX2 kernels",
        variables={KERNELS: "avx2"},
    ),
    Control(
        name="relu_written_out",
        says="a ReLU is the larger of its input and zero",
        plant=kernels(relu=lambda x: x.clamp_min(0)),
    ),
    Control(
        name="layer_written_out",
        says="a layer multiplies and adds apart",
        plant=instead(functional, "linear", lambda _linear: product_plus_bias),
    ),
    Control(
        name="loss_written_out",
        says="the mean squared error is written out",
        plant=instead(functional, "mse_loss", lambda _loss: mean_of_squares),
    ),
    Control(
        name="update_written_out",
        says="the update is written out",
        plant=instead(SGD_MODULE, UPDATE, lambda _update: written_out),
    ),
    Control(
        name="update_foreach",
        says="the update takes all parameters at once",
        plant=instead(SGD_MODULE, UPDATE, another_of_torchs("_multi_tensor_sgd")),
    ),
    Control(
        name="another_stream",
        says="a number is drawn and thrown away before each layer's",
        plant=instead(nn.Linear, "reset_parameters", one_draw_later),
        told="another random stream",
    ),
)
