"""Updates that are not the document's, from the first on or from a later one."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD

from suite.audit.fault import Fault, Function, Plant, instead
from suite.judge import Stage

AT_FIRST = (Stage.UPDATE,)
LATER = (Stage.LATER,)
SGD_MODULE = sys.modules[SGD.__module__]
"""``torch.optim.sgd``, which torch hides behind the class."""
UPDATE = "_single_tensor_sgd"
"""The function there that changes parameters, one after the other."""
ONE_ULP = 1.0 + float(np.finfo(np.float32).eps)

Change = Callable[[list[Tensor], list[Tensor], list[Any]], tuple[list[Tensor], list[Tensor], list[Any]]]
"""From parameters, gradients and momentum buffers to others."""


def another_of_torchs(name: str) -> Function:
    """Return what puts another of torch's own functions for SGD in a function's place."""
    return lambda _update: getattr(SGD_MODULE, name)


def fused_skips() -> bool:
    """Tell whether this torch's fused update leaves whole vectors of a short dtype as they are."""
    value = torch.nn.Parameter(torch.zeros(64, dtype=torch.bfloat16))
    value.grad = torch.ones_like(value)
    SGD([value], lr=0.1, momentum=0.9, fused=True).step()
    return bool((value == 0.0).any())


def options(**changes: Callable[[Any], Any]) -> Plant:
    """Return what changes options of every update: ``lr=lambda lr: 2 * lr``."""

    def change(update: Function) -> Function:
        def changed(*tensors: Any, **given: Any) -> None:
            update(*tensors, **given | {name: become(given[name]) for name, become in changes.items()})

        return changed

    return instead(SGD_MODULE, UPDATE, change)


def tensors(change: Change) -> Plant:
    """Return what makes every update with other parameters, gradients or buffers."""

    def changed(update: Function) -> Function:
        def made(params: Any, grads: Any, buffers: Any, *rest: Any, **given: Any) -> None:
            update(*change(params, grads, buffers), *rest, **given)

        return made

    return instead(SGD_MODULE, UPDATE, changed)


def steps(change: Callable[[SGD, int, Callable[[], Any]], Any]) -> Plant:
    """Return what does ``change(optimizer, number, step)`` in place of an optimizer's steps, numbered from 1."""

    def counted(step: Function) -> Function:
        made: WeakKeyDictionary[SGD, int] = WeakKeyDictionary()

        def stepped(self: SGD, closure: Any = None) -> Any:
            made[self] = made.get(self, 0) + 1
            return change(self, made[self], lambda: step(self, closure))

        return stepped

    return instead(SGD, "step", counted)


def every(number: int) -> Plant:
    """Return what leaves every so-manieth step out."""
    return steps(lambda _optimizer, count, step: step() if count % number else None)


def slower_from_50(optimizer: SGD, count: int, step: Callable[[], Any]) -> Any:
    """Take a hundredth off the learning rate at every step from the fiftieth on."""
    if count >= 50:
        optimizer.param_groups[0]["lr"] *= 0.99
    return step()


def forgetting(when: Callable[[int], bool]) -> Plant:
    """Return what sets momentum to zero before some steps."""

    def change(optimizer: SGD, count: int, step: Callable[[], Any]) -> Any:
        for state in optimizer.state.values():
            if when(count) and state.get("momentum_buffer") is not None:
                state["momentum_buffer"].zero_()
        return step()

    return steps(change)


def dampened(update: Function) -> Function:
    """Begin with momentum of zero, and add a tenth of each gradient."""

    def made(params: list[Tensor], grads: list[Tensor], buffers: list[Any], *rest: Any, **given: Any) -> None:
        if given["momentum"]:
            buffers[:] = [torch.zeros_like(g) if b is None else b for g, b in zip(grads, buffers, strict=True)]
        update(params, grads, buffers, *rest, **given | {"dampening": given["momentum"]})

    return made


def one_buffer(update: Function) -> Function:
    """Keep one buffer for all parameters of as many entries."""

    def made(params: list[Tensor], grads: list[Tensor], buffers: list[Any], *rest: Any, **given: Any) -> None:
        shared: dict[int, Tensor] = {}
        for place, gradient in enumerate(grads if given["momentum"] else ()):
            kept = shared.setdefault(gradient.numel(), gradient.clone() if buffers[place] is None else buffers[place])
            buffers[place] = kept.view(gradient.shape)
        update(params, grads, buffers, *rest, **given)

    return made


