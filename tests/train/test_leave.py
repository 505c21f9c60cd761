"""What training left becomes a record: digests of exact bits, norms in float64, and values as they are."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suite.case import Case, fixed
from suite.expect import final_loss, parameter
from suite.observe import Probe
from suite.picture import path
from suite.plan import DTYPES, Cell
from suite.train.leave import Left, Times, digests, failed, norms, numbers, projections, trajectories, trials
from suite.train.prepare import dtype_of, prepare
from suite.trial import Status, Trial, marks
from tests.cells import MakeCell

NAMES = st.sampled_from([*DTYPES, "int64"])
PHASES = ("drawn", "initial", "gradient", "gradient_after", "updated", "final")


def tensor_of(data: bytes, dtype: str, seeds: int) -> Tensor:
    """Return the bytes as ``(seeds, entries)`` of a dtype: any bits at all, NaNs among them."""
    return torch.frombuffer(bytearray(data), dtype=dtype_of(dtype)).reshape(seeds, -1)


@given(st.integers(1, 10**6))
def test_a_curve_is_marked_at_zero_at_every_power_of_two_and_at_the_last_step(steps: int) -> None:
    """The marks are 0, 1, 2, 4, 8 … and the last step, in order and each once."""
    powers = [2**k for k in range(21) if 2**k < steps]
    assert marks(steps) == tuple(sorted({0, *powers, steps - 1}))


def test_the_marks_of_a_hundred_steps_are_these() -> None:
    """So that the rule is seen at work; one step has one mark."""
    assert marks(100) == (0, 1, 2, 4, 8, 16, 32, 64, 99)
    assert [marks(steps) for steps in (1, 2, 3)] == [(0,), (0, 1), (0, 1, 2)]


@given(dtype=NAMES, data=st.binary(min_size=48, max_size=48), bit=st.integers(0, 48 * 8 - 1))
def test_one_bit_of_one_entry_changes_the_digest_of_its_seed_alone(dtype: str, data: bytes, bit: int) -> None:
    """Whatever the bits mean, flipping one is seen, in that seed and in no other."""
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    before, after = (digests({"w": tensor_of(bytes(bits), dtype, 2)}) for bits in (data, flipped))
    changed = bit // 8 // 24
    assert before[changed] != after[changed]
    assert before[1 - changed] == after[1 - changed]


@given(dtype=NAMES, first=st.binary(min_size=32, max_size=32), second=st.binary(min_size=48, max_size=48))
def test_a_digest_is_the_hash_of_all_bytes_in_order(dtype: str, first: bytes, second: bytes) -> None:
    """It is BLAKE2b over the entries of every parameter, one after the other, and nothing else."""
    stacked = {"w": tensor_of(first, dtype, 1), "b": tensor_of(second, dtype, 1)}
    assert digests(stacked) == [blake2b(first + second, digest_size=8).hexdigest()]


@given(dtype=NAMES, data=st.binary(min_size=96, max_size=96))
def test_a_digest_does_not_depend_on_company_or_layout(dtype: str, data: bytes) -> None:
    """A seed alone has the digest that it has among others, and so has a tensor that lies otherwise in memory."""
    matrix = tensor_of(data, dtype, 4)
    assert digests({"w": matrix}) == [digests({"w": matrix[row : row + 1]})[0] for row in range(4)]
    assert digests({"w": matrix.T.contiguous().T}) == digests({"w": matrix})


def test_minus_zero_is_another_number() -> None:
    """Digests compare bits, not values."""
    assert digests({"w": torch.tensor([[0.0]])}) != digests({"w": torch.tensor([[-0.0]])})


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_norm_is_numpys_over_all_entries_in_float64(dtype: str) -> None:
    """The Euclidean norm of all parameters of a seed together, computed in float64 whatever the dtype."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"w": (5, 3, 2), "b": (5, 3), "scale": (5,)}
    stacked = {name: torch.randn(shape, generator=generator).to(dtype_of(dtype)) for name, shape in shapes.items()}
    flat = np.concatenate([value.double().numpy().reshape(5, -1) for value in stacked.values()], axis=1)
    assert norms(stacked) == pytest.approx(np.linalg.norm(flat, axis=1), rel=1e-15)


@given(st.integers(1, 6), st.integers(1, 300))
def test_a_norm_does_not_depend_on_company(seeds: int, entries: int) -> None:
    """A seed alone has the very bits of the norm that it has among others."""
    stacked = torch.randn(seeds, entries, generator=torch.Generator().manual_seed(entries))
    assert norms({"w": stacked}) == [norms({"w": stacked[row : row + 1]})[0] for row in range(seeds)]


def test_a_norm_that_is_not_finite_is_kept() -> None:
    """Infinity and NaN come through as they are, each in its own seed."""
    found = norms({"w": torch.tensor([[math.inf, 1.0], [3.0, 4.0], [math.nan, 1.0]])})
    assert found[:2] == [math.inf, 5.0]
    assert math.isnan(found[2])


