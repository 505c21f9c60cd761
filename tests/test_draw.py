"""A seed's starting point is the same wherever and beside whatever it is drawn, and drawing leaves no trace."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import SGD

from suite.case import Case, by_name, fixed
from suite.draw import batch, draw, globals_kept, is_drawn, optimizer_for

SEEDS = st.integers(0, 2**64 - 1)


def generator_states() -> tuple[Any, ...]:
    """Return the states of all global generators, so that they can be compared."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the old global generator is what is looked at
    return torch.get_rng_state().tolist(), name, keys.tolist(), rest, random.getstate()  # type: ignore[attr-defined]


def draw_from_all() -> tuple[float, float, float]:
    """Draw one number from each global generator."""
    return torch.rand(()).item(), np.random.rand(), random.random()  # noqa: NPY002 - as above


def case_of(architecture: Callable[[], nn.Module], **more: Any) -> Case:
    """Make a case of an architecture, for which training does not matter."""
    parts: dict[str, Any] = {
        "data": fixed(x=[1.0], target=[1.0]),
        "loss": nn.MSELoss(),
        "optimizer": partial(SGD, lr=0.1),
    }
    return Case(architecture=architecture, steps=1, **(parts | more))


@given(seed=SEEDS)
def test_generators_are_left_as_they_were_found(seed: int) -> None:
    """Whatever is drawn inside, the generators of torch, NumPy and Python go on as if nothing had been."""
    before = generator_states()
    with globals_kept():
        draw(case_of(partial(nn.Linear, 1, 1)), seed)
        draw_from_all()
    assert generator_states() == before


def test_generators_are_left_as_they_were_found_after_an_error() -> None:
    """An architecture that draws and then raises leaves no trace either."""

    def draws_and_raises() -> nn.Module:
        draw_from_all()
        raise RuntimeError("no network")

    before = generator_states()
    with pytest.raises(RuntimeError, match="no network"), globals_kept():
        draw(case_of(draws_and_raises), 0)
    assert generator_states() == before


def found_global() -> tuple[object, ...]:
    """Return what is global beside the generators."""
    torch_makes = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    return *torch_makes, Path.cwd(), sys.stdout, signal.getsignal(signal.SIGINT)


def unsettle(folder: Path) -> None:
    """Change all of it."""
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    os.chdir(folder)
    sys.stdout = io.StringIO()
    signal.signal(signal.SIGINT, lambda *_: None)


def test_whatever_code_makes_of_what_is_global_it_is_put_back(tmp_path: Path) -> None:
    """What torch makes, the folder, the output and who hears Ctrl-C are as they were; within, torch is as when new."""
    before = found_global()
    with globals_kept():
        new = found_global()
        unsettle(tmp_path)
        with globals_kept():
            assert found_global()[:3] == new[:3] == (torch.float32, torch.device("cpu"), True)
        assert found_global()[0] == torch.float64
    assert found_global() == before


def test_every_seed_is_drawn_in_float32(tmp_path: Path) -> None:
    """Also after an architecture that makes another dtype the usual one."""

    class Wide(nn.Linear):
        def __init__(self) -> None:
            super().__init__(1, 1)
            torch.set_default_dtype(torch.float64)

    with globals_kept():
        kinds = [draw(case_of(Wide), seed).weight.dtype for seed in range(2)]
    assert kinds == [torch.float32] * 2


def test_what_a_case_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Even after it closed its output, which is nobody else's."""
    with globals_kept():
        print("beside")
        sys.stdout.close()
    print("here")
    assert tuple(capsys.readouterr()) == ("here\n", "beside\n")