def left_over(update: Function) -> Function:
    """Begin with the momentum that the network before left."""
    kept: dict[tuple[int, torch.Size, torch.dtype], Tensor] = {}

    def made(params: list[Tensor], grads: list[Tensor], buffers: list[Any], *rest: Any, **given: Any) -> None:
        for place, gradient in enumerate(grads if given["momentum"] else ()):
            key = place, gradient.shape, gradient.dtype
            if buffers[place] is None and key in kept:
                buffers[place] = kept[key].clone()
        update(params, grads, buffers, *rest, **given)
        for place, buffer in enumerate(buffers):
            kept[place, buffer.shape, buffer.dtype] = buffer

    return made


FAULTS = (
    Fault(
        name="momentum_lower",
        says="momentum is 0.89 where 0.9 is asked for",
        stages=LATER,
        plant=options(momentum=lambda momentum: momentum * 0.89 / 0.9),
    ),
    Fault(
        name="momentum_dampened",
        says="momentum begins at zero and takes a tenth of each gradient",
        stages=AT_FIRST,
        plant=instead(SGD_MODULE, UPDATE, dampened),
        modelled_on="ml-explore/mlx#473",
    ),
    Fault(
        name="momentum_nesterov",
        says="momentum is Nesterov's",
        stages=AT_FIRST,
        plant=options(nesterov=lambda _nesterov: True),
    ),
    Fault(
        name="momentum_forgotten",
        says="momentum is set to zero before every step",
        stages=LATER,
        plant=forgetting(lambda _count: True),
        modelled_on="kozistr/pytorch_optimizer#516",
    ),
    Fault(
        name="momentum_reset_at_30",
        says="momentum is set to zero before step 30",
        stages=LATER,
        plant=forgetting(lambda count: count == 30),
    ),
    Fault(
        name="momentum_shared",
        says="parameters of as many entries share one momentum buffer",
        stages=AT_FIRST,
        plant=instead(SGD_MODULE, UPDATE, one_buffer),
        modelled_on="pytorch/pytorch#1489",
    ),
    Fault(
        name="momentum_left_over",
        says="an optimizer begins with the momentum that the one before left",
        stages=AT_FIRST,
        plant=instead(SGD_MODULE, UPDATE, left_over),
    ),
    Fault(
        name="rate_off",
        says="the learning rate is a thousandth too large",
        stages=AT_FIRST,
        plant=options(lr=lambda lr: lr * 1.001),
    ),
    Fault(
        name="rate_last_digit",
        says="the learning rate is the next float32 up",
        stages=AT_FIRST,
        plant=options(lr=lambda lr: lr * ONE_ULP),
    ),
    Fault(
        name="rate_last_bit",
        says="the learning rate is the next float64 up",
        stages=AT_FIRST,
        plant=options(lr=lambda lr: math.nextafter(lr, math.inf)),
        beyond_reach="one rounding of a float64 is what other kernels do, too",
    ),
    Fault(
        name="rate_decays_from_50",
        says="the learning rate falls by a hundredth a step from step 50 on",
        stages=LATER,
        plant=steps(slower_from_50),
        modelled_on="pytorch/pytorch#22107",
    ),
    Fault(
        name="decay_leaks",
        says="a weight decay of 0.0001 was not asked for",
        stages=AT_FIRST,
        plant=options(weight_decay=lambda _decay: 1e-4),
    ),
    Fault(
        name="gradients_clipped",
        says="gradients are clipped to five before the update",
        stages=(Stage.UPDATE, Stage.LATER),
        plant=tensors(lambda params, grads, buffers: (params, [g.clamp(-5, 5) for g in grads], buffers)),
        modelled_on="clab/dynet#1511",
    ),
    Fault(
        name="last_parameter_left",
        says="the last parameter is never updated",
        stages=AT_FIRST,
        plant=tensors(lambda params, grads, buffers: (params[:-1], grads[:-1], buffers)),
        modelled_on="pytorch/pytorch#118117",
    ),
    Fault(
        name="last_parameter_climbs",
        says="the last parameter is updated in the wrong direction",
        stages=AT_FIRST,
        plant=tensors(lambda params, grads, buffers: (params, [*grads[:-1], -grads[-1]], buffers)),
    ),
    Fault(
        name="every_10th_step_left",
        says="every tenth step makes no update",
        stages=LATER,
        plant=every(10),
    ),
    Fault(
        name="every_50th_step_left",
        says="every fiftieth step makes no update",
        stages=LATER,
        plant=every(50),
    ),
    Fault(
        name="update_fused",
        says="torch's own fused update takes the place of the plain one",
        stages=AT_FIRST,
        plant=instead(SGD_MODULE, UPDATE, another_of_torchs("_fused_sgd")),
        modelled_on="pytorch/pytorch#191763",
        beyond_reach="" if fused_skips() else "this torch has no such defect",
    ),
)