@given(dtype=st.sampled_from(DTYPES), data=st.binary(min_size=64, max_size=64))
def test_values_read_in_float64_are_exact(dtype: str, data: bytes) -> None:
    """Every number of every dtype is a float64, so that nothing is rounded."""
    tensor = tensor_of(data, dtype, 1)
    assert torch.equal(torch.from_numpy(numbers(tensor)).to(tensor.dtype).nan_to_num(7.0), tensor.nan_to_num(7.0))
    assert numbers(tensor).dtype == np.float64


def two_seeds(case: Case) -> Left:
    """Return what seeds 3 and 8 of a neuron left, with other numbers in every phase; 8 diverged."""
    phases = {
        phase: {"weight": torch.full((2, 1, 1), float(k)) * torch.tensor([[[1.0]], [[2.0]]])}
        for k, phase in enumerate(PHASES, 1)
    }
    more: dict[str, Any] = phases
    return Left(
        seeds=(3, 8),
        curve_steps=marks(case.steps),
        curve=torch.arange(18.0).reshape(2, 9),
        final_loss=torch.tensor([0.5, math.inf], dtype=torch.float64),
        ways={"weight": torch.arange(20.0).reshape(2, 10, 1, 1)},
        outputs={Probe(): torch.tensor([[1.0], [2.0]])},
        **more,
    )


TIMES = (Times(train=1.0, yardstick=0.1), Times(train=2.0, yardstick=0.2, together=7))


def recorded(case: Case, cell: Cell, **changes: Any) -> list[Trial]:
    """Return the trials of what two seeds left, apart from what is changed."""
    bench = prepare(cell)
    left = replace(two_seeds(case), **changes)
    return list(trials(cell, bench, left, trajectories(bench, left, {}), TIMES, {8: (("loss", 0, 0.5),)}))


def test_what_is_looked_at_is_what_was_left(neuron: Case, cell_of: MakeCell) -> None:
    """Each phase, curve, loss and output reaches the expectations under its own name, in float64."""
    left = two_seeds(neuron)
    bench, other = prepare(cell_of(neuron)), trajectories(prepare(cell_of(neuron)), left, {})
    seen = trajectories(replace(bench, facts={len: 1.0}), left, {"twin": other})  # type: ignore[dict-item]
    found = [seen.initial, seen.gradient, seen.gradient_after, seen.final]
    assert [values["weight"].ravel().tolist() for values in found] == [[2.0, 4.0], [3.0, 6.0], [4.0, 8.0], [6.0, 12.0]]
    assert (seen.seeds, seen.curve_steps, seen.twins) == ((3, 8), marks(100), {"twin": other})
    assert np.array_equal(seen.curve, np.arange(18.0).reshape(2, 9))
    assert np.array_equal(seen.final_loss, [0.5, math.inf])
    assert np.array_equal(seen.ways["weight"].ravel(), np.arange(20.0))
    assert np.array_equal(seen.outputs[Probe()], [[1.0], [2.0]])
    assert list(seen.facts.values()) == [1.0]


def test_pictures_are_kept_of_the_seeds_that_are_pictured(neuron: Case, cell_of: MakeCell) -> None:
    """Each of their curves becomes points, in order; another seed leaves none."""
    case = replace(neuron, show=[path("weight")])
    unseen, seen = recorded(case, cell_of(case, pictured=(8,)))
    assert unseen.graphs == ()
    updates = [0, *(step + 1 for step in marks(100))]
    assert seen.graphs == tuple(("weight", "trained", float(x), 10.0 + k) for k, x in enumerate(updates))


def test_each_phase_has_its_own_digest_and_norm(neuron: Case, cell_of: MakeCell) -> None:
    """The initial digest and norm are of the parameters as drawn, all others of those that are trained."""
    first, second = recorded(neuron, cell_of(neuron))
    left = two_seeds(neuron)
    by_phase = {phase: digests(getattr(left, phase)) for phase in PHASES}
    for row, trial in enumerate((first, second)):
        found = (trial.init_digest, trial.gradient_digest, trial.update_digest, trial.final_digest)
        assert found == tuple(by_phase[phase][row] for phase in ("drawn", "gradient", "updated", "final"))
    assert (first.init_norm, first.start_norm, first.gradient_norm, first.update_norm, first.final_norm) == (
        1,
        2,
        3,
        5,
        6,
    )
    assert second.final_norm == 12.0


