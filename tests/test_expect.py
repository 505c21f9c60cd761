"""Each expectation looks at the right numbers, and turns what its author writes into plain bounds."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from suite.case import Case
from suite.clause import Clause
from suite.expect import (
    Expectation,
    Group,
    answers,
    curve_follows,
    fact,
    final_loss,
    follows,
    gradients_kept,
    largest,
    measured,
    output,
    parameter,
    raises,
    rate,
    same_as,
    seed,
    total,
    unchanged,
    untrained,
    warns,
)
from suite.observe import Array, Probe, Specimen, Trajectories

WIDE: dict[str, Any] = {"low": -1e9, "high": 1e9}


def left(**given_parts: Any) -> Trajectories:
    """Return what two seeds, 3 and 8, of a two-parameter network left behind, apart from the parts given."""
    start = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([[0.5], [0.25]])}
    parts: dict[str, Any] = {
        "seeds": (3, 8),
        "initial": start,
        "final": {name: value + 1.0 for name, value in start.items()},
        "gradient": {name: np.ones_like(value) for name, value in start.items()},
        "gradient_after": {name: np.ones_like(value) for name, value in start.items()},
        "curve_steps": (0, 1, 2, 4),
        "curve": np.array([[8.0, 4.0, 2.0, 0.5], [4.0, 2.0, 1.0, 0.25]]),
        "final_loss": np.array([0.1, 0.2]),
    }
    return Trajectories(**(parts | given_parts))


def looked(expectation: Expectation | Group, seen: Trajectories) -> list[Any]:
    """Return what the (first) observation of an expectation or a group gives."""
    first = expectation.observation if isinstance(expectation, Group) else expectation.observations[0]
    values: list[Any] = np.asarray(first.look(seen)).tolist()
    return values


def specimen(network: nn.Module) -> Specimen:
    """Return an untrained network of the guide's kind, for facts."""
    return Specimen(
        network=network,
        x=torch.ones(2),
        target=torch.tensor([5.0]),
        loss=nn.MSELoss(),
        optimizer=SGD(network.parameters(), lr=0.1),
        tensor=torch.tensor,
    )


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"near": 1.0},
        {"atol": 1.0},
        {"near": 1.0, "atol": 0.1, "low": 0.0},
        {"near": 1.0, "atol": 0.1, "high": 0.0},
        {"near": 1.0, "high": 2.0},
        {"atol": 1.0, "low": 2.0},
    ],
)
def test_bounds_are_one_pair_and_not_both(bounds: dict[str, float]) -> None:
    """Neither pair, half of near and atol, or a mixture is refused where it is written."""
    with pytest.raises(ValueError, match=r"give near and atol, or low and/or high$"):
        final_loss(**bounds)


def test_bounds_that_hold_in_no_dtype_are_refused() -> None:
    """Two mappings without a dtype in common would expect nothing, and say so."""
    with pytest.raises(ValueError, match=r"^the bounds by dtype have no dtype in common$"):
        final_loss(low={"float32": 0.0}, high={"float64": 1.0})


def test_a_fresh_clause_is_about_every_seed() -> None:
    """Without a modifier, every seed is meant and every claim of the case is shown."""
    clause = final_loss(high=1.0).clause
    assert clause == Clause(observation="final loss", bounds={"*": ([-np.inf], [1.0])}, summary="every")
    assert (clause.seeds_meant, clause.claims, clause.inside) == ("", (), True)


@pytest.mark.parametrize(("inside", "meant"), [(True, " among dead"), (False, " among not dead")])
def test_among_means_the_seeds_inside_or_outside_a_group(inside: bool, meant: str) -> None:
    """The clause holds the group's name and side, and the group's observation is looked at too."""
    dead = untrained("w")
    expectation = final_loss(high=1.0).among(dead if inside else ~dead)
    assert (expectation.clause.group, expectation.clause.inside) == ("dead", inside)
    assert expectation.clause.seeds_meant == meant
    assert [o.name for o in expectation.observations] == ["final loss", "dead"]


