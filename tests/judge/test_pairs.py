"""A cell stands beside its baseline seed by seed and step by step, whatever order the rows are in."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge.pairs import CELL_COLUMNS, CellTables, Pairs, by_cell, same_bits
from suite.trial import RunRecord, Status, Trial, key_of

BITS = st.integers(0, 2**64 - 1).map(lambda bits: float(struct.unpack("d", struct.pack("Q", bits))[0]))
SEEDS = st.lists(st.integers(0, 9) | st.integers(2**64 - 4, 2**64 - 1), max_size=6, unique=True)


def test_a_run_is_parted_by_cell_without_a_row_lost(
    trial_of: Callable[..., Trial], run_of: Callable[..., RunRecord]
) -> None:
    """Every row of every table stands in its own cell, and in no other."""
    cells = [("neuron", "cpu", "float64"), ("neuron", "cpu", "float16"), ("neuron", "cuda:0", "float64")]
    cells += [("other", "cpu", "float64")]
    trials = [trial_of(s, case=case, device=device, dtype=dtype) for s in range(2) for case, device, dtype in cells]
    run = run_of(trials)
    parts = by_cell(run)
    assert sorted(parts) == sorted(key_of(cell) for cell in run.manifest.cells)
    for name in ("trials", "curves", "observations"):
        joined = pd.concat([getattr(part, name) for part in parts.values()]).sort_index()
        pd.testing.assert_frame_equal(joined, getattr(run, name))
        assert all((getattr(part, name)[list(CELL_COLUMNS)] == list(key)).all(axis=None) for key, part in parts.items())


def test_a_cell_without_curves_or_observations_has_empty_ones(
    trial_of: Callable[..., Trial], run_of: Callable[..., RunRecord]
) -> None:
    """Seeds that could not be trained leave a row in ``trials.csv`` alone; their tables keep their columns."""
    run = run_of([trial_of(0), trial_of(0, case="failing", curve=(), observations=())])
    part = by_cell(run)["failing", "cpu", "float64", "eager"]
    assert (len(part.trials), len(part.curves), len(part.observations)) == (1, 0, 0)
    assert list(part.curves.columns) == list(run.curves.columns)
    assert list(part.observations.columns) == list(run.observations.columns)


@given(ours=SEEDS.filter(bool), theirs=SEEDS.filter(bool))
@settings(max_examples=15)
def test_the_seeds_of_both_are_paired(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs], ours: list[int], theirs: list[int]
) -> None:
    """Seeds that only one side trained are left out; each loss stands beside that of its own seed."""
    pairs = pairs_of([trial_of(seed) for seed in ours], [trial_of(seed, final_loss=-float(seed)) for seed in theirs])
    both = sorted(set(ours) & set(theirs))
    assert pairs.seeds.tolist() == both
    mine, yours = pairs.column("final_loss")
    assert mine.tolist() == [trial_of(seed).final_loss for seed in both]
    assert yours.tolist() == [-float(seed) for seed in both]


def test_seeds_that_could_not_be_trained_are_left_out(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs]
) -> None:
    """An error on either side is no loss to be compared; a divergence is."""
    failed = {"status": Status.ERROR, "final_loss": math.nan, "curve": (), "steps": 0}
    ours = [trial_of(0, **failed), trial_of(1), trial_of(2), trial_of(3, status=Status.DIVERGED)]
    theirs = [trial_of(0), trial_of(1, **failed), trial_of(2), trial_of(3)]
    pairs = pairs_of(ours, theirs)
    assert pairs.seeds.tolist() == [2, 3]
    assert pairs.steps.tolist() == [[0, 1, 2, 3]] * len(pairs.seeds)


def test_seeds_that_were_trained_for_other_steps_have_no_partner(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs]
) -> None:
    """Of a short cell one seed is followed for longer: in a run of other seeds it is another one."""
    ours = [trial_of(seed, steps=100 if seed == 2 else 3) for seed in range(2, 6)]
    theirs = [trial_of(seed, steps=100 if seed == 0 else 3) for seed in range(5)]
    pairs = pairs_of(ours, theirs)
    assert pairs.seeds.tolist() == [3, 4]
    assert (pairs.alone, pairs.incomparable) == (2, "")
    assert pairs.steps[:, -1].tolist() == [3, 3]
    longer = pairs_of([replace(trial, steps=7) for trial in ours[1:]], theirs)
    assert longer.seeds.tolist() == []
    assert longer.incomparable == "seed 3 was trained for 7 steps, in the baseline for 3"
    assert pairs_of(ours, [trial_of(9)]).incomparable == ""


@given(order=st.permutations(range(6)))
@settings(max_examples=8)
def test_the_order_of_the_rows_is_nothing_to_the_pairs(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs], order: list[int]
) -> None:
    """A run whose rows were shuffled is paired as it would be in order."""
    straight = pairs_of([trial_of(seed) for seed in range(6)], [trial_of(seed) for seed in range(6)])
    baseline = straight.baseline
    shuffled = CellTables(
        trials=baseline.trials.iloc[order],
        curves=baseline.curves.sample(frac=1.0, random_state=order[0]),
        observations=baseline.observations,
        probes=baseline.probes,
        first=baseline.first,
    )
    pairs = Pairs(straight.ours, shuffled)
    assert pairs.same("init_digest")
    assert all(np.array_equal(*both) for both in (pairs.curves, straight.curves))
    assert np.array_equal(pairs.steps, straight.steps)


def test_curves_end_in_the_final_losses(trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs]) -> None:
    """``(seeds, points)``: the recorded steps in order, then the loss after the last update."""
    trial = trial_of(0, curve=((0, 8.0), (1, 4.0), (2, 2.0)), final_loss=1.0)
    ours, theirs = pairs_of([trial], [replace(trial, final_loss=0.5)]).curves
    assert ours.tolist() == [[8.0, 4.0, 2.0, 1.0]]
    assert theirs.tolist() == [[8.0, 4.0, 2.0, 0.5]]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_loss_stands_beside_that_of_the_same_step(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs], swapped: bool
) -> None:
    """A step that one side did not record has no partner: it is not taken for the next one."""
    whole, gap = trial_of(0, curve=((0, 8.0), (1, 4.0), (2, 2.0))), trial_of(0, curve=((0, 8.0), (2, 2.0)))
    pairs = pairs_of(*([[gap], [whole]] if swapped else [[whole], [gap]]))
    with_gap, without = pairs.curves if swapped else pairs.curves[::-1]
    assert pairs.steps.tolist() == [[0, 1, 2, 3]] * len(pairs.seeds)
    np.testing.assert_array_equal(without[:, :3], [[8.0, 4.0, 2.0]])
    np.testing.assert_array_equal(with_gap[:, :3], [[8.0, math.nan, 2.0]])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_column_is_the_same_if_it_is_for_every_seed(
    trial_of: Callable[..., Trial], pairs_of: Callable[..., Pairs], seed: int
) -> None:
    """One digest that differs in one seed is enough."""
    trials = [trial_of(number) for number in range(3)]
    changed = [replace(t, final_digest="other") if t.seed == seed else t for t in trials]
    assert pairs_of(trials, trials).same("final_digest")
    assert not pairs_of(changed, trials).same("final_digest")
    assert not pairs_of(trials, changed).same("final_digest")


@given(values=st.lists(BITS | st.floats(), min_size=1, max_size=8))
def test_any_float_has_the_same_bits_as_itself(values: list[float]) -> None:
    """Infinite, subnormal and undefined ones too."""
    assert same_bits(np.array(values), np.array(values)).all()


@given(ours=BITS | st.floats(), theirs=BITS | st.floats())
def test_bits_are_compared_as_bits(ours: float, theirs: float) -> None:
    """The oracle packs them; only a NaN equals another NaN whatever its bits."""
    expected = struct.pack("d", ours) == struct.pack("d", theirs) or (math.isnan(ours) and math.isnan(theirs))
    assert bool(same_bits(np.array([[ours]]), np.array([[theirs]])).item()) is expected


def test_negative_zero_has_other_bits_than_zero() -> None:
    """Equal values are not yet equal bits; one unit in the last place is a difference, too."""
    assert same_bits(np.array([0.0, 1.0, 1.0]), np.array([-0.0, 1.0, np.nextafter(1.0, 2.0)])).tolist() == [
        False,
        True,
        False,
    ]


def test_columns_of_a_wider_array_are_compared_as_well() -> None:
    """A view that is not contiguous is compared by its values."""
    wide = np.arange(6.0).reshape(2, 3)
    assert same_bits(wide[:, ::2], wide[:, ::2].copy()).all()
