"""Whether the networks of a case's seeds differ in nothing but the numbers in their parameters.

All seeds of an ensemble are computed through the network of one of them: what else a seed draws, a layer's
kind or a buffer's numbers, would be that one's for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from types import BuiltinFunctionType, CodeType
from typing import Any

from torch import Tensor, nn

from suite.case import Case
from suite.discover import same
from suite.draw import draw

EVERY_MODULE = frozenset(vars(nn.Module()))
"""The attributes that all modules have, whatever they are made for."""
PLAIN = (bool, int, float, complex, str, bytes, type, type(None), BuiltinFunctionType, CodeType, Tensor)
"""What can be held against its like; what else an attribute may be says nothing by being another object."""

Trait = tuple[str, str, Any]
"""A module's name, what of it, and its value."""


class Alike:
    """Draws the networks of a case's seeds, and holds each against that of a first one."""

    def __init__(self, case: Case, seed: int) -> None:
        """Keep what the network of this seed is made of."""
        self.case, self.seed = case, seed
        self.traits = list(_traits(draw(case, seed)))

    def parameters(self, seed: int) -> dict[str, nn.Parameter]:
        """Draw a seed's network and return its parameters, on the CPU in float32.

        Raises:
            ValueError: if it is made of anything else than the first one; naming both seeds and what is another.
        """
        network = draw(self.case, seed)
        for other in _others(_traits(network), self.traits):
            raise ValueError(f"seed {seed} draws another {other} than seed {self.seed}, not other numbers alone")
        return dict(network.named_parameters())


def _traits(network: nn.Module) -> Iterator[Trait]:
    """Give all that a network is made of beside its parameters' numbers."""
    for name, module in network.named_modules():
        yield name, "kind", type(module)
        for buffer, value in module.named_buffers(recurse=False):
            yield name, buffer, value
        own = vars(module)
        for key in sorted(own.keys() - EVERY_MODULE):
            value = getattr(own[key], "__code__", own[key])  # of a function, which may be written anew for each
            if _plain(value):
                yield name, key, value


def _plain(value: Any) -> bool:
    return all(map(_plain, value)) if isinstance(value, tuple | list) else isinstance(value, PLAIN)


def _others(ours: Iterable[Trait], theirs: Iterable[Trait]) -> Iterator[str]:
    """Name what differs, by its module."""
    nothing = "", "module", object
    for (name, key, one), (there, key_there, other) in zip_longest(ours, theirs, fillvalue=nothing):
        if (name, key) != (there, key_there) or not _same(one, other):
            yield f"{key} of {name or 'the network'}"


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return same(one, other) if isinstance(one, Tensor) else bool(one is other or one == other)