@pytest.mark.parametrize(
    ("first", "second", "name", "within"),
    [
        (True, True, "dead and seed 8", [0.0, 0.0]),
        (False, True, "not dead and seed 8", [0.0, 1.0]),
        (True, False, "dead and not seed 8", [1.0, 0.0]),
        (False, False, "not dead and not seed 8", [0.0, 0.0]),
    ],
)
def test_among_two_groups_means_the_seeds_of_both(first: bool, second: bool, name: str, within: list[float]) -> None:
    """Neither group is forgotten; what both look at is recorded, so that all that they need is there."""
    seen = left(gradient={"w": np.array([[0.0], [1.0]])})
    one, other = (group if meant else ~group for group, meant in ((untrained("w"), first), (seed(8), second)))
    expectation = final_loss(high=1.0).among(one).among(other)
    assert (expectation.clause.group, expectation.clause.inside) == (name, True)
    assert [o.name for o in expectation.observations] == ["final loss", "dead", "seed 8", name]
    assert expectation.observations[-1].look(seen).tolist() == within
    assert looked(one & other, seen) == within
    assert (~(one & other)).name == f"not {name}"


def test_a_third_group_narrows_the_seeds_once_more() -> None:
    """As many groups as are named; two that are built alike look alike, wherever they are declared."""
    seen = left(gradient={"w": np.array([[0.0], [0.0]])})
    narrow = [final_loss(high=1.0).among(untrained("w")).among(~seed(3)).among(~seed(8)) for _ in range(2)]
    assert narrow[0].clause.group == "dead and not seed 3 and not seed 8"
    assert narrow[0].observations[-1].look(seen).tolist() == [0.0, 0.0]
    assert narrow[0].observations[-1].looks_as(narrow[1].observations[-1])
    assert (
        not narrow[0]
        .observations[-1]
        .looks_as(final_loss(high=1.0).among(~untrained("w")).among(~seed(3)).observations[-1])
    )


@pytest.mark.parametrize("second", ["median", "share", "quantile"])
@pytest.mark.parametrize("first", ["median", "share", "quantile"])
def test_seeds_are_summarised_in_one_way(first: str, second: str) -> None:
    """A second summary would take the place of the first, so that one of the two is never judged."""
    arguments: dict[str, tuple[float, ...]] = {"median": (), "share": (0.2, 0.4), "quantile": (0.9,)}
    once = getattr(final_loss(high=1.0), first)(*arguments[first])
    told = f"final loss is expected of a {once.clause.summary} already; write an expectation of its own for each"
    with pytest.raises(ValueError, match=f"^{told} share, quantile or median$"):
        getattr(once, second)(*arguments[second])


def test_claims_are_named_once() -> None:
    """The first ones would be shown by nothing."""
    told = r'^it shows G1, G2 already; write all claims in one: \.shows\("A", "B"\)$'
    with pytest.raises(ValueError, match=told):
        final_loss(high=1.0).shows("G1", "G2").shows("G3")


def test_the_others_of_the_others_are_the_group() -> None:
    """``~~dead`` is ``dead``, and ``~dead`` is not."""
    dead = untrained("w")
    assert ~~dead == dead
    assert ~dead != dead


def test_modifiers_say_what_is_summarised_and_what_is_shown() -> None:
    """median, quantile, share and shows change their own part of the clause and nothing else."""
    plain = final_loss(high=1.0)
    assert plain.median() == plain.quantile(0.5)
    assert (plain.quantile(0.9).clause.summary, plain.quantile(0.9).clause.quantile) == ("quantile", 0.9)
    assert (plain.share(0.1, 0.2).clause.summary, plain.share(0.1, 0.2).clause.share) == ("share", (0.1, 0.2))
    assert plain.shows("G1", "G2").claims == ("G1", "G2")
    assert plain.shows("G1").clause.bounds == plain.median().clause.bounds == plain.clause.bounds


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.5), (0.5, 1.1), (0.6, 0.5), (50.0, 50.0), (np.nan, 0.5)])
def test_a_share_is_a_probability(low: float, high: float) -> None:
    """Bounds of a probability lie between 0 and 1, in order."""
    with pytest.raises(ValueError, match=f"a probability lies between 0 and 1, not between {low} and {high}$"):
        final_loss(high=1.0).share(low, high)


@pytest.mark.parametrize("q", [-0.1, 1.1, 50.0, np.nan])
def test_a_quantile_is_a_share_of_the_seeds(q: float) -> None:
    """A quantile between 0 and 1 is meant, not a percentage."""
    with pytest.raises(ValueError, match=f"a quantile lies between 0 and 1, not at {q}$"):
        final_loss(high=1.0).quantile(q)


def test_the_ends_of_a_probability_are_probabilities() -> None:
    """Never and always can be expected."""
    assert final_loss(high=1.0).share(0, 1).clause.share == (0, 1)
    assert [final_loss(high=1.0).quantile(q).clause.quantile for q in (0, 1)] == [0, 1]


