"""What training leaves to look at, and how an expectation looks at it.

Everything here is NumPy in float64 with the seeds as the first axis, so that one seed and
ten thousand are looked at by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suite.case import Case

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = NDArray[np.float64]


def root(losses: Array) -> Array:
    """Return losses' roots, with their sign: a square error in the unit in which outputs are moved."""
    roots: Array = np.copysign(np.sqrt(np.abs(losses)), losses)
    return roots


def scale(losses: Array) -> Array:
    """Return the unit in which losses are compared, the root of a seed's first: ``(seeds, points)`` to ``(seeds, 1)``.

    The first that is neither 0 nor infinite, since nothing can be measured in those; 0, where none is.
    """
    sizes = np.abs(root(losses))
    usable = np.isfinite(sizes) & (sizes > 0.0)
    first = np.take_along_axis(sizes, usable.argmax(axis=1)[:, None], axis=1)
    return np.where(usable.any(axis=1, keepdims=True), first, 0.0)


def apart(ours: Array, theirs: Array) -> Array:
    """Return how far numbers lie apart: 0 where they are equal, infinities too, or both are NaN; NaN where one is."""
    equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        distance: Array = np.where(equal, 0.0, np.abs(ours - theirs))
    return distance


@dataclass(frozen=True)
class Probe:
    """Inputs to show to the network, before the first step or after the last."""

    inputs: tuple[Any, ...] | None = None
    """Nested tuples of numbers; None stands for the case's own inputs."""
    at_start: bool = False


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """A fresh network of the case (drawn from seed 0), for facts that need no training."""

    network: nn.Module
    x: Tensor
    target: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizer: Any
    tensor: Callable[[Any], Tensor]
    """Makes a tensor on the cell's device in the cell's dtype from nested numbers."""


Fact = Callable[[Specimen], float]


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """What some seeds of one cell left behind; ``seeds`` is the first axis of every array."""

    seeds: Sequence[int]
    initial: Mapping[str, Array]
    """Parameters before the first step, by name: ``(seeds, *shape)``."""
    final: Mapping[str, Array]
    """Parameters after the last step, by name: ``(seeds, *shape)``."""
    gradient: Mapping[str, Array]
    """Gradients of the first step, by parameter: ``(seeds, *shape)``; zero where there was none."""
    gradient_after: Mapping[str, Array]
    """The same gradients, read again after ``step()``."""
    curve_steps: Sequence[int]
    curve: Array
    """Losses as the loop computed them at ``curve_steps``: ``(seeds, points)``."""
    final_loss: Array
    """Loss after the last update, computed in float64: ``(seeds,)``."""
    ways: Mapping[str, Array] = field(default_factory=dict)
    """Followed parameters at the start and after each of ``curve_steps``, by name: ``(seeds, points + 1, *shape)``."""
    outputs: Mapping[Probe, Array] = field(default_factory=dict)
    """What the network answered to each probe: ``(seeds, *shape)``."""
    facts: Mapping[Fact, float] = field(default_factory=dict)
    """What each fact came to, once for the cell."""
    twins: Mapping[str, Trajectories] = field(default_factory=dict)
    """The same seeds through another case, by its name."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A named number (or array of numbers) that each seed leaves behind."""

    name: str
    look: Callable[[Trajectories], Array]
    """Gives ``(seeds,)`` or ``(seeds, *shape)``."""
    probe: Probe | None = None
    fact: Fact | None = None
    twin: Case | None = None
    parameters: tuple[str, ...] = ()
    """Parameters that it looks at, so that a wrong name is found before anything is trained."""

    def shape(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """Return the shape of what each seed leaves: its parameter's, if it is called after one; else a number's."""
        (only, *more) = self.parameters or ("",)
        return shapes.get(only, ()) if not more and self.name in {only, f"{only} at start"} else ()

    def looks_as(self, other: Observation) -> bool:
        """Tell whether both look at the same thing in the same way, whatever they are called."""
        return all(_alike(getattr(self, part), getattr(other, part)) for part in ("look", "probe", "fact", "twin"))

    def columns(self, trajectories: Trajectories) -> Iterator[tuple[str, Array]]:
        """Give each element's name and its values ``(seeds,)``; an only element has no index."""
        values = np.asarray(self.look(trajectories), dtype=np.float64)
        flat = values.reshape(len(trajectories.seeds), -1)
        yield from zip(elements(self.name, values.shape[1:]), flat.T, strict=True)


def elements(name: str, shape: Sequence[int]) -> list[str]:
    """Name each element of an observation of this shape; an only element has no index."""
    indices = list(np.ndindex(*shape))
    return [name] if len(indices) == 1 else [f"{name}[{','.join(map(str, index))}]" for index in indices]


def _alike(ours: Any, theirs: Any) -> bool:
    """Tell whether two values, or two functions and what they hold, are the same."""
    if ours is theirs or not (isinstance(ours, FunctionType) and isinstance(theirs, FunctionType)):
        return ours is theirs or repr(ours) == repr(theirs)
    held = [[cell.cell_contents for cell in function.__closure__ or ()] for function in (ours, theirs)]
    return ours.__code__ == theirs.__code__ and all(map(_alike, *held))


def belongs(element: str, observation: str) -> bool:
    """Tell whether ``element`` is the observation itself or one of its elements."""
    return element == observation or (element.startswith(observation + "[") and element.endswith("]"))


def freeze(numbers: Any) -> Any:
    """Turn nested lists of numbers into nested tuples, which can be compared and hashed."""
    nested = np.asarray(numbers, dtype=np.float64).tolist()
    return _tuples(nested)


def _tuples(nested: Any) -> Any:
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested
