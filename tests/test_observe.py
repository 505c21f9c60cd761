"""Observations are arrays with the seeds first; each element of one becomes a named column."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from suite.observe import Array, Observation, Probe, Specimen, Trajectories, belongs, freeze, scale

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, max_side=12)
NAMES = st.sampled_from(["w", "layer.weight", "output at [1.0]", "final loss"])


def left_by(seeds: int) -> Trajectories:
    """Return what some seeds left behind: nothing but themselves."""
    nothing = np.zeros((seeds, 1))
    return Trajectories(
        seeds=range(seeds),
        initial={},
        final={},
        gradient={},
        gradient_after={},
        curve_steps=(0,),
        curve=nothing,
        final_loss=nothing[:, 0],
    )


def observation(look: Callable[[Trajectories], Array], **more: Any) -> Observation:
    """Make an observation called w."""
    return Observation(name="w", look=look, **more)


@given(shape=SHAPES, seeds=st.integers(1, 4))
def test_the_columns_of_an_observation_are_all_its_elements(shape: tuple[int, ...], seeds: int) -> None:
    """Each element is one column over the seeds, in C order; together they are the array again."""
    values = np.arange(seeds * int(np.prod(shape)), dtype=np.float64).reshape(seeds, *shape)
    columns = list(observation(lambda _: values).columns(left_by(seeds)))
    assert np.array_equal(np.stack([column for _, column in columns], axis=1).reshape(values.shape), values)


def test_an_element_is_named_by_its_index() -> None:
    """A matrix has a name for each row and column; a single number has the observation's name alone."""
    matrix, one = observation(lambda _: np.zeros((1, 2, 2))), observation(lambda _: np.zeros((1, 1, 1)))
    assert [name for name, _ in matrix.columns(left_by(1))] == ["w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]"]
    assert [name for name, _ in one.columns(left_by(1))] == ["w"]


def test_truth_values_and_whole_numbers_become_float64() -> None:
    """Whatever kind of number an author's function gives, a column is float64."""
    ((_, column),) = observation(lambda _: np.array([True, False])).columns(left_by(2))
    assert column.dtype == np.float64
    assert column.tolist() == [1.0, 0.0]


@given(name=NAMES, other=NAMES, shape=SHAPES)
def test_an_element_belongs_to_its_observation_alone(name: str, other: str, shape: tuple[int, ...]) -> None:
    """Every column of an observation belongs to it, and to no other name."""
    made = Observation(name=name, look=lambda _: np.zeros((1, *shape)))
    for element, _ in made.columns(left_by(1)):
        assert belongs(element, name)
        assert belongs(element, other) == (name == other)


@pytest.mark.parametrize("element", ["w2", "w2[0]", "v[0]", "w[0", "", "w at start"])
def test_a_name_that_only_begins_alike_does_not_belong(element: str) -> None:
    """Nothing but w and w[...] belongs to w."""
    assert not belongs(element, "w")


@given(arrays.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False)))
def test_frozen_numbers_are_equal_and_hash_alike_when_the_numbers_are_equal(numbers: Array) -> None:
    """Freezing loses nothing: a list and an array of equal numbers give one hashable value, which reads back."""
    frozen = freeze(numbers)
    assert frozen == freeze(numbers.tolist())
    assert hash(Probe(frozen)) == hash(Probe(freeze(numbers.copy())))
    assert np.array_equal(np.array(frozen), numbers)


def test_whole_numbers_freeze_to_the_same_as_floats() -> None:
    """An input of 1 is an input of 1.0, so that two ways of writing it are one probe."""
    assert repr(freeze([[1, 2]])) == repr(freeze([[1.0, 2.0]])) == "((1.0, 2.0),)"


def test_a_probe_is_of_the_trained_network_and_its_own_inputs_unless_said_otherwise() -> None:
    """Without a word more, a probe shows the case's own inputs after the last step."""
    assert Probe() == Probe(None, at_start=False)


def looks_at(name: str) -> Callable[[Trajectories], Array]:
    """Make a function that looks at one parameter."""
    return lambda seen: seen.final[name]


def zero(_: Specimen) -> float:
    """Return nothing, as a fact."""
    return 0.0


def test_two_observations_look_alike_if_code_and_what_it_holds_are_equal() -> None:
    """Functions made twice in one place with equal values look alike, whatever the observations are called."""
    one, other = (observation(looks_at("w"), probe=Probe(freeze([number]))) for number in (1, 1.0))
    assert one.looks_as(replace(other, name="v"))


@pytest.mark.parametrize(
    "other",
    [
        observation(looks_at("v")),
        observation(lambda seen: seen.final["w"]),
        observation(looks_at("w"), probe=Probe()),
        observation(looks_at("w"), fact=zero),
    ],
)
def test_two_observations_look_at_different_things_if_any_part_differs(other: Observation) -> None:
    """Another name held, other code, another probe or another fact is another look."""
    assert not observation(looks_at("w")).looks_as(other)
    assert not other.looks_as(observation(looks_at("w")))


@pytest.mark.parametrize(
    ("losses", "unit"),
    [
        ([4.0, 9.0], 2.0),
        ([0.0, 9.0], 3.0),
        ([math.inf, 9.0], 3.0),
        ([math.nan, 0.0, -9.0], 3.0),
        ([0.0, math.inf], 0.0),
    ],
)
def test_the_unit_of_losses_is_the_first_that_measures_anything(losses: list[float], unit: float) -> None:
    """In units of 0 everything is infinitely far, and of infinity nothing is."""
    assert scale(np.array([losses, losses])).tolist() == [[unit], [unit]]