@pytest.mark.parametrize(("inside", "wanted"), [(True, 1.0), (False, 0.0)])
def test_a_rate_is_the_probability_of_belonging_to_a_group(inside: bool, wanted: float) -> None:
    """``rate(dead, p)`` counts the seeds that are dead, ``rate(~dead, p)`` those that are not."""
    dead = untrained("w")
    clause = rate(dead if inside else ~dead, 0.5).clause
    assert clause.observation == "dead"
    assert clause.bounds == {"*": ([wanted], [wanted])}
    assert (clause.share, clause.group) == ((0.5, 0.5), "")
    assert rate(dead, 0.2, to=0.4).clause.share == (0.2, 0.4)


def test_a_parameter_is_looked_at_after_training_or_before() -> None:
    """``parameter`` gives the final values, ``at_start`` the initial ones, under names of their own."""
    after, before = parameter("w", **WIDE), parameter("w", at_start=True, **WIDE)
    assert looked(after, left()) == [[2.0, 3.0], [4.0, 5.0]]
    assert looked(before, left()) == [[1.0, 2.0], [3.0, 4.0]]
    assert (after.clause.observation, before.clause.observation) == ("w", "w at start")
    assert after.observations[0].parameters == before.observations[0].parameters == ("w",)


def test_a_total_is_the_sum_over_all_entries() -> None:
    """The entries of all parameters named are added up after training, seed by seed."""
    expectation = total("w", "b", **WIDE)
    assert looked(expectation, left()) == [2.0 + 3.0 + 1.5, 4.0 + 5.0 + 1.25]
    assert expectation.clause.observation == "sum of w + b"
    assert expectation.observations[0].parameters == ("w", "b")


def test_an_output_is_what_the_network_answered_to_its_probe() -> None:
    """Own inputs or others, before training or after: each has a probe and a name of its own."""
    asked = [
        output(**WIDE),
        output(at=[[2.3]], **WIDE),
        output(at_start=True, **WIDE),
        output(at=[[2.3]], at_start=True, **WIDE),
    ]
    probes = [Probe(), Probe(((2.3,),)), Probe(None, at_start=True), Probe(((2.3,),), at_start=True)]
    answers = {probe: np.full((2, 1), float(number)) for number, probe in enumerate(probes)}
    assert [expectation.observations[0].probe for expectation in asked] == probes
    assert [looked(expectation, left(outputs=answers))[0] for expectation in asked] == [[0.0], [1.0], [2.0], [3.0]]
    assert [expectation.clause.observation for expectation in asked] == [
        "output",
        "output at [[2.3]]",
        "output at start",
        "output at [[2.3]] at start",
    ]


def test_the_final_loss_is_looked_at_seed_by_seed() -> None:
    """``final_loss`` gives the loss after the last update."""
    assert looked(final_loss(high=1.0), left()) == [0.1, 0.2]


def test_a_number_of_ones_own_is_computed_from_what_was_left() -> None:
    """``measured`` calls the author's function, which finds the outputs that it asked for under ``answers``."""
    at = [[1.0], [2.0]]
    seen = left(outputs={Probe(((1.0,), (2.0,))): np.array([[1.0, 2.0], [3.0, 5.0]])})
    slope = measured("slope", lambda left_behind: np.diff(answers(left_behind, at)), at=at, low=0.0)
    assert looked(slope, seen) == [[1.0], [2.0]]
    assert slope.observations[0].probe == Probe(((1.0,), (2.0,)))
    unasked = measured("seeds", lambda left_behind: np.array(left_behind.seeds, dtype=np.float64), low=0.0)
    assert (looked(unasked, seen), unasked.observations[0].probe) == ([3.0, 8.0], None)


def test_a_seed_is_untrained_if_all_entries_of_its_gradient_are_zero() -> None:
    """One entry that is not zero is enough to be trained; minus zero is zero."""
    gradient = {"w": np.array([[0.0, -0.0], [0.0, 1e-300]])}
    group = untrained("w", called="stuck")
    assert looked(group, left(gradient=gradient)) == [1.0, 0.0]
    assert (group.observation.name, group.observation.parameters) == ("stuck", ("w",))


def test_one_seed_can_be_named() -> None:
    """``seed(8)`` is the group of seed 8 alone."""
    assert looked(seed(8), left()) == [0.0, 1.0]
    assert seed(8).observation.name == "seed 8"


