"""The one-ulp probe: how far rounding alone carries a seed's losses.

A probed seed is trained once more, each of its parameters moved to the next number up or down, at random, at
the start and again at every step at which the curve is recorded. What a loss, the first gradient and the first
update are moved by is what other kernels may move them by, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from suite.observe import Array, root, scale
from suite.train.leave import Left, Stacked, flat, numbers
from suite.trial import GRADIENT, LOSS, UPDATE, Distance

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By bytes of a number: the integers in whose order its neighbours stand."""

DIGITS = 3
"""Of a distance, which is a measure and no result."""


class Kicks:
    """Moves parameters of some seeds by one unit in the last place; each seed draws its directions by itself."""

    def __init__(self, seeds: Sequence[int]) -> None:
        """Begin the directions of these seeds."""
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    @torch.no_grad()
    def __call__(self, parameters: Iterable[Tensor]) -> None:
        """Move parameters ``(*shape, seeds)`` in place, each number once."""
        for value in parameters if self.generators else ():
            ups = [torch.randint(2, value.shape[:-1], generator=generator) for generator in self.generators]
            value.copy_(moved(value, torch.stack(ups, dim=-1).to(value.device)))


def moved(value: Tensor, up: Tensor) -> Tensor:
    """Return the neighbour of each number, larger in size where ``up`` is 1, else smaller; zero has none."""
    bits = value.contiguous().view(INTEGERS[value.element_size()])
    neighbour = (bits + (2 * up - 1).to(bits.dtype)).view(value.dtype)
    return torch.where((value != 0) & value.isfinite(), neighbour, value)


def distances(left: Left, again: Left, steps: int) -> dict[int, tuple[Distance, ...]]:
    """Return, by seed, how far all that a gate compares was moved; ``again`` holds probed seeds of ``left``."""
    if not again.seeds:
        return {}
    row = {seed: place for place, seed in enumerate(left.seeds)}
    rows = [row[seed] for seed in again.seeds]
    found = list(_distances(left, again, rows, steps))
    return {
        seed: tuple((name, step, _rounded(far[place])) for name, step, far in found)
        for place, seed in enumerate(again.seeds)
    }


def _distances(left: Left, again: Left, rows: Sequence[int], steps: int) -> Iterator[tuple[str, int, Array]]:
    yield GRADIENT, 0, _apart(left.gradient, again.gradient, rows)
    yield UPDATE, 0, _apart(left.updated, again.updated, rows)
    losses = _losses(left)[rows]
    ours, theirs, unit = root(losses), root(_losses(again)), scale(losses)[:, 0]
    for place, step in enumerate([*left.curve_steps, steps]):
        yield LOSS, step, _relative(_between(ours[:, place], theirs[:, place]), unit)


def _losses(left: Left) -> Array:
    return np.column_stack([numbers(left.curve), numbers(left.final_loss)])


def _apart(ours: Stacked, theirs: Stacked, rows: Sequence[int]) -> Array:
    """Return the Euclidean distance over all entries, relative to the norm: ``(seeds,)``."""
    plain = flat(ours)[rows]
    return _relative(np.linalg.norm(_between(plain, flat(theirs)), axis=1), np.linalg.norm(plain, axis=1))


def _between(ours: Array, theirs: Array) -> Array:
    """Return the distance of numbers; two that are not finite have none, and one that is not is infinitely far."""
    finite, once = np.isfinite(ours), np.isfinite(theirs)
    with np.errstate(invalid="ignore"):
        distance: Array = np.where(finite & once, np.abs(ours - theirs), np.where(finite | once, np.inf, 0.0))
    return distance


def _relative(distance: Array, size: Array) -> Array:
    """Divide; nothing moved is a distance of 0, whatever the size, and what moved by infinity is infinitely far."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(distance == 0.0, 0.0, distance / size)
    return np.nan_to_num(share, nan=np.inf, posinf=np.inf)


def _rounded(distance: float) -> float:
    return float(f"{distance:.{DIGITS}g}")
