"""What all seeds of a cell share is made ready once: on its device, in its dtype, and out of their reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from suite.case import Case, fixed
from suite.draw import globals_kept
from suite.expect import fact, final_loss, output, parameter, raises, same_as, untrained
from suite.observe import Probe, Specimen
from suite.plan import DTYPES
from suite.train.prepare import Bench, dtype_of, prepare
from tests.cells import MakeCell


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_of_a_plan_is_one_of_torch(name: str) -> None:
    """The name of a dtype, as the plan has it, is torch's own."""
    assert str(dtype_of(name)) == f"torch.{name}"


def test_a_name_that_is_no_dtype_is_refused() -> None:
    """Something of torch's that is no dtype is not taken for one."""
    with pytest.raises(AssertionError):
        dtype_of("relu")


@pytest.mark.parametrize("dtype", DTYPES)
def test_data_and_probes_are_in_the_dtype_of_the_cell(neuron: Case, cell_of: MakeCell, dtype: str) -> None:
    """Inputs, targets and probes hold the numbers of the case file, rounded to the cell's dtype."""
    case = replace(neuron, expect=[output(low=0.0), output(at=[[0.1], [0.2]], low=0.0)])
    bench = prepare(cell_of(case, dtype=dtype))
    torch_dtype = dtype_of(dtype)
    assert torch.equal(bench.x, torch.tensor([1.0], dtype=torch_dtype))
    assert torch.equal(bench.target, torch.tensor([5.0], dtype=torch_dtype))
    assert bench.probes[Probe()] is bench.x
    assert torch.equal(bench.probes[Probe(((0.1,), (0.2,)))], torch.tensor([[0.1], [0.2]], dtype=torch_dtype))
    assert {value.dtype for value in (bench.x, bench.target, *bench.probes.values())} == {torch_dtype}


def on_device(specimen: Specimen) -> bool:
    """Tell whether a specimen is where it should be: on no real device."""
    tensors = [specimen.x, specimen.target, specimen.tensor([1.0]), *specimen.network.parameters()]
    return {tensor.device.type for tensor in tensors} == {"meta"}


def test_everything_is_on_the_device_of_the_cell(neuron: Case, cell_of: MakeCell) -> None:
    """Inputs, targets, probes, networks and what a fact makes lie where the cell trains; drawn is on the CPU."""
    expect = [output(low=0.0), output(at=[[0.1]], low=0.0), fact(on_device)]
    bench = prepare(cell_of(replace(neuron, expect=expect), device="meta"))
    assert {tensor.device.type for tensor in (bench.x, bench.target, *bench.probes.values())} == {"meta"}
    assert bench.facts == {on_device: 1.0}


def test_classes_stay_whole_numbers(neuron: Case, cell_of: MakeCell) -> None:
    """Targets that are class indices, and inputs that are token indices, are not cast."""
    case = replace(neuron, data=lambda: (torch.tensor([3]), torch.tensor([1])))
    bench = prepare(cell_of(case, dtype="float16"))
    assert (bench.x.dtype, bench.target.dtype) == (torch.int64, torch.int64)


def initial(bench: Bench, seed: int) -> list[list[float]]:
    """Return the parameters with which the network of a seed begins, cast and moved."""
    with globals_kept():
        network, _ = bench.network(seed)
    return [value.flatten().tolist() for value in network.parameters()]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_begins_from_the_float32_draw_in_every_dtype(neuron: Case, cell_of: MakeCell, dtype: str) -> None:
    """Parameters are drawn in float32 and then cast; they are also kept as they were drawn."""
    with globals_kept():
        torch.manual_seed(7)
        by_hand = nn.Linear(1, 1, bias=False).weight.detach()
        network, drawn = prepare(cell_of(neuron, dtype=dtype)).network(7)
    (weight,) = network.parameters()
    assert torch.equal(weight, by_hand.to(dtype_of(dtype)))
    assert torch.equal(drawn["weight"], by_hand)
    assert drawn["weight"].data_ptr() != weight.data_ptr()


