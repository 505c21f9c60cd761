"""Runs side by side: what the table says is what one works out by hand from the trials."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.machine import Device, Machine
from suite.records import in_memory
from suite.report.escape import plain
from suite.report.table import COLUMNS, as_csv, as_markdown, json_text, rows_of
from suite.trial import Manifest, RunRecord, Trial

TrialOf = Callable[..., Trial]
RunOf = Callable[..., RunRecord]


@pytest.fixture(scope="session")
def run_of(manifest_of: Callable[..., Manifest], machine: Machine) -> RunOf:
    """Make a run that left these trials."""

    def make(trials: Sequence[Trial], *, name: str = "a-run") -> RunRecord:
        devices = {t.device: Device(name=t.device, model="m", details={}) for t in trials}
        return in_memory(manifest_of(trials, run=name), replace(machine, devices=devices), trials)

    return make


def row_of(table: pd.DataFrame, **at: str) -> dict[str, Any]:
    """Return the one row of the table that is about this."""
    found = table[[all(row[name] == value for name, value in at.items()) for _, row in table.iterrows()]]
    (row,) = found.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_device_against_device_by_hand(run_of: RunOf, trial_of: TrialOf) -> None:
    """A cell on the second device stands against the first in its dtype, seed by seed, over seeds that both trained."""
    cpu = [trial_of(seed, final_loss=loss) for seed, loss in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 0.5))]
    cuda = [
        trial_of(seed, device="cuda:0", final_loss=loss) for seed, loss in ((4, 0.75), (3, 2.5), (2, 2.0), (9, 99.0))
    ]
    table = rows_of([run_of([*cpu, *cuda])])
    first, second = row_of(table, device="cpu"), row_of(table, device="cuda:0")
    assert (first["seeds"], first["median_final_loss"]) == (4, 1.5)
    assert (second["seeds"], second["median_final_loss"]) == (4, (2.0 + 2.5) / 2)
    assert (second["against"], second["paired_seeds"], second["largest_paired_difference"]) == ("cpu", 3, 1.5)
    assert pd.isna(first["against"])


def test_dtype_against_dtype_by_hand(run_of: RunOf, trial_of: TrialOf) -> None:
    """On the first device a cell stands against the first dtype there."""
    trials = [trial_of(s, dtype=d, final_loss=s + x) for d, x in (("float64", 0.0), ("float16", 0.25)) for s in (1, 2)]
    half = row_of(rows_of([run_of(trials)]), dtype="float16")
    assert (half["against"], half["paired_seeds"], half["largest_paired_difference"]) == ("float64", 2, 0.25)


def test_what_each_cell_stands_against(run_of: RunOf, trial_of: TrialOf) -> None:
    """The first dtype on the first device stands against nothing; every other cell against a first of its own case."""
    trials = [
        trial_of(0, case=case, device=device, dtype=dtype)
        for case in ("b", "a")
        for device in ("cpu", "cuda:0")
        for dtype in ("float64", "float32")
    ]
    table = rows_of([run_of(trials[:4]), run_of(trials[4:], name="other")])
    found = list(zip(table["case"], table["device"], table["dtype"], table["against"].fillna(""), strict=True))
    assert found == [
        (case, f"{run}:{device}", dtype, against.replace("cpu", f"{run}:cpu"))
        for case, run in (("b", "a-run"), ("a", "other"))
        for device, dtype, against in (
            ("cpu", "float64", ""),
            ("cpu", "float32", "float64"),
            ("cuda:0", "float64", "cpu"),
            ("cuda:0", "float32", "cpu"),
        )
    ]


def test_microseconds_and_their_ratio_by_hand(run_of: RunOf, trial_of: TrialOf) -> None:
    """A step costs the loop's time over its steps and seeds; the ratio is the median over pairs, not of medians."""
    ours, theirs = (3.0, 8.0, 5.0), (1.0, 2.0, 5.0)
    cpu = [trial_of(s, train_seconds=t * 1e-3, steps=500) for s, t in enumerate(theirs)]
    cuda = [trial_of(s, device="cuda", train_seconds=t * 1e-3, steps=500, seeds_together=4) for s, t in enumerate(ours)]
    table = rows_of([run_of([*cpu, *cuda])])
    assert row_of(table, device="cpu")["microseconds_a_step"] == pytest.approx(2e-3 / 500 * 1e6)
    assert row_of(table, device="cuda")["microseconds_a_step"] == pytest.approx(5e-3 / 500 / 4 * 1e6)
    ratio = median(a / 4 / b for a, b in zip(ours, theirs, strict=True))
    assert row_of(table, device="cuda")["time_ratio"] == pytest.approx(ratio)
    assert ratio != pytest.approx(median(ours) / 4 / median(theirs))


def test_only_what_was_timed_undisturbed_counts(run_of: RunOf, trial_of: TrialOf) -> None:
    """A trial during which something else had the processor says nothing of a step, and no ratio is made of it."""
    waited = {"train_seconds": 9.0, "waiting_share": 0.5}
    ours = [trial_of(0), trial_of(1), trial_of(2, **waited)]
    theirs = [trial_of(seed, dtype="float32", **(waited if seed else {"train_seconds": 0.004})) for seed in range(3)]
    row, other = (row_of(rows_of([run_of([*ours, *theirs])]), dtype=dtype) for dtype in ("float64", "float32"))
    assert row["microseconds_a_step"] == pytest.approx(0.002 / 3 * 1e6)
    assert (other["microseconds_a_step"], other["time_ratio"]) == (pytest.approx(0.004 / 3 * 1e6), pytest.approx(2.0))
    (only,) = rows_of([run_of([trial_of(seed, **waited) for seed in range(3)])])["microseconds_a_step"]
    assert math.isnan(only)


def test_only_what_was_timed_alone_counts(run_of: RunOf, trial_of: TrialOf) -> None:
    """A trial without a yardstick had company, and its time counts nowhere."""
    alone, together = trial_of(0), trial_of(1, train_seconds=9.0, yardstick_seconds=math.nan)
    trials = [alone, together, *(replace(trial, dtype="float16") for trial in (alone, together))]
    table = rows_of([run_of(trials)])
    assert list(table["microseconds_a_step"]) == [pytest.approx(alone.train_seconds / alone.steps * 1e6)] * 2
    assert list(table["time_ratio"])[1] == 1.0
    untimed = rows_of([run_of([together, replace(together, dtype="float16")])])
    assert untimed[["microseconds_a_step", "time_ratio"]].isna().all(axis=None)


def test_the_dead_are_counted_by_hand(run_of: RunOf, trial_of: TrialOf) -> None:
    """The dead rate is the share of a cell's seeds that were observed dead; without the observation there is none."""
    dead = [trial_of(seed, observations=(("w", 1.0), ("dead", float(seed < 3)))) for seed in range(4)]
    blind = [trial_of(seed, case="blind", observations=(("w", 1.0),)) for seed in range(4)]
    rates = rows_of([run_of([*dead, *blind])])["dead_rate"]
    assert rates[0] == 0.75
    assert pd.isna(rates[1])


@pytest.mark.parametrize(
    ("ours", "theirs", "apart"),
    [
        ((math.nan, 1.0), (1.0, 1.0), math.inf),
        ((1.0, 1.0), (1.0, math.inf), math.inf),
        ((math.inf, 1.0), (math.inf, 1.5), 0.5),
        ((math.nan, 1.0), (math.nan, 1.5), 0.5),
        ((math.inf, 1.0), (-math.inf, 1.0), math.inf),
    ],
)
def test_a_divergence_on_one_side_is_not_overlooked(
    run_of: RunOf, trial_of: TrialOf, ours: tuple[float, float], theirs: tuple[float, float], apart: float
) -> None:
    """A loss that is finite on one side only is infinitely far from the other; two that are alike are not apart."""
    trials = [
        trial_of(seed, dtype=dtype, final_loss=loss)
        for dtype, losses in (("float64", theirs), ("float32", ours))
        for seed, loss in enumerate(losses)
    ]
    assert rows_of([run_of(trials)])["largest_paired_difference"][1] == apart


def test_a_median_of_divergence_is_no_number(run_of: RunOf, trial_of: TrialOf) -> None:
    """Seeds whose loss is not a number count as the worst, so that most of them cannot hide behind the rest."""
    losses = (1.0, math.nan, math.nan, math.nan)
    (found,) = rows_of([run_of([trial_of(s, final_loss=x) for s, x in enumerate(losses)])])["median_final_loss"]
    assert found == math.inf


def test_without_a_shared_seed_nothing_is_compared(run_of: RunOf, trial_of: TrialOf) -> None:
    """Cells that share no seed are shown, and neither a difference nor a ratio is made up."""
    row = row_of(rows_of([run_of([trial_of(0), trial_of(1, dtype="float32")])]), dtype="float32")
    assert row["paired_seeds"] == 0
    assert math.isnan(row["largest_paired_difference"])
    assert math.isnan(row["time_ratio"])


