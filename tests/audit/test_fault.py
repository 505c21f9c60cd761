"""What is planted is there for the length of a block, and gone after it, to the last attribute."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional, init
from torch.optim import SGD

from suite.audit.controls import CONTROLS, UNCHANGED
from suite.audit.fault import Control, Fault, own
from suite.audit.faults import FAULTS

PLANTED = (*FAULTS, *(control for control in CONTROLS if control.name.endswith(("_out", "_foreach", "_fused"))))
PLACES = (torch, init, functional, np.random, sys.modules[SGD.__module__], nn.Linear, SGD)
KERNELS = (
    "relu",
    "leaky_relu",
    "mm",
    "addmm",
    "mse_loss",
    "mse_loss_backward",
    "threshold_backward",
    "leaky_relu_backward",
)


def state_of_torch() -> dict[Any, Any]:
    """Return all that a fault may change: attributes by identity, default arguments, kernels as torch lists them."""
    attributes = {(place.__name__, name): id(value) for place in PLACES for name, value in vars(place).items()}
    kernels = {name: torch._C._dispatch_dump(f"aten::{name}") for name in KERNELS}
    return {**attributes, **kernels, "defaults": functional.leaky_relu.__defaults__}


def train() -> torch.Tensor:
    """Train a small network for three steps; return its last loss."""
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1), nn.LeakyReLU())
    optimizer = SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        loss = functional.mse_loss(network(torch.ones(4, 2)), torch.ones(4, 1))
        loss.backward()
        optimizer.step()
    return loss.detach()


@pytest.fixture(autouse=True)
def _step_is_hooked() -> None:
    """Let torch wrap the class's step, as it does when the first optimizer is made."""
    train()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_fault_is_there_within_its_block_only(planted: Fault | Control) -> None:
    """Something of torch differs within the block, networks can be trained there, and nothing differs after it."""
    before = state_of_torch()
    with planted.plant():
        assert state_of_torch() != before
        train()
    assert state_of_torch() == before


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_fault_goes_when_its_block_raises(planted: Fault | Control) -> None:
    """What the block raises comes out, and torch is as it was."""
    before = state_of_torch()
    with pytest.raises(ZeroDivisionError), planted.plant():
        raise ZeroDivisionError
    assert state_of_torch() == before


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted_again(fault: Fault) -> None:
    """A second planting begins afresh, so that it does what the first did."""
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        with fault.plant():
            losses.append(train())
    assert torch.equal(*losses)


def test_names_are_unique() -> None:
    """No two things that the audit plants share a name."""
    counts = Counter(planted.name for planted in (*FAULTS, UNCHANGED, *CONTROLS))
    assert [name for name, count in counts.items() if count > 1] == []


def test_a_reference_names_a_repository_and_a_number() -> None:
    """What a fault is modelled on can be looked up: owner/repository#number."""
    references = [fault.modelled_on for fault in FAULTS if fault.modelled_on]
    assert len(references) >= len(FAULTS) / 2
    assert all(name.count("/") == 1 and number.isdigit() for name, _, number in (r.partition("#") for r in references))


def test_own_is_the_kernel_that_torch_has() -> None:
    """The variant with ``out`` gives the bits that the operation gives while nothing is planted."""
    left, right = torch.rand(3, 4), torch.rand(4, 5)
    assert torch.equal(own(torch.mm, left, right), left @ right)
