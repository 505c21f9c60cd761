"""Playing a tape with every tensor in its place, as a CUDA graph does: nothing is allocated, no view is made twice.

A step of a small network is a few dozen operations of a few microseconds each, and half of that is
Python and the allocator. So the operations are bound once: each writes into memory of its own, which
it gets back at every play, and which another operation may use after its last reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_leaves, tree_map_only

from suite.train.tape import part_of

aten = torch.ops.aten

Call = Callable[[], Any]
Writer = Callable[..., Any]
"""An operation that takes ``out``, the tensor to write its answer into."""


def _copied(value: Tensor, *_: Any, out: Tensor, **__: Any) -> None:
    out.copy_(value)


def _rectified(value: Tensor, *, out: Tensor) -> None:
    torch.clamp_min(value, 0, out=out)


WRITERS: dict[Any, Writer] = {
    aten.to.dtype: _copied,
    aten._to_copy.default: _copied,
    aten.clone.default: _copied,
    aten.relu.default: _rectified,
}
"""For operations that torch cannot do in place, or only by a detour, what does the same."""


class Replay:
    """What a tape kept, bound to its inputs: change them in place, call this, and read ``outputs``.

    ``outputs`` are the same tensors after every call.
    """

    def __init__(self, kept: fx.GraphModule, inputs: Sequence[Tensor]) -> None:
        """Bind every operation; the inputs keep their values."""
        before = [value.clone() for value in inputs]
        binder = _Binder(kept, inputs)
        self.outputs = binder.outputs
        self._all, self._all_but_last = list(binder.calls.values()), binder.leading_calls()
        for value, was in zip(inputs, before, strict=True):
            value.copy_(was)
        if any(value.is_cuda for value in inputs):
            self._all, self._all_but_last = [_captured(self._all)], [_captured(self._all_but_last)]

    def __call__(self) -> tuple[Tensor, ...]:
        """Do all operations again."""
        for call in self._all:
            call()
        return self.outputs

    def all_but_last(self) -> tuple[Tensor, ...]:
        """Do again what all outputs but the last need, and return these."""
        for call in self._all_but_last:
            call()
        return self.outputs[:-1]


def _captured(calls: Sequence[Call]) -> Call:
    """Return one call that makes the device do what these do, launched as a whole."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    return graph.replay


