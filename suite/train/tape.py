"""A tape: the plain operations that were done on lanes, kept to be done again with other values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten

ALWAYS_THE_SAME = {aten.ones_like.default, aten.zeros_like.default, aten.full_like.default}
"""Operations that look at no value of what they are given."""


class Tape(TorchDispatchMode):
    """Keeps the plain operations done on lanes, to be played again with other values.

    What does not depend on the inputs is done once, here, and kept as a constant. ``largest`` is the
    number of bytes of the largest answer, ``constants`` the number of tensors held.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        """Begin with the tensors that will hold other values at every play."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph, self.held = fx.Graph(), nn.Module()
        self.alive: list[Tensor] = []
        self.nodes: dict[int, fx.Node] = {}
        self.largest = self.constants = 0
        self.whole = True
        """Nothing was done that cannot be kept: lists of tensors, changed at once."""
        for place, tensor in enumerate(inputs):
            self._know(tensor, self.graph.placeholder(f"input_{place}"))

    def _know(self, tensor: Tensor, node: fx.Node) -> None:
        self.alive.append(tensor)  # an id is a tensor's own only as long as it lives
        self.nodes[id(tensor)] = node

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do an operation and keep it, if it depends on an input."""
        kwargs = kwargs or {}
        if func in ALWAYS_THE_SAME or not self._depends(args, kwargs):
            return func(*args, **kwargs)
        if func._schema.is_mutable and not isinstance(args[0], Tensor):
            self.whole = False
            return func(*args, **kwargs)
        if func._schema.is_mutable and id(args[0]) not in self.nodes:
            self._know(args[0], self.graph.call_function(aten.clone.default, (self._constant(args[0].clone()),)))
        node = self.graph.call_function(func, *tree_map(self._node, (args, kwargs)))
        answer = func(*args, **kwargs)
        self._know_answer(answer, node)
        return answer

    def _depends(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return any(id(value) in self.nodes for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor))

    def _know_answer(self, answer: Any, node: fx.Node) -> None:
        if isinstance(answer, Tensor):
            self.largest = max(self.largest, answer.nbytes)
            self._know(answer, node)
            return
        for place, part in enumerate(answer):
            if isinstance(part, Tensor):
                self._know_answer(part, self.graph.call_function(part_of, (node, place)))

    def _node(self, value: Any) -> Any:
        """Return the node of a tensor; one that is not known is a constant."""
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self.nodes:
            self._know(value, self._constant(value))
        return self.nodes[id(value)]

    def _constant(self, value: Tensor) -> fx.Node:
        """Hold a tensor under a name."""
        name = f"constant_{self.constants}"
        self.constants += 1
        self.held.register_buffer(name, value)
        return self.graph.get_attr(name)

    def finish(self, outputs: Sequence[Tensor]) -> fx.GraphModule:
        """Return what was kept as a function from the inputs to the outputs.

        Raises:
            ValueError: if something was done that cannot be kept.
        """
        if not self.whole:
            raise ValueError("lists of tensors are changed at once, which cannot be played again")
        self.graph.output(tuple(self._node(output) for output in outputs))
        self.graph.eliminate_dead_code()
        return fx.GraphModule(self.held, self.graph)


def part_of(answer: Sequence[Tensor], place: int) -> Tensor:
    """Return one of an operation's several answers."""
    return answer[place]


_tapes: list[Tape] = []


@contextmanager
def taping() -> Iterator[None]:
    """Let what is done in this block be kept, if a tape is running."""
    if not _tapes:
        yield
        return
    with _tapes[-1]:
        yield


@contextmanager
def tape(inputs: Sequence[Tensor]) -> Iterator[Tape]:
    """Keep what is done on lanes in this block."""
    kept = Tape(inputs)
    _tapes.append(kept)
    try:
        yield kept
    finally:
        _tapes.remove(kept)