def test_data_are_recorded_as_they_were_trained_on(neuron: Case, cell_of: MakeCell) -> None:
    """Digest and norm of inputs and targets together are the same for all seeds, and of the cell's dtype."""
    case = replace(neuron, data=fixed(x=[[1.0], [2.0]], target=[[5.0], [6.0]]))
    exact, rounded = (recorded(case, cell_of(case, dtype=dtype)) for dtype in ("float64", "float16"))
    data = {
        name: torch.tensor([part], dtype=torch.float64) for name, part in (("x", [1.0, 2.0]), ("target", [5.0, 6.0]))
    }
    assert [trial.data_digest for trial in exact] == digests(data) * 2
    assert [trial.data_norm for trial in exact] == [math.sqrt(66.0)] * 2
    assert rounded[0].data_digest != exact[0].data_digest


def test_a_trial_says_which_cell_and_seed_it_is_of(neuron: Case, cell_of: MakeCell) -> None:
    """Case, version, device, dtype and mode are the cell's, steps the case's, times those of its own loop."""
    cell = cell_of(neuron, dtype="bfloat16")
    first, second = recorded(neuron, cell)
    assert (first.case, first.case_version, first.device) == ("neuron", cell.version, "cpu")
    assert (first.dtype, first.mode, first.steps, first.reason) == ("bfloat16", "eager", 100, "")
    assert [trial.seed for trial in (first, second)] == [3, 8]
    assert [trial.train_seconds for trial in (first, second)] == [1.0, 2.0]
    assert [trial.yardstick_seconds for trial in (first, second)] == [0.1, 0.2]
    assert [trial.seeds_together for trial in (first, second)] == [1, 7]


def test_losses_are_recorded_step_by_step(neuron: Case, cell_of: MakeCell) -> None:
    """The curve pairs each mark with its loss, and the first loss is its first."""
    first, second = recorded(neuron, cell_of(neuron))
    assert first.curve == tuple(zip(marks(100), range(9), strict=True))
    assert (first.first_loss, second.first_loss) == (0.0, 9.0)


@pytest.mark.parametrize("loss", [math.inf, -math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_recorded_as_it_is(neuron: Case, cell_of: MakeCell, loss: float) -> None:
    """Such a trial diverged; its loss is neither replaced nor left out, and the other seed is what it was."""
    first, second = recorded(neuron, cell_of(neuron), final_loss=torch.tensor([0.5, loss]))
    assert (first.status, first.final_loss) == (Status.OK, 0.5)
    assert second.status is Status.DIVERGED
    assert repr(second.final_loss) == repr(loss)


def test_each_observation_is_recorded_by_name(neuron: Case, cell_of: MakeCell) -> None:
    """The columns of every observation come in the order of the expectations, with the seed's own values."""
    case = replace(neuron, expect=[final_loss(high=1.0), parameter("weight", low=0.0)])
    first, second = recorded(case, cell_of(case))
    assert first.observations == (("final loss", 0.5), ("weight", 6.0))
    assert second.observations == (("final loss", math.inf), ("weight", 12.0))


def test_a_seed_that_could_not_be_trained_has_a_reason_and_no_figures(neuron: Case, cell_of: MakeCell) -> None:
    """An error keeps its cell, its seed and its reason; every figure is NaN and every digest is missing."""
    cell = cell_of(neuron, dtype="float16")
    found = asdict(failed(cell, 5, "ValueError: no"))
    words = {"case": "neuron", "case_version": cell.version, "device": "cpu", "dtype": "float16", "mode": "eager"}
    rest = {"seed": 5, "status": Status.ERROR, "steps": 0, "seeds_together": 1, "reason": "ValueError: no"}
    empty = {"curve": (), "observations": (), "graphs": (), "distances": ()}
    assert {name: found.pop(name) for name in words | rest | empty} == words | rest | empty
    assert {found.pop(name) for name in list(found) if name.endswith("_digest")} == {"-"}
    assert all(math.isnan(figure) for figure in found.values())


def test_a_projection_sees_what_a_norm_does_not(neuron: Case, cell_of: MakeCell) -> None:
    """Each phase has one: its entries times fixed numbers; a sign or an order that changed is seen, seed by seed."""
    first, second = recorded(neuron, cell_of(neuron))
    assert first.start_projection == pytest.approx(2 * math.cos(1.0))
    assert second.gradient_projection == pytest.approx(6 * math.cos(1.0))
    assert first.update_projection == pytest.approx(5 * math.cos(1.0))
    assert first.data_projection == pytest.approx(math.cos(1.0) + 5 * math.cos(2.0))
    stacked = torch.tensor([[3.0, 4.0], [4.0, 3.0], [-3.0, 4.0]])
    assert norms({"w": stacked}) == [5.0, 5.0, 5.0]
    assert len(set(projections({"w": stacked}))) == 3
    assert projections({"w": stacked[:, :1], "v": stacked[:, 1:]}) == projections({"w": stacked})


def test_what_a_probe_measured_is_its_seeds(neuron: Case, cell_of: MakeCell) -> None:
    """A seed that was not probed has none."""
    assert [trial.distances for trial in recorded(neuron, cell_of(neuron))] == [(), (("loss", 0, 0.5),)]
