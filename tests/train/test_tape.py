"""A tape keeps what was done on lanes, and a replay does it again, to the bit, with every tensor in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn

from suite.train.lanes import Lanes
from suite.train.replay import Replay
from suite.train.tape import Tape, tape

LANES = 64
VECTOR = torch.linspace(-2.0, 2.0, 3)
MATRIX = torch.linspace(-1.0, 1.0, 9).reshape(3, 3)

Layer = Callable[[Tensor], Tensor]

LAYERS: dict[str, Layer] = {
    "relu": torch.relu,
    "leaky relu": lambda x: nn.functional.leaky_relu(x, 0.1),
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardtanh": nn.functional.hardtanh,
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "normalised": lambda x: nn.functional.layer_norm(x, (3,)),
    "sorted": lambda x: torch.sort(x, dim=1).values,
    "product": lambda x: x @ MATRIX.to(x.dtype),
    "product with itself": lambda x: x @ x.mT @ x,
    "constant": lambda x: x + VECTOR,
    "in place": lambda x: (x * 1.0).add_(VECTOR).mul_(0.5),
    "onto zeros": lambda x: torch.zeros_like(x).add_(x),
    "through another dtype": lambda x: x.to(torch.float16).to(x.dtype),
    "transposed twice": lambda x: x.mT.contiguous().mT,
    "joined": lambda x: torch.cat([x[:, :1], x[:, 1:]], dim=-1),
    "twice itself": lambda x: x * x,
    "turned against itself": lambda x: x * x.flip(0),
    "residual": lambda x: x + torch.tanh(x),
}
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
"""Of what is kept and played."""


def values(seed: int, dtype: torch.dtype) -> Tensor:
    """Draw two by three matrices on all lanes."""
    return torch.randn(2, 3, LANES, generator=torch.Generator().manual_seed(seed)).to(dtype)


def done(network: Layer, x: Tensor) -> list[Tensor]:
    """Return the gradient of a network and its answer, on lanes."""
    leaf = Lanes(x).requires_grad_()
    answer = network(leaf)
    (gradient,) = torch.autograd.grad(answer.square().sum(), leaf)
    return [part.detach().wide for part in (gradient, answer)]  # type: ignore[attr-defined]


def kept(network: Layer, x: Tensor) -> fx.GraphModule:
    """Keep what is done for the gradient of a network and its answer."""
    with tape([x]) as running:
        outputs = done(network, x)
    return running.finish(outputs)


def chain(names: list[str]) -> Layer:
    """Return layers one after the other."""
    return nn.Sequential(*(Wrapped(LAYERS[name]) for name in names))


class Wrapped(nn.Module):
    """A function as a module."""

    def __init__(self, layer: Layer) -> None:
        """Keep it."""
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Apply it."""
        return self.layer(x)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_a_tape_and_its_replay_do_the_same_to_other_values(names: list[str], dtype: torch.dtype, seed: int) -> None:
    """Any chain of layers, played with values never seen, twice, gives the bits of doing it anew."""
    network, x = chain(names), values(seed, dtype)
    played = kept(network, x)
    replay = Replay(played, [x])
    for other in (values(seed + 1, dtype), values(seed + 2, dtype)):
        x.copy_(other)
        wanted = done(network, other)
        for way in (played(x), replay()):
            assert all(same_bits(*pair) for pair in zip(way, wanted, strict=True))


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Compare bytes."""
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))


def test_a_replay_leaves_its_inputs_and_its_places_as_they_are() -> None:
    """Being made changes no input; every call answers in the same tensors."""
    x = values(0, torch.float32)
    before = x.clone()
    replay = Replay(kept(torch.tanh, x), [x])
    assert torch.equal(x, before)
    assert [value.data_ptr() for value in replay()] == [value.data_ptr() for value in replay()]


def test_memory_is_used_again() -> None:
    """A long chain of layers needs no more memory than a short one, but for what the gradient reads again."""
    x = values(0, torch.float32)
    calls = Replay(kept(chain(["constant"] * 20), x), [x])._all
    addresses = {call.keywords["out"].data_ptr() for call in calls if isinstance(call, partial)}
    assert len(addresses) < 8


def test_all_but_the_last_output_can_be_had_alone() -> None:
    """The gradient alone takes fewer operations, and is the same."""
    x = values(0, torch.float32)
    with tape([x]) as running:
        gradient, answer = done(torch.tanh, x)
        outputs = [gradient, (Lanes(answer) ** 3).wide]  # type: ignore[attr-defined]
    replay = Replay(running.finish(outputs), [x])
    assert len(replay._all_but_last) == len(replay._all) - 1
    x.copy_(values(1, torch.float32))
    (found,) = replay.all_but_last()
    assert same_bits(found, done(torch.tanh, x)[0])


def test_what_a_view_shows_is_changed_with_it() -> None:
    """A view taken before its tensor is changed in place shows the change, whichever outputs are asked for."""
    x = values(0, torch.float32)
    with tape([x]) as running:
        whole = Lanes(x) * 2.0
        row = whole[0]
        whole.add_(1.0)
        outputs = [part.wide for part in (row.sin(), row.cos())]  # type: ignore[attr-defined]
    replay = Replay(running.finish(outputs), [x])
    x.copy_(values(1, torch.float32))
    (found,) = replay.all_but_last()
    assert torch.equal(found, (x[0] * 2.0 + 1.0).sin())


def test_what_changes_an_input_is_done_whatever_is_asked_for() -> None:
    """An update in place is no output, and yet is played."""
    x = torch.zeros(LANES)
    with tape([x]) as running, running:
        x.add_(1.0)
        y = x * 2.0
    replay = Replay(running.finish([x, y]), [x])
    assert torch.equal(x, torch.ones(LANES))
    replay.all_but_last()
    assert torch.equal(x, torch.full((LANES,), 2.0))
    assert torch.equal(replay()[1], torch.full((LANES,), 6.0))


def test_constants_are_no_operations() -> None:
    """What does not depend on the inputs is done once, when it is kept."""
    x = values(0, torch.float32)
    with tape([x]) as running:
        constant = (VECTOR * 3.0).exp()
        outputs = [(Lanes(x) + constant).wide]  # type: ignore[attr-defined]
    played = running.finish(outputs)
    targets = [node.target for node in played.graph.nodes if node.op == "call_function"]
    assert targets == [torch.ops.aten.add.Tensor]


def test_a_constant_that_is_added_to_begins_anew_at_every_play() -> None:
    """Zeros that an input is added to in place are zeros again at the next play."""
    x = values(0, torch.float32)
    played = kept(LAYERS["onto zeros"], x)
    assert torch.equal(played(x)[1], played(x)[1])
    replay = Replay(played, [x])
    assert torch.equal(replay()[1].clone(), replay()[1])


@pytest.mark.parametrize("name", ["sum", "mean", "mul", "leaky relu", "relu"])
def test_what_torch_can_write_in_place_is_written_in_place(name: str) -> None:
    """The operations that a step consists of allocate nothing."""
    layers: dict[str, Layer] = {
        **LAYERS,
        "sum": lambda x: x.sum(1),
        "mean": lambda x: x.mean(0),
        "mul": lambda x: x * x,
    }
    x = values(0, torch.float32)
    with tape([x]) as running:
        outputs = [layers[name](Lanes(x)).wide]  # type: ignore[attr-defined]
    for call in Replay(running.finish(outputs), [x])._all:
        assert isinstance(call, partial)
        assert call.func.__name__ != "copy"


def test_lists_of_tensors_that_are_changed_at_once_are_not_played() -> None:
    """What cannot be kept is found out when the tape is finished, and not lost."""
    value = torch.ones(3)
    kept = Tape([value])
    with kept:
        torch._foreach_add_([value], 1.0)
    with pytest.raises(ValueError, match="lists of tensors are changed at once"):
        kept.finish([value])
