"""A network as its documents draw it: columns of neurons, found by listening to one forward pass.

Listening, and not looking at modules, finds what a ``forward`` does by hand, too: what a matrix of parameters is
multiplied into is a layer, what adds a vector of them its bias, and what keeps the shape an activation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from suite.case import Case
from suite.draw import DATA_SEED, batch, draw, globals_kept

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT_AXES = 2
MOST_POINTS = 1000
"""Data of more points than this are not drawn."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One column of neurons: what goes into each, and what becomes of the sum."""

    inputs: int
    outputs: int
    bias: bool = False
    activation: str = ""
    """Name of the function that follows."""


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """What there is to draw of a case before it is trained."""

    layers: tuple[Layer, ...] = ()
    """From its inputs on; none, if the network holds nothing that looks like one."""
    points: tuple[tuple[float, float], ...] = ()
    """Inputs and targets, where both are single numbers."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One function that a forward pass called, with the tensors that it was given and gave."""

    name: str
    given: tuple[Tensor, ...]
    out: Tensor


def sketch(case: Case) -> Sketch:
    """Return what there is to draw of a case; what is global is left as it was found."""
    import torch

    with globals_kept(), torch.no_grad():
        network = draw(case, DATA_SEED)
        x, target = batch(case)
        heard = _listen(network, x)
        return Sketch(layers=tuple(_layers(heard, list(network.parameters()))), points=_points(x, target))


def _listen(network: Any, x: Tensor) -> list[Heard]:
    """Run the network once and return what it called, in order."""
    import torch
    from torch.overrides import TorchFunctionMode

    heard = []

    class Ear(TorchFunctionMode):
        """Takes down what goes by."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            given = tuple(value for value in (*args, *(kwargs or {}).values()) if isinstance(value, torch.Tensor))
            if isinstance(out, torch.Tensor):
                heard.append(Heard(name=getattr(func, "__name__", ""), given=given, out=out))
            return out

    with Ear():
        network(x)
    return heard


def _layers(heard: Iterable[Heard], parameters: Sequence[Tensor]) -> Iterator[Layer]:
    storages = {value.untyped_storage().data_ptr(): value.ndim for value in parameters}
    layer: Layer | None = None
    for call in heard:
        axes = [storages.get(value.untyped_storage().data_ptr(), 0) for value in call.given]
        signals = [value for value, count in zip(call.given, axes, strict=True) if not count]
        if max(axes, default=0) >= WEIGHT_AXES and signals and call.out.ndim:
            yield from [layer] if layer else []
            layer = Layer(inputs=signals[0].shape[-1], outputs=call.out.shape[-1], bias=1 in axes)
        elif layer and 1 in axes:
            layer = replace(layer, bias=True)
        elif layer and signals and _is_activation(call, signals):
            layer = replace(layer, activation=call.name)
    yield from [layer] if layer else []


def _is_activation(call: Heard, signals: Sequence[Tensor]) -> bool:
    """Tell whether a function gave other numbers in the shape of the only ones that it was given."""
    return len(signals) == 1 and call.out.shape == signals[0].shape and call.out.data_ptr() != signals[0].data_ptr()


def _points(x: Tensor, target: Tensor) -> tuple[tuple[float, float], ...]:
    """Return the points that the data are, where they are points of a plane; one that is not finite has no place."""
    if x.shape != target.shape or x.numel() != x.shape[0] or len(x) > MOST_POINTS or len(x) < 2:
        return ()
    points = zip(x.double().flatten().tolist(), target.double().flatten().tolist(), strict=True)
    return tuple(point for point in points if all(map(math.isfinite, point)))
