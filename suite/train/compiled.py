"""The ensemble's step, compiled: gradient and update become a few fused loops over the lanes.

A call costs more than one step of a small network; so several steps make one call. Another number of
steps compiles to other arithmetic, in the last bit; so it is the same for all. So does a number of
lanes that leaves a part of a vector, or of a few vectors that a loop takes at once, over.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, fx

from suite.errors import told
from suite.plan import Cell
from suite.train import ensemble
from suite.train.ensemble import Ensemble
from suite.train.leave import guarded, undisturbed
from suite.trial import Trial

STEPS_A_CALL = 8

OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "emulate_precision_casts": True,  # round to the dtype after every operation, as one by one they do
    "cpp_wrapper": True,  # call the loops from C++, not from Python
}


def train(cell: Cell, seeds: Sequence[int], *, timed: bool = True) -> list[Trial]:
    """Train the given seeds of a cell together, compiled, and record each.

    ``timed`` False: other work runs beside this, and the yardstick is left out.
    """
    return guarded(ensemble.trained(Compiled), cell, seeds, timed=timed)


def no_compiler(device: str) -> str | None:
    """Return why nothing can be compiled for a device, as a sentence's end; None if it can."""
    with undisturbed():
        try:
            _compiled(_one_more, [torch.zeros(Compiled.block, device=device)])
        except Exception as error:
            return told(error)
    return None


def _one_more(value: Tensor) -> Tensor:
    return value + 1


def _compiled(step: Callable[..., Any], tensors: Sequence[Tensor]) -> Callable[..., Any]:
    """Compile a step by a first call, on copies of what it will be given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own, of what it uses itself
        compiled: Callable[..., Any] = torch.compile(step, fullgraph=True, dynamic=False, options=OPTIONS)
        compiled(*(value.clone() for value in tensors))
    return compiled


class Compiled(Ensemble):
    """An ensemble whose steps are compiled, but for those at which its optimizer is watched, and the odd ones."""

    block, least, most = 128, 128, 1024
    largest_tensor = 256 * 1024
    plays_updates = False

    def advance(self, updates: int) -> Tensor:
        """Make so many updates; return the losses before the last of them, ``(lanes,)``."""
        played = min(updates, self.update.still_watched)
        loss = super().advance(played) if played else torch.empty(0)
        if self.update.steady is None:
            return self._one_by_one(updates - played, loss)
        calls, odd = divmod(updates - played, STEPS_A_CALL)
        tensors = (*self.values, *self.update.state())
        for _ in range(calls):
            loss = self._steps(*tensors)
        return super().advance(odd) if odd else loss

    def _one_by_one(self, updates: int, loss: Tensor) -> Tensor:
        """Compute gradients by a compiled step, and let the optimizer make the updates."""
        for _ in range(updates):
            *gradients, loss = self._gradient(*self.values)
            self._give(gradients)
            self.update()
        return loss

    @cached_property
    def _gradient(self) -> Callable[..., Any]:
        return self._timed(self.recorded, self.values)

    @cached_property
    def _steps(self) -> Callable[..., Any]:
        assert self.update.steady is not None
        steps = unrolled(self.recorded, self.update.steady, len(self.values), STEPS_A_CALL)
        return self._timed(steps, [*self.values, *self.update.state()])

    def _timed(self, step: fx.GraphModule, tensors: Sequence[Tensor]) -> Callable[..., Any]:
        """Compile, and count how long that takes."""
        start = perf_counter()
        compiled = _compiled(step, tensors)
        self.compile_seconds += perf_counter() - start
        return compiled


def unrolled(step: fx.GraphModule, update: fx.GraphModule, parameters: int, times: int) -> fx.GraphModule:
    """Return so many steps and updates as one function of the parameters and the optimizer's state.

    It changes them in place and returns the losses before the last update. ``step`` maps parameters to
    gradients and losses; ``update`` changes parameters and state, given parameters, gradients and state.
    """
    graph = fx.Graph()
    count = sum(node.op == "placeholder" for node in update.graph.nodes)
    given = [graph.placeholder(f"value_{place}") for place in range(count - parameters)]
    loss = None
    for _ in range(times):
        *gradients, loss = _spliced(graph, step, given[:parameters])
        _spliced(graph, update, [*given[:parameters], *gradients, *given[parameters:]])
    graph.output(loss)
    return fx.GraphModule(step, graph)


def _spliced(graph: fx.Graph, part: fx.GraphModule, given: Sequence[fx.Node]) -> Any:
    """Copy a part's operations to a graph's end, with given nodes for its inputs; return its outputs."""
    inputs = (node for node in part.graph.nodes if node.op == "placeholder")
    return graph.graph_copy(part.graph, dict(zip(inputs, given, strict=True)))