@pytest.mark.parametrize(
    ("start", "end", "same"),
    [
        ([0.0, 1.0], [0.0, 1.0], 1.0),
        ([0.0, 1.0], [-0.0, 1.0], 0.0),
        ([np.nan, 1.0], [np.nan, 1.0], 1.0),
        ([1.0, 1.0], [1.0, np.nextafter(1.0, 2.0)], 0.0),
    ],
)
def test_a_parameter_is_unchanged_if_every_bit_of_it_is(start: list[float], end: list[float], same: float) -> None:
    """Bits are compared, not values: 0.0 differs from −0.0, a NaN is itself, one ulp counts."""
    seen = left(seeds=(0,), initial={"w": np.array([start])}, final={"w": np.array([end])})
    assert looked(unchanged("w"), seen) == [same]
    assert unchanged("w").clause == Clause(observation="w unchanged", bounds={"*": ([1.0], [np.inf])})
    assert unchanged("w").observations[0].parameters == ("w",)


def test_gradients_are_kept_if_no_entry_of_any_differs_after_the_step() -> None:
    """One entry of one parameter that ``step()`` changed tells against its seed alone."""
    after = {"w": np.ones((2, 2)), "b": np.array([[1.0 + 1e-15], [1.0]])}
    assert looked(gradients_kept(), left()) == [1.0, 1.0]
    assert looked(gradients_kept(), left(gradient_after=after)) == [0.0, 1.0]
    assert gradients_kept().clause.observation == "gradients kept by step"
    assert gradients_kept().clause.bounds == {"*": ([1.0], [np.inf])}


def test_following_a_closed_form_is_the_largest_distance_from_it() -> None:
    """The truth maps initial parameters to the final one; the farthest entry of a seed counts."""

    def truth(start: Mapping[str, Array]) -> Array:
        return np.asarray(start["w"] + [[1.0, 1.5], [0.75, 1.0]])

    expectation = follows("w", truth, atol={"float64": 1e-9})
    assert looked(expectation, left()) == [0.5, 0.25]
    assert expectation.clause.bounds == {"float64": ([-np.inf], [1e-9])}
    assert expectation.clause.observation == "distance of w from its closed form"
    assert expectation.observations[0].parameters == ("w",)


def test_following_a_curve_is_the_largest_distance_relative_to_the_first_loss() -> None:
    """The truth gives every step's loss; only the recorded steps are compared."""

    def truth(start: Mapping[str, Array], steps: int) -> Array:
        first = start["w"][:, :1] * np.array([[8.0], [4.0 / 3.0]])
        return np.asarray(first * 0.5 ** np.arange(steps))

    seen = left(curve=np.array([[8.0, 4.0, 2.0, 0.5], [4.0, 2.0, 2.0, 0.25]]))
    expectation = curve_follows(truth, atol=1e-9)
    assert looked(expectation, seen) == [0.0, 0.25]
    assert expectation.clause == Clause(
        observation="distance of the loss curve from its closed form", bounds={"*": ([-np.inf], [1e-9])}
    )


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2), min_size=1, max_size=5))
def test_the_largest_entry_is_the_largest_norm(rows: list[list[float]]) -> None:
    """``largest`` is the maximum norm of each seed, in any shape."""
    assert largest(np.array(rows)[:, :, None]).tolist() == [max(map(abs, row)) for row in rows]


def test_a_divergence_is_not_lost_in_the_largest_entry() -> None:
    """A NaN anywhere is the largest entry, so that it lies in no bounds."""
    assert np.isnan(largest(np.array([[1.0, np.nan]]))).all()


@pytest.mark.parametrize(("curve", "distances"), [(True, [0.5, 2.0]), (False, [0.5, 0.0])])
def test_a_twin_is_compared_by_outputs_and_curve(neuron: Case, curve: bool, distances: list[float]) -> None:
    """The larger of both distances counts, or that of the outputs alone if the losses are scaled otherwise."""
    mine = left(outputs={Probe(): np.array([[1.0], [2.0]])})
    other = left(outputs={Probe(): np.array([[1.5], [2.0]])}, curve=mine.curve + np.array([[0.0], [2.0]]))
    expectation = same_as(neuron, atol=0.25, curve=curve)
    assert looked(expectation, left(outputs=mine.outputs, twins={"neuron": other})) == distances
    assert expectation.clause.bounds == {"*": ([-np.inf], [0.25])}
    assert (expectation.observations[0].twin, expectation.observations[0].probe) == (neuron, Probe())
    assert expectation.clause.observation == "distance from neuron"


