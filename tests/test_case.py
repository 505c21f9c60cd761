"""A case is checked when it is made: all that is wrong with it is said at once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from suite.case import ByName, Case, by_name, fixed
from suite.errors import SuiteError
from suite.expect import final_loss
from suite.picture import path


def declared(**given_fields: Any) -> Case:
    """Make a case without a fault, apart from the fields given."""
    sound: dict[str, Any] = {
        "architecture": partial(nn.Linear, 1, 1),
        "data": fixed(x=[1.0], target=[5.0]),
        "loss": nn.MSELoss(),
        "optimizer": partial(SGD, lr=0.1),
        "steps": 10,
    }
    return Case(**(sound | given_fields))


def faults(**given_fields: Any) -> tuple[str, ...]:
    """Return what is wrong with a case that has these fields."""
    with pytest.raises(SuiteError) as caught:
        declared(**given_fields)
    return caught.value.faults


def test_every_fault_of_a_declaration_is_said_at_once() -> None:
    """Each field that cannot be trained with is named with what was found and what was expected."""
    assert faults(architecture=1, data=2, loss=None, optimizer="SGD", steps=0, claims="G2", expect=["w"]) == (
        "Case: architecture is 1; it must be callable",
        "Case: data is 2; it must be callable",
        "Case: loss is None; it must be callable",
        "Case: optimizer is 'SGD'; it must be callable, as partial(SGD, lr=0.1)",
        "Case: steps is 0; it must be a whole number of updates, at least 1",
        "Case: claims is 'G2'; it must be a tuple of texts, as (\"G2\",)",
        "Case: expect: item 1 is 'w'; use rate(...), parameter(...) and the like",
    )


@pytest.mark.parametrize("steps", [0, -1, True, 1.0, "10", None])
def test_steps_are_a_whole_number_of_updates(steps: object) -> None:
    """Anything but a whole number of at least 1 is refused, True among it."""
    assert faults(steps=steps) == (f"Case: steps is {steps!r}; it must be a whole number of updates, at least 1",)


@given(st.integers(min_value=1))
def test_any_whole_number_of_updates_is_accepted(steps: int) -> None:
    """Every whole number from 1 is a number of updates."""
    assert declared(steps=steps).steps == steps


@pytest.mark.parametrize("name", [5, b"x", ["x"], None])
def test_a_name_and_claims_are_text(name: object) -> None:
    """Folders, files and rows are named after a case, and claims are looked up by theirs."""
    assert faults(name=name, claims=(name,))[-2:] == (
        f"{name or 'Case'}: name is {name!r}; it must be a text",
        f'{name or "Case"}: claims is {(name,)!r}; it must be a tuple of texts, as ("G2",)',
    )


@pytest.mark.parametrize("given", [None, 5, {"G2"}, (text for text in ["G2"])])
def test_claims_that_are_no_tuple_are_a_fault(given: object) -> None:
    """What cannot be gone through twice, in its order, names no claims, and is told like all else that is wrong."""
    claim = final_loss(high=1.0).shows("G1")
    assert faults(claims=given, expect=[claim]) == (
        f'Case: claims is {given!r}; it must be a tuple of texts, as ("G2",)',
    )


@pytest.mark.parametrize("given", [None, 5, "w", (item for item in [final_loss(high=1.0)])])
def test_what_is_expected_is_a_list(given: object) -> None:
    """Anything else is a fault, one that could be gone through once among it: nothing of it would ever be judged."""
    wanted = "it must be a list, as [rate(...), parameter(...)]"
    assert faults(expect=given) == (f"Case: expect is {given!r}; {wanted}",)


@pytest.mark.parametrize("given", [None, 5, "w", (item for item in [path("weight")])])
def test_what_is_shown_is_a_list(given: object) -> None:
    """Anything else is a fault."""
    assert faults(show=given) == (f"Case: show is {given!r}; it must be a list, as [path(...), graph(...)]",)


@pytest.mark.parametrize("item", ["x", 5, None, path, nn.Linear(1, 1), final_loss(high=1.0)])
def test_what_is_shown_is_a_picture(item: object) -> None:
    """Each item that is none is a fault, by its number."""
    told = f"Case: show: item 2 is {item!r}; use path(...) or graph(...)"
    assert faults(show=[path("weight"), item]) == (told,)


def test_a_fault_names_the_case_that_has_a_name() -> None:
    """The name of the case, where it has one, is the place of its faults."""
    assert faults(name="relu", loss=0) == ("relu: loss is 0; it must be callable",)


def test_an_expectation_shows_only_claims_that_its_case_lists() -> None:
    """Each claim that an expectation shows and the case does not list is a fault, by the item's number."""
    expect = [final_loss(high=1.0).shows("G1"), final_loss(high=1.0).shows("G3", "G2", "G1")]
    assert faults(claims=("G1",), expect=expect) == (
        "Case: expect: item 2 shows G2, which claims does not list",
        "Case: expect: item 2 shows G3, which claims does not list",
    )
    assert declared(claims=("G1", "G2", "G3"), expect=expect).expect == expect


def test_an_optimizer_may_want_named_parameters() -> None:
    """What by_name marks is an optimizer, and is kept as it was given."""
    case = declared(optimizer=by_name(SGD))
    assert case.optimizer == ByName(SGD)


def test_fixed_data_are_float32_tensors_shaped_as_written() -> None:
    """Whole numbers too become float32 on the CPU, and nesting becomes shape."""
    x, target = fixed(x=[[1, 2], [3, 4]], target=[5])()
    assert torch.equal(x, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert torch.equal(target, torch.tensor([5.0]))
    assert {x.dtype, target.dtype} == {torch.float32}
    assert {x.device.type, target.device.type} == {"cpu"}


def test_locating_a_case_changes_its_name_and_file_only() -> None:
    """Discovery adds where a case was found; the declaration stays what it was."""
    case = declared(claims=("G1",), expect=(final_loss(high=1.0),))
    found = case.located(name="relu", file="cases/relu.py")
    assert (found.name, found.file) == ("relu", "cases/relu.py")
    assert replace(found, name="", file="") == case


def test_a_case_cannot_be_changed() -> None:
    """A declaration is frozen."""
    case = declared()
    with pytest.raises(FrozenInstanceError):
        case.steps = 5  # type: ignore[misc]