@pytest.mark.parametrize("names", [("one", "two"), ("same", "same"), ("same", "same", "same"), ("same", "two", "same")])
def test_no_two_columns_share_a_name(run_of: RunOf, trial_of: TrialOf, names: Sequence[str]) -> None:
    """Runs with the same device are told apart by name, and by number where the name is the same."""
    runs = [run_of([trial_of(0, final_loss=float(place))], name=name) for place, name in enumerate(names)]
    table = rows_of(runs)
    labels = list(table["device"])
    assert len(set(labels)) == len(names)
    assert all(label.startswith(name) and label.endswith(":cpu") for label, name in zip(labels, names, strict=True))
    assert list(table["against"])[1:] == [labels[0]] * (len(names) - 1)
    assert list(table["largest_paired_difference"])[1:] == [float(place) for place in range(1, len(names))]


def test_devices_that_differ_need_no_run_before_them(run_of: RunOf, trial_of: TrialOf) -> None:
    """A device that only one run has goes by its own name."""
    runs = [run_of([trial_of(0)], name="one"), run_of([trial_of(0, device="cuda")], name="two")]
    assert list(rows_of(runs)["device"]) == ["cpu", "cuda"]


FLOATS = st.floats(min_value=-1e300, max_value=1e300)


@settings(max_examples=25)
@given(losses=st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=5), data=st.data())
def test_pairs_are_made_by_seed(
    run_of: RunOf, trial_of: TrialOf, losses: list[tuple[float, float]], data: st.DataObject
) -> None:
    """The largest difference is that of one seed's two losses, in whatever order the rows stand."""
    trials = [
        trial_of(seed, dtype=dtype, final_loss=pair[side])
        for seed, pair in enumerate(losses)
        for side, dtype in enumerate(("float64", "float32"))
    ]
    shuffled = [trials[0], *data.draw(st.permutations(trials[1:]))]
    row = row_of(rows_of([run_of(shuffled)]), dtype="float32")
    assert row["largest_paired_difference"] == max(abs(theirs - ours) for theirs, ours in losses)


@pytest.mark.parametrize("names", [("007",), ("1e5", "2"), ("a|b", "_x_\x1b[2J", "square_two_layers")], ids=repr)
def test_markdown_reads_back(
    run_of: RunOf, trial_of: TrialOf, read_tables: Callable[[str], list[list[str]]], names: Sequence[str]
) -> None:
    """The Markdown table holds every row, its figures to four digits, and names as they stand."""
    trials = [
        trial_of(seed, case=name, dtype=dtype, final_loss=math.pi * 10.0 ** -(seed + place))
        for place, name in enumerate(names)
        for dtype in ("float64", "float32")
        for seed in (0, 1)
    ]
    table = rows_of([run_of(trials), run_of(trials, name="x|`y`")])
    head, *rows = read_tables(as_markdown(table))
    shown = table.drop(columns="nearer_float64")  # nothing is said there
    assert head == [COLUMNS[str(name)] for name in shown]
    assert len(rows) == len(table)
    for row, (_, meant) in zip(rows, shown.iterrows(), strict=True):
        for told, value in zip(row, meant, strict=True):
            if isinstance(value, str):
                assert told == plain(value)
            else:
                assert told == "" if pd.isna(value) else float(told) == pytest.approx(value, rel=1e-3)


def seen_by(device: str, dtype: str, *losses: float) -> list[dict[str, Any]]:
    """Return what makes trials of one cell, whose first losses are 1."""
    return [
        {"device": device, "dtype": dtype, "seed": seed, "final_loss": loss, "curve": ((0, 1.0),)}
        for seed, loss in enumerate(losses)
    ]


def test_devices_agree_within_what_rounding_does(run_of: RunOf, trial_of: TrialOf) -> None:
    """A loss that rounding could have moved so far agrees; another is named with the stage from which on it left."""
    cells = [*seen_by("cpu", "float32", 0.25, 0.5), *seen_by("cuda:0", "float32", 0.2500001, 0.5)]
    far = [*cells[:2], *seen_by("cuda:0", "float32", 0.3, 0.5)]
    near, apart = (
        row_of(rows_of([run_of([trial_of(**given) for given in of])]), device="cuda:0") for of in (cells, far)
    )
    assert (near["losses_agree"], near["against"]) == ("yes", "cpu")
    assert apart["losses_agree"] == "no, from later on"