def test_a_twin_is_expected_to_be_the_same_to_the_bit_unless_said_otherwise(neuron: Case) -> None:
    """Without a tolerance, no distance at all is allowed, neither of outputs nor of losses."""
    outputs = {Probe(): np.array([[1.0], [2.0]])}
    other = left(outputs=outputs, curve=left().curve + np.array([[0.0], [2.0]]))
    assert same_as(neuron).clause.bounds == {"*": ([-np.inf], [0.0])}
    assert looked(same_as(neuron), left(outputs=outputs, twins={"neuron": other})) == [0.0, 2.0]


INF = np.inf


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [
        (INF, INF, 0.0),
        (-INF, -INF, 0.0),
        (np.nan, np.nan, 0.0),
        (INF, -INF, INF),
        (INF, 1.0, INF),
        (1.0, INF, INF),
        (np.nan, 1.0, np.nan),
        (1.0, np.nan, np.nan),
        (np.nan, INF, np.nan),
        (INF, np.nan, np.nan),
    ],
)
def test_twins_that_diverge_alike_are_the_same(neuron: Case, ours: float, theirs: float, distance: float) -> None:
    """What both are, or both are not, is no distance; a number against none is never the same, in outputs or losses."""
    mine, other = ({Probe(): np.array([[1.0], [end]])} for end in (ours, theirs))
    same = {Probe(): np.zeros((2, 1))}
    curves = [np.array([[8.0, 4.0, 2.0, 0.5], [4.0, 2.0, 1.0, end]]) for end in (ours, theirs)]
    by_output = left(outputs=mine, twins={"neuron": left(outputs=other)})
    by_loss = left(outputs=same, curve=curves[0], twins={"neuron": left(outputs=same, curve=curves[1])})
    for seen in (by_output, by_loss):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(looked(same_as(neuron), seen), [0.0, distance])


def outputs_are_finite(given_specimen: Specimen) -> bool:
    """Tell whether an untrained network gives finite outputs."""
    return bool(torch.isfinite(given_specimen.network(given_specimen.x)).all())


def test_a_fact_is_looked_at_once_and_holds_for_all_seeds() -> None:
    """What the fact came to is every seed's value; it must be true unless bounds are given."""
    expectation = fact(outputs_are_finite)
    assert looked(expectation, left(facts={outputs_are_finite: 0.75})) == [0.75, 0.75]
    assert expectation.observations[0].fact is outputs_are_finite
    assert expectation.clause.observation == "outputs are finite"
    assert expectation.clause.bounds == {"*": ([1.0], [1.0])}
    assert fact(outputs_are_finite, called="size", low=2.0).clause == Clause(
        observation="size", bounds={"*": ([2.0], [np.inf])}
    )


def checked(expectation: Expectation, network: nn.Module) -> float:
    """Return what the fact of an expectation comes to for a network."""
    (observed,) = expectation.observations
    assert observed.fact is not None
    return observed.fact(specimen(network))


def test_a_network_refuses_inputs_if_that_very_error_is_raised() -> None:
    """1 if the error comes, 0 if none does; another error is not taken for it."""
    refused = raises(RuntimeError, at=[1.0, 1.0])
    assert refused.clause.observation == "RuntimeError at [1.0, 1.0]"
    assert checked(refused, nn.Linear(1, 1)) == 1.0
    assert checked(refused, nn.Linear(2, 1)) == 0.0
    with pytest.raises(RuntimeError):
        checked(raises(KeyError, at=[1.0, 1.0]), nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("outputs", "category", "about", "warned"),
    [
        (3, UserWarning, "broadcasting", 1.0),
        (1, UserWarning, "broadcasting", 0.0),
        (3, UserWarning, "something else", 0.0),
        (3, DeprecationWarning, "broadcasting", 0.0),
    ],
)
def test_a_loss_warns_if_category_and_words_are_found(
    outputs: int, category: type[Warning], about: str, warned: float
) -> None:
    """The framework warns about a target of another size; both the category and the words must match."""
    expectation = warns(category, about=about)
    assert checked(expectation, nn.Linear(2, outputs)) == warned
    assert expectation.clause.observation == f"{category.__name__} about {about}"


def test_looking_for_warnings_shows_none_and_changes_no_filter() -> None:
    """A warning is found even where warnings are switched off, and the filters are left as they were."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = list(warnings.filters)
        assert checked(warns(UserWarning, about="broadcasting"), nn.Linear(2, 3)) == 1.0
        assert warnings.filters == before