class _Binder:
    """Goes through a tape once and gives each operation its arguments and its memory."""

    def __init__(self, kept: fx.GraphModule, inputs: Sequence[Tensor]) -> None:
        self.nodes = list(kept.graph.nodes)
        self.owners = _owners(kept, inputs)
        self.memory = _Memory()
        self.calls: dict[fx.Node, Call] = {}
        self.outputs: tuple[Tensor, ...] = ()
        self.values: dict[fx.Node, Any] = {}
        given = iter(inputs)
        last = self._last_readers()
        for node in self.nodes:
            self.dying = last[node]
            self._bind(node, kept, given)
            for owner in self.dying:
                self.memory.free(self.values[owner])

    def leading_calls(self) -> list[Call]:
        """Return the calls that all outputs but the last need; those in place all are needed, for views' sake."""
        leading: Any = self.nodes[-1].args[0]
        needed = {node for node in self.calls if _works_in_place(node)} | set(leading[:-1])
        for node in reversed(self.nodes):
            needed |= set(node.all_input_nodes) if node in needed else set()
        return [call for node, call in self.calls.items() if node in needed]

    def _last_readers(self) -> dict[fx.Node, list[fx.Node]]:
        """Return, for each node, whose memory nobody reads after it."""
        reader = {self.owners[source]: node for node in self.nodes for source in (*node.all_input_nodes, node)}
        freed = defaultdict(list)
        for owner, node in reader.items():
            if node.op != "output":
                freed[node].append(owner)
        return freed

    def _bind(self, node: fx.Node, kept: fx.GraphModule, given: Iterator[Tensor]) -> None:
        if node.op == "placeholder":
            self.values[node] = next(given)
        elif node.op == "get_attr":
            self.values[node] = getattr(kept, str(node.target))
        elif node.op == "output":
            self.outputs = tuple(self._told(node.args[0]))
        else:
            self.values[node] = self._bound(node, *self._told((node.args, node.kwargs)))

    def _told(self, arguments: Any) -> Any:
        return fx.node.map_arg(arguments, self.values.__getitem__)

    def _bound(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        operation: Any = node.target
        if changes := _works_in_place(node):
            self.calls[node] = partial(_method_of(operation), *args, **kwargs)
        answer = operation(*args, **kwargs)
        if changes or self.owners[node] is not node:
            return answer
        write = _writing(operation, args, kwargs, answer)
        places = tree_map_only(Tensor, partial(self._place, node), answer)
        for place, part in zip(_parts(places), _parts(answer), strict=True):
            place.copy_(part)
        self.calls[node] = partial(write, out=places)
        return places

    def _place(self, node: fx.Node, answer: Tensor) -> Tensor:
        """Return memory for an answer; an elementwise one may lie where it reads what nobody needs after it."""
        operation: Any = node.target
        if operation is not part_of and torch.Tag.pointwise in operation.tags:
            for owner in self.dying:
                read: list[Tensor] = [self.values[s] for s in node.all_input_nodes if self.owners[s] is owner]
                if all(_laid_alike(value, answer) for value in read) and self.memory.gave(read[0]):
                    self.dying.remove(owner)
                    return read[0]
        return self.memory.like(answer)


def _works_in_place(node: fx.Node) -> bool:
    operation: Any = node.target
    return operation is not part_of and operation._schema.is_mutable


def _parts(answer: Any) -> tuple[Tensor, ...]:
    """Return the tensors among an operation's answers; one that was not asked for is None."""
    return tuple(part for part in tree_leaves(answer) if isinstance(part, Tensor))


def _owners(kept: fx.GraphModule, inputs: Sequence[Tensor]) -> dict[fx.Node, fx.Node]:
    """Return, for each node, the one whose memory it shows: another's for a view, else its own."""
    found = _Aliases(kept)
    found.run(*(value.clone() for value in inputs))
    return found.owners


class _Aliases(fx.Interpreter):
    """Does a tape's operations one after the other, and sees which memory each answer lies in."""

    def __init__(self, kept: fx.GraphModule) -> None:
        super().__init__(kept, garbage_collect_values=False)
        self.owners: dict[fx.Node, fx.Node] = {}

    def run_node(self, n: fx.Node) -> Any:
        answer = super().run_node(n)
        sources = (source for source in n.all_input_nodes if _addresses(answer) & _addresses(self.env[source]))
        source = next(sources, n) if n.op == "call_function" else n
        self.owners[n] = self.owners.get(source, n)
        return answer


def _addresses(value: Any) -> set[int]:
    """Return where the tensors in a value begin; one without an entry is nowhere."""
    return {part.untyped_storage().data_ptr() for part in _parts(value)} - {0}


class _Memory:
    """Pieces of memory, each used again once it is free."""

    def __init__(self) -> None:
        self.free_pieces: dict[tuple[torch.device, int], list[Tensor]] = defaultdict(list)
        self.used: dict[int, Tensor] = {}

    def like(self, value: Tensor) -> Tensor:
        """Return a tensor of a value's kind, shape and order of axes."""
        free = self.free_pieces[value.device, value.nbytes]
        piece = free.pop() if free else torch.empty(value.nbytes, dtype=torch.uint8, device=value.device)
        place = piece.view(value.dtype).as_strided(value.shape, torch.empty_like(value).stride())
        self.used[place.data_ptr()] = piece
        return place

    def gave(self, value: Tensor) -> bool:
        """Tell whether a tensor lies in memory that came from here."""
        return bool(_addresses(value) & self.used.keys())

    def free(self, value: Any) -> None:
        """Take back what was given, if it was."""
        for address in _addresses(value) & self.used.keys():
            piece = self.used.pop(address)
            self.free_pieces[piece.device, piece.nbytes].append(piece)


def _laid_alike(one: Tensor, other: Tensor) -> bool:
    return (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype)


def _method_of(operation: Any) -> Callable[..., Any]:
    """Return the tensor's own method for an operation in place: Python comes to it by a shorter way."""
    name = operation.overloadpacket.__name__
    method: Callable[..., Any] = getattr(Tensor, name, operation) if operation._schema.name.endswith("_") else operation
    return method


def _writing(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> Writer:
    """Return what writes an operation's answer into ``out``, to the bit: the fastest that torch has."""
    if isinstance(answer, Tensor):
        scratch = torch.empty_like(answer)
        for writer in _writers(operation):
            with suppress(TypeError, RuntimeError):  # torch's function of this name takes other arguments
                writer(*args, **kwargs, out=scratch)
                if _same_bits(scratch, answer):
                    return partial(writer, *args, **kwargs)

    def copy(out: Any) -> None:
        for place, part in zip(_parts(out), _parts(operation(*args, **kwargs)), strict=True):
            place.copy_(part)

    return copy


def _writers(operation: Any) -> Iterator[Writer]:
    """Find what may write an operation's answer into memory that is there: our own, Python's, the dispatcher's."""
    if operation in WRITERS:
        yield WRITERS[operation]
    wanted = [(argument.name, str(argument.type)) for argument in operation._schema.arguments]
    for overload in map(partial(getattr, operation.overloadpacket), operation.overloadpacket.overloads()):
        arguments = overload._schema.arguments
        outs = [argument.name for argument in arguments if argument.is_out]
        taken = [(argument.name, str(argument.type)) for argument in arguments if not argument.is_out]
        if taken == wanted and len(outs) == 1 and torch.Tag.generated not in overload.tags:
            yield from (f for f in [getattr(torch, operation.overloadpacket.__name__, None)] if f is not None)
            yield partial(_out_as, overload, outs[0])


def _out_as(overload: Any, name: str, *args: Any, out: Tensor, **kwargs: Any) -> None:
    overload(*args, **kwargs, **{name: out})


def _same_bits(found: Tensor, wanted: Tensor) -> bool:
    return torch.equal(*(value.contiguous().view(torch.uint8) for value in (found, wanted)))