def test_which_device_is_nearer_to_float64(run_of: RunOf, trial_of: TrialOf) -> None:
    """The device whose losses lie nearer to its own float64 is named, if that is beyond chance."""
    seeds = range(40)
    exact = [0.25 + seed / 1000 for seed in seeds]
    given = [g for device in ("cpu", "cuda:0") for g in seen_by(device, "float64", *exact)]
    given += seen_by("cpu", "float16", *(loss * 1.01 for loss in exact))
    given += seen_by("cuda:0", "float16", *(loss * 1.001 for loss in exact))
    table = rows_of([run_of([trial_of(**g) for g in given])])
    assert row_of(table, device="cuda:0", dtype="float16")["nearer_float64"] == "cuda:0"
    assert pd.isna(row_of(table, device="cuda:0", dtype="float64")["nearer_float64"])


def test_devices_that_ran_other_cases_are_not_compared(run_of: RunOf, trial_of: TrialOf) -> None:
    """A case that computes something else on one side is incomparable, and nothing is said to agree."""
    other = [trial_of(0), trial_of(0, device="cuda:0", case_version="1" * 12)]
    assert row_of(rows_of([run_of(other)]), device="cuda:0")["losses_agree"] == "incomparable"


def test_what_may_round_to_tf32_says_so(run_of: RunOf, trial_of: TrialOf) -> None:
    """Two runs on one card, with and without TF32, are two rows whose names tell them apart."""
    run = run_of([trial_of(0, device="cuda:0")])
    rounded = replace(run, machine=replace(run.machine, settings=replace(run.machine.settings, tf32=True)))
    assert list(rows_of([run, rounded])["device"]) == ["a-run:cuda:0", "a-run(2):cuda:0 (TF32)"]


def test_json_and_csv_hold_figures_in_full(run_of: RunOf, trial_of: TrialOf) -> None:
    """Figures read back from JSON and CSV bit for bit, however small; infinity stays, and nothing is null or empty."""
    small = [trial_of(0, final_loss=1e-17 / 3), trial_of(0, dtype="float32", final_loss=math.inf)]
    table = rows_of([run_of(small)])
    first, second = json.loads(json_text(table))
    assert first["median_final_loss"] == 1e-17 / 3
    assert first["against"] is first["time_ratio"] is None
    assert float(second["median_final_loss"]) == math.inf
    rows = list(csv.DictReader(io.StringIO(table.to_csv(index=False))))
    assert [float(row["median_final_loss"]) for row in rows] == [1e-17 / 3, math.inf]
    assert (rows[0]["against"], rows[1]["against"]) == ("", "float64")


def test_a_run_without_a_trial_is_an_empty_table(
    run_of: RunOf, trial_of: TrialOf, read_tables: Callable[[str], list[list[str]]]
) -> None:
    """A run that was interrupted before its first trial gives a table with a head only."""
    run = run_of([trial_of(0)])
    table = rows_of([replace(run, trials=run.trials.iloc[:0], observations=run.observations.iloc[:0])])
    assert read_tables(as_markdown(table)) == [list(COLUMNS.values())[:-2]]
    assert json.loads(json_text(table)) == []


def test_losses_are_the_ensembles_and_times_the_reference_s(run_of: RunOf, trial_of: TrialOf) -> None:
    """A cell trained both ways is one row: losses of the way that went further, times of the eager one."""
    reference = [trial_of(seed, steps=2, final_loss=9.0, train_seconds=4e-6) for seed in range(2)]
    ensemble = [trial_of(seed, mode="ensemble", final_loss=1.0 + seed, train_seconds=7.0) for seed in range(3)]
    (row,) = rows_of([run_of([*reference, *ensemble])]).to_dict("records")
    assert (row["seeds"], row["median_final_loss"], row["dead_rate"]) == (3, 2.0, 0.0)
    assert row["microseconds_a_step"] == pytest.approx(2.0)


def test_seeds_are_counted_one_by_one(run_of: RunOf, trial_of: TrialOf) -> None:
    """However many there are, and where other rows have none: figures are rounded, counts are not."""
    trials = [trial_of(seed, dtype=dtype) for dtype in ("float64", "float16") for seed in range(12_345)]
    table = rows_of([run_of(trials)])
    assert [row.split("|")[9].strip() for row in as_markdown(table).splitlines()[2:]] == ["", "12345"]
    assert [row.split(",")[8] for row in as_csv(table).splitlines()[1:]] == ["", "12345"]
