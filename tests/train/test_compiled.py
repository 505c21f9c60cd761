"""A compiled ensemble's seeds end where each would end alone, and none depends on its company."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, Adam

from suite.case import Case, Stepper, fixed
from suite.expect import final_loss, same_as
from suite.plan import DTYPES, Cell
from suite.train import compiled, eager, ensemble
from suite.trial import Trial
from tests.cells import NO_CLOCKS, MakeCell

pytestmark = pytest.mark.skipif(compiled.no_compiler("cpu") is not None, reason="there is no compiler here")


def hidden(width: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Build one input, one hidden layer, one output."""
    return nn.Sequential(nn.Linear(1, width), activation(), nn.Linear(width, 1))


CURVE = Case(
    name="curve",
    architecture=partial(hidden, 4),
    data=fixed(x=[[-1.0], [0.5], [2.0]], target=[[1.0], [0.25], [4.0]]),
    loss=nn.MSELoss(),
    optimizer=partial(SGD, lr=0.01, momentum=0.9),
    steps=40,
)


def losses(trial: Trial) -> list[float]:
    """Return a trial's recorded losses, the final one last."""
    return [*(loss for _, loss in trial.curve), trial.final_loss]


def bits(trials: Iterable[Trial]) -> dict[int, Trial]:
    """Return trials by seed, without what depends on their company."""
    return {t.seed: replace(t, **NO_CLOCKS) for t in trials}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_case_follows_the_reference_in_any_company(dtype: str, cell_of: MakeCell) -> None:
    """In every dtype it stays within its rounding of the documents' loop, and alone ends as among many."""
    tolerance = {"float64": 1e-12, "float32": 1e-4, "bfloat16": 0.2, "float16": 0.02}[dtype]
    cell = cell_of(replace(CURVE, expect=[final_loss(low=0.0)]), dtype=dtype)
    many = compiled.train(cell, range(300))
    for together, alone in zip(many, eager.train(cell, range(3)), strict=False):
        assert together.reason == ""
        assert (together.init_digest, together.init_norm) == (alone.init_digest, alone.init_norm)
        np.testing.assert_allclose(losses(together), losses(alone), rtol=tolerance)
    # Each company of another size is compiled anew, which takes half a minute where numbers are short.
    for few in ([7, 3, 0], range(100, 290)) if dtype in {"float64", "float32"} else ([299, 130, 0],):
        assert bits(compiled.train(cell, list(few))) == {seed: bits(many)[seed] for seed in few}


@settings(max_examples=6, deadline=None)
@given(
    width=st.integers(1, 6),
    activation=st.sampled_from([nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid]),
    loss=st.sampled_from([nn.MSELoss(), nn.L1Loss(), nn.MSELoss(reduction="sum")]),
    optimizer=st.sampled_from([partial(SGD, lr=0.01, momentum=0.9, nesterov=True), partial(Adam, lr=0.01)]),
    seed=st.integers(0, 2**64 - 4),
)
def test_a_small_architecture_follows_the_reference(
    width: int, activation: type[nn.Module], loss: nn.Module, optimizer: Callable[..., Stepper], seed: int
) -> None:
    """Whatever the layers, the loss and the optimizer, each seed ends where it ends alone."""
    case = replace(CURVE, architecture=partial(hidden, width, activation), loss=loss, optimizer=optimizer, steps=21)
    cell = Cell(case=case, version="", device="cpu", dtype="float64", mode="compiled", seeds=range(seed, seed + 3))
    for together, alone in zip(compiled.train(cell, cell.seeds), eager.train(cell, cell.seeds), strict=True):
        assert (together.seed, together.reason) == (alone.seed, "")
        np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-9, atol=1e-12)


def test_a_longer_case_is_trained_by_compiled_steps(cell_of: MakeCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the updates that are watched, whole calls do the steps; the odd ones between two marks are played."""
    called: list[int] = []

    class Counted(compiled.Compiled):
        def advance(self, updates: int) -> torch.Tensor:
            called.append(updates)
            return super().advance(updates)

    monkeypatch.setattr(compiled, "Compiled", Counted)
    cell = cell_of(replace(CURVE, steps=100))
    (trial,) = compiled.train(cell, [0])
    assert sum(called) == 99
    assert trial.compile_seconds > 0.0
    np.testing.assert_allclose(losses(trial), losses(eager.train(cell, [0])[0]), rtol=1e-12)


def test_a_twin_is_compiled_too(cell_of: MakeCell) -> None:
    """A case that is compared with another sees it trained in its own way: equal cases, equal bits."""
    cell = cell_of(replace(CURVE, expect=[same_as(replace(CURVE, name="twin", expect=()))]))
    (trial,) = compiled.train(cell, [0])
    assert [value for _, value in trial.observations] == [0.0]


def test_an_ensemble_compiles_nothing(cell_of: MakeCell) -> None:
    """Only a compiled trial has a compile time."""
    cell = cell_of(CURVE)
    assert {t.compile_seconds for t in (*ensemble.train(cell, [0]), *eager.train(cell, [0]))} == {0.0}


WITHOUT_A_COMPILER = """
import torch._inductor.config as config
from suite.discover import discover, documented
from suite.plan import make_plan
from suite.train.suited import suited

config.cpp.cxx = (None, "no-such-compiler")
(case,) = discover([documented() / "guide" / "relu.py"]).cases
plan, notes = suited(make_plan([case], dtypes=("float32",), modes=("ensemble", "compiled")))
print([cell.mode for cell in plan.cells], *notes)
"""


def test_without_a_compiler_there_is_one_sentence_and_an_ensemble() -> None:
    """A plan of compiled cells becomes one of ensembles, once each, and says why; torch remembers, so elsewhere."""
    command = [sys.executable, "-c", WITHOUT_A_COMPILER]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    told = "['ensemble'] cpu: seeds are trained as an ensemble, since none compiles: "
    assert done.stdout.startswith(told), done.stderr
    assert "no-such-compiler" in done.stdout
    assert done.stdout.count("\n") == 1