@pytest.mark.parametrize(("here", "devices"), [(True, [0, 1]), (False, [])])
def test_the_generators_of_every_card_are_kept(monkeypatch: pytest.MonkeyPatch, here: bool, devices: list[int]) -> None:
    """With two cards, the generators of both are kept; without CUDA none is asked for."""
    kept: list[list[int]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    def fork_rng(devices: Iterable[int]) -> AbstractContextManager[None]:
        kept.append(list(devices))
        return nullcontext()

    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    with globals_kept():
        assert kept == [devices]


@given(seed=SEEDS)
def test_a_seed_draws_what_the_documents_draw_after_seeding(seed: int) -> None:
    """The parameters are those of ``torch.manual_seed(seed)`` followed by the architecture, bit for bit."""
    with globals_kept():
        drawn = draw(case_of(partial(nn.Linear, 3, 2)), seed)
        torch.manual_seed(seed)
        by_hand = nn.Linear(3, 2)
    assert all(map(torch.equal, drawn.parameters(), by_hand.parameters()))


@pytest.mark.parametrize("here", [False, True])
def test_an_accelerator_is_seeded_too_where_there_is_one(monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    """With an accelerator all of torch's generators are seeded; the draw on the CPU is the same either way."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: here)
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    with globals_kept():
        drawn = draw(case_of(partial(nn.Linear, 3, 2)), 11)
        torch.default_generator.manual_seed(11)
        by_hand = nn.Linear(3, 2)
    assert all(map(torch.equal, drawn.parameters(), by_hand.parameters()))
    assert bool(seeded) == here


@given(first=SEEDS, second=SEEDS)
def test_a_draw_depends_on_nothing_but_its_seed(first: int, second: int) -> None:
    """All three generators are seeded, so that what was drawn before makes no difference."""
    seen: list[tuple[float, float, float]] = []

    def architecture() -> nn.Module:
        seen.append(draw_from_all())
        return nn.Identity()

    with globals_kept():
        for seed in (first, second, first):
            draw(case_of(architecture), seed)
    assert seen[0] == seen[2]
    assert (seen[0] == seen[1]) == (first == second)


@given(seed=SEEDS)
def test_numpy_and_python_are_seeded_with_the_seed_itself(seed: int) -> None:
    """Python takes any seed; NumPy takes its remainder below 2³², all of it."""
    seen: list[tuple[float, float, float]] = []

    def architecture() -> nn.Module:
        seen.append(draw_from_all())
        return nn.Identity()

    with globals_kept():
        draw(case_of(architecture), seed)
    assert seen[0][1:] == (np.random.RandomState(seed % 2**32).rand(), random.Random(seed).random())


def test_parameters_are_drawn_in_float32() -> None:
    """The default dtype of the constructor decides the stream, and nothing is cast yet."""
    with globals_kept():
        drawn = draw(case_of(partial(nn.Linear, 1, 1)), 0)
    assert {value.dtype for value in drawn.parameters()} == {torch.float32}


def test_data_that_draws_is_the_same_at_every_call_and_leaves_no_trace() -> None:
    """Data may draw from the global generators, seeded or not: each call gives the same, and none leaves a trace."""

    def data() -> tuple[Tensor, Tensor]:
        return torch.tensor(draw_from_all()), torch.randn(3)

    case = case_of(partial(nn.Linear, 1, 1), data=data)
    before = generator_states()
    first = batch(case)
    with globals_kept():
        draw_from_all()
        second = batch(case)
    assert generator_states() == before
    assert all(map(torch.equal, first, second))
    with globals_kept():
        torch.manual_seed(0)
        assert first[0][0] == torch.rand(())


def test_data_can_be_changed_without_changing_the_case() -> None:
    """What a case file holds is copied: a network that works in place changes its own copy."""
    x, target = torch.ones(2), torch.ones(2)
    case = case_of(partial(nn.Linear, 1, 1), data=lambda: (x, target))
    for part in batch(case):
        part.add_(1.0)
    assert torch.equal(x, torch.ones(2))
    assert torch.equal(target, torch.ones(2))


def test_an_optimizer_gets_parameters_or_named_parameters() -> None:
    """``by_name`` gets names and parameters, any other optimizer the parameters, in the network's order."""
    got: list[list[Any]] = []

    class _Optimizer:
        def __init__(self, parameters: Any) -> None:
            got.append(list(parameters))

        def step(self) -> None:
            """Do nothing."""

    network = nn.Linear(2, 1)
    plain = case_of(lambda: network, optimizer=_Optimizer)
    optimizer_for(plain, network.named_parameters())
    optimizer_for(replace(plain, optimizer=by_name(_Optimizer)), network.named_parameters())
    assert [id(p) for p in got[0]] == [id(network.weight), id(network.bias)]
    assert [(name, id(p)) for name, p in got[1]] == [("weight", id(network.weight)), ("bias", id(network.bias))]


def zeros() -> nn.Module:
    """Build a layer whose random weights are set to zero."""
    layer = nn.Linear(2, 1)
    for value in layer.parameters():
        nn.init.zeros_(value)
    return layer


@pytest.mark.parametrize(("architecture", "drawn"), [(partial(nn.Linear, 2, 1), True), (zeros, False)])
def test_a_start_is_drawn_if_two_in_turn_differ(architecture: Callable[[], nn.Module], drawn: bool) -> None:
    """Numbers that are drawn and thrown away draw no start; generators are kept."""
    before = generator_states()
    assert is_drawn(case_of(architecture)) is drawn
    assert generator_states() == before


def test_a_start_is_drawn_even_if_seeds_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then all seeds start alike, which must not look as if they were meant to."""
    monkeypatch.setattr("suite.draw._seed_torch", lambda _seed: torch.default_generator.manual_seed(1))
    assert is_drawn(case_of(partial(nn.Linear, 2, 1)))