def test_each_network_and_optimizer_is_a_fresh_one(neuron: Case, cell_of: MakeCell) -> None:
    """Two seeds share no parameter and no momentum."""
    bench = prepare(cell_of(neuron))
    first, second = (bench.network(0)[0] for _ in range(2))
    assert next(first.parameters()) is not next(second.parameters())
    assert bench.optimizer(first) is not bench.optimizer(first)


def test_a_copy_for_one_seed_shares_no_data(neuron: Case, cell_of: MakeCell) -> None:
    """What a network does to its own inputs and targets, it does to no other's."""
    bench = prepare(cell_of(neuron))
    own = bench.afresh()
    own.x.add_(1.0)
    own.target.add_(1.0)
    assert (bench.x.item(), bench.target.item()) == (1.0, 5.0)


def test_each_observation_is_made_once(neuron: Case, cell_of: MakeCell) -> None:
    """Two expectations about one thing look once, in the order in which they come; a group is looked at too."""
    dead = untrained("weight")
    case = replace(
        neuron,
        expect=[
            parameter("weight", low=0.0).among(dead),
            final_loss(high=1.0).among(dead),
            parameter("weight", high=9.0),
        ],
    )
    assert [o.name for o in prepare(cell_of(case)).observations] == ["weight", "dead", "final loss"]


def describe(specimen: Specimen) -> float:
    """Return a number that tells all parts of a specimen apart."""
    assert specimen.tensor([1, 2]).dtype == specimen.x.dtype == next(specimen.network.parameters()).dtype
    assert specimen.optimizer.param_groups[0]["params"] == list(specimen.network.parameters())
    specimen.x.mul_(0.0)
    torch.rand(())
    return specimen.loss(specimen.network(specimen.x + 1.0), specimen.target).item()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fact_is_looked_at_on_a_network_of_seed_zero(neuron: Case, cell_of: MakeCell, dtype: str) -> None:
    """A fact sees the cell's own dtype, optimizer, loss and data, and changes neither data nor generators."""
    before = torch.get_rng_state()
    bench = prepare(cell_of(replace(neuron, expect=[fact(describe)]), dtype=dtype))
    (weight,) = initial(bench, 0)[0]
    assert bench.facts[describe] == pytest.approx((weight - 5.0) ** 2, rel=torch.finfo(dtype_of(dtype)).eps * 4)
    assert bench.x.item() == 1.0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fact_is_looked_at_with_the_inputs_that_it_asks_for(neuron: Case, cell_of: MakeCell) -> None:
    """The refusal of wrong inputs is found before any training."""
    refused, taken = raises(RuntimeError, at=[1.0, 1.0]), raises(RuntimeError, at=[1.0])
    bench = prepare(cell_of(replace(neuron, expect=[refused, taken])))
    assert list(bench.facts.values()) == [1.0, 0.0]


def test_a_twin_is_prepared_on_the_same_cell_and_shown_its_own_inputs(neuron: Case, cell_of: MakeCell) -> None:
    """A twin shares device and dtype, has data of its own, and is asked for its answers to them."""
    twin = replace(neuron, name="twin", data=fixed(x=[2.0], target=[5.0]))
    (bench,) = prepare(cell_of(replace(neuron, expect=[same_as(twin)]), dtype="float16")).twins
    assert (replace(bench.case, loss=twin.loss), bench.dtype) == (twin, torch.float16)
    assert type(bench.case.loss) is type(twin.loss)
    assert bench.case.loss is not twin.loss  # which may keep something, and is every cell's
    assert torch.equal(bench.x, torch.tensor([2.0], dtype=torch.float16))
    assert bench.probes == {Probe(): bench.x}


def test_without_expectations_nothing_is_looked_at(neuron: Case, cell_of: MakeCell) -> None:
    """A case that expects nothing needs no probe, no fact and no twin."""
    bench = prepare(cell_of(neuron))
    assert (bench.observations, dict(bench.probes), dict(bench.facts), bench.twins) == ((), {}, {}, ())
