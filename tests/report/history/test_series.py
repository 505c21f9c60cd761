"""History: points are what one works out by hand, each run counts once, and changes are where they were put."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.machine import Machine
from suite.report.history import timeline
from suite.report.history.series import FEWEST, Change, cells_of, change_points, changes_of, chosen, ordered, points_of
from suite.report.table import rows_of
from suite.trial import Acceptance, RunRecord, Trial

TrialOf = Callable[..., Trial]
RunOf = Callable[..., RunRecord]

ACCEPTED = Acceptance(who="who", when="then", why="why", replaced="")


def only(table: pd.DataFrame, **at: str) -> dict[str, Any]:
    """Return the one row that is about this."""
    found = table[np.logical_and.reduce([table[name] == value for name, value in at.items()])]
    (row,) = found.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_a_point_by_hand(run_of: RunOf, trial_of: TrialOf, machine: Machine) -> None:
    """Losses and the dead are those of the mode that trained longest; times those of the eager loop, undisturbed."""
    losses, seconds = (4.0, 1.0, math.nan), (0.003, 0.009, 5.0)
    long = [
        trial_of(seed, mode="ensemble", final_loss=loss, steps=3, seeds_together=3, yardstick_seconds=math.nan)
        for seed, loss in enumerate(losses)
    ]
    dead = [replace(trial, observations=(("w", 7.0), ("dead", float(trial.seed == 1)))) for trial in long]
    timed = [
        trial_of(s, steps=2, train_seconds=t, yardstick_seconds=0.001, waiting_share=0.5 * (s == 2), final_loss=99.0)
        for s, t in enumerate(seconds)
    ]
    (point,) = points_of(run_of([*timed, *dead])).to_dict("records")
    assert (point["seeds"], point["median_final_loss"]) == (3, 4.0)
    assert point["dead_rate"] == pytest.approx(1 / 3)
    assert point["microseconds_a_step"] == pytest.approx((1500 + 4500) / 2)
    assert point["log_yardsticks"] == pytest.approx(math.log(3.0))
    told = {name: point[name] for name in ("run", "started", "accepted", "torch", "folder", "case", "device", "dtype")}
    assert told == {
        "run": "a-run",
        "started": "2030-01-01T00:00:00+00:00",
        "accepted": False,
        "torch": "2.13.0",
        "folder": "guide",
        "case": "neuron",
        "device": "cpu",
        "dtype": "float64",
    }
    assert (point["case_version"], point["machine"]) == ("0" * 12, machine.timing("cpu"))


def test_what_a_run_lacks_is_no_number(run_of: RunOf, trial_of: TrialOf) -> None:
    """Without a group of dead seeds there is no rate, without a time alone no time; no loss counts as infinite."""
    trials = [trial_of(s, observations=(), yardstick_seconds=math.nan, final_loss=math.nan) for s in range(3)]
    (point,) = points_of(run_of(trials)).to_dict("records")
    assert point["median_final_loss"] == math.inf
    assert all(math.isnan(point[name]) for name in ("dead_rate", "microseconds_a_step", "log_yardsticks"))


def test_points_agree_with_the_table(run_of: RunOf, trial_of: TrialOf) -> None:
    """A point of a cell holds what `suite table` shows of it."""
    cells = [{"dtype": dtype, "device": device} for dtype in ("float64", "float16") for device in ("cpu", "cuda:0")]
    trials = [
        trial_of(seed, **cell, final_loss=(seed * 7 + place) % 5 + 0.25, observations=(("dead", float(seed % 2)),))
        for place, cell in enumerate(cells)
        for seed in range(4 + place)
    ]
    run = run_of(trials)
    points, table = points_of(run), rows_of([run])
    assert len(points) == len(cells)
    for cell in cells:
        ours, theirs = only(points, **cell), only(table, **cell)
        for name in ("seeds", "median_final_loss", "dead_rate", "microseconds_a_step"):
            assert ours[name] == pytest.approx(theirs[name])


def history_of(run_of: RunOf, trial_of: TrialOf, **manifests: dict[str, Any]) -> pd.DataFrame:
    """Return the history of runs of one trial each, by name, given what their manifests hold."""
    tables = [points_of(run_of([trial_of(0)], run=run, **given)) for run, given in manifests.items()]
    return ordered(tables)


def test_runs_stand_in_order_of_date(run_of: RunOf, trial_of: TrialOf) -> None:
    """Whatever order they were read in, and whatever they are called."""
    days = {name: {"started": f"2030-01-0{day}T00:00:00+00:00"} for name, day in (("b", 3), ("c", 1), ("a", 2))}
    assert list(history_of(run_of, trial_of, **days)["run"]) == ["c", "a", "b"]
    assert ordered([]).empty


def test_a_run_and_the_baseline_that_it_became_count_once(run_of: RunOf, trial_of: TrialOf) -> None:
    """As accepted, whichever is read first; another run of that name at another time is another one."""
    run = run_of([trial_of(0)])
    accepted = replace(run, manifest=replace(run.manifest, accepted=ACCEPTED))
    later = replace(run, manifest=replace(run.manifest, started="2030-01-02T00:00:00+00:00"))
    for runs in ([run, accepted, later], [later, accepted, run]):
        history = ordered([points_of(run) for run in runs])
        assert list(history["accepted"]) == [True, False]


def test_a_baseline_accepts_its_own_devices_only(run_of: RunOf, trial_of: TrialOf) -> None:
    """Of a run on two devices, the one whose baseline it became is accepted, the other is not."""
    run = run_of([trial_of(0), trial_of(0, device="cuda:0")])
    part = run_of([trial_of(0)], accepted=ACCEPTED)
    history = ordered([points_of(run), points_of(part)])
    assert dict(zip(history["device"], history["accepted"], strict=True)) == {"cpu": True, "cuda:0": False}


def test_points_are_chosen_by_pattern(run_of: RunOf, trial_of: TrialOf) -> None:
    """A case by its name or its folder's, a device, a dtype; all that was asked for must fit."""
    trials = [trial_of(0, case=c, device=d) for c in ("relu", "bias") for d in ("cpu", "cuda:0")]
    history = ordered([points_of(run_of(trials))])
    assert len(chosen(history)) == 4
    assert set(chosen(history, cases=["re*"])["case"]) == {"relu"}
    assert len(chosen(history, cases=["guide/*"], devices=["cuda:*"], dtypes=["float64"])) == 2
    assert len(chosen(history, cases=["relu", "bias"], devices=["cpu"])) == 2


def test_every_pattern_without_a_match_is_named(run_of: RunOf, trial_of: TrialOf) -> None:
    """A misspelt case does not show an empty history."""
    history = ordered([points_of(run_of([trial_of(0)]))])
    with pytest.raises(SuiteError) as caught:
        chosen(history, cases=["neuron", "relu"], devices=["cpu", "cuda"], dtypes=["float16"])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "--case relu",
        "--device cuda",
        "--dtype float16",
    ]


def test_the_cells_of_a_case_stand_together(run_of: RunOf, trial_of: TrialOf) -> None:
    """A cell that only a later run has stands beside the others of its case."""
    first = [trial_of(0, case="relu"), trial_of(0, case="bias")]
    then = [trial_of(0, case="relu", dtype="float16")]
    tables = [points_of(run_of(t, run=str(i), started=f"203{i}")) for i, t in enumerate((first, then))]
    labels = [label for label, _ in cells_of(ordered(tables))]
    assert labels == ["relu[cpu-float64]", "relu[cpu-float16]", "bias[cpu-float64]"]


# Changes.

LEVELS = st.floats(-1e6, 1e6)


@given(st.floats(allow_nan=False), st.integers(0, 40))
def test_what_never_changes_has_no_change(value: float, runs: int) -> None:
    """However many runs, and whatever the value, even infinity."""
    assert change_points(np.full(runs, value)) == []


@given(LEVELS, st.integers(2, 12), st.integers(2, 12), st.floats(1e-6, 1e6), st.sampled_from([-1.0, 1.0]))
def test_a_step_is_found_where_it_is(level: float, before: int, after: int, size: float, sign: float) -> None:
    """Two levels, each held for two runs or more, change once, between the two; below six runs nothing is told."""
    values = np.array([level] * before + [level + sign * size * max(abs(level), 1e-9)] * after)
    expected = [before] if before + after >= FEWEST else []
    assert change_points(values) == expected


@given(LEVELS, st.integers(1, 9), st.integers(1, 9), st.floats(1e-6, 1e6))
def test_a_single_run_that_stands_apart_is_no_change(level: float, before: int, after: int, size: float) -> None:
    """One run of any size, with any number of runs on both sides, is luck until the next one stands there too."""
    values = np.array([level] * before + [level + size] + [level] * after)
    assert change_points(values) == []


def test_losing_every_seed_is_a_change() -> None:
    """Losses that became infinite, for good, did so at a run; so did those that came back."""
    assert change_points(np.array([1.0, 1.0, 1.0, math.inf, math.inf, math.inf])) == [3]
    assert change_points(np.array([math.inf] * 3 + [0.0] * 3)) == [3]


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 1e308, 1.0, 0.0, 5e-324])
def test_losing_every_seed_is_a_change_from_any_loss(value: float) -> None:
    """However large the losses before it, even where twice as much is no float."""
    assert change_points(np.array([value] * 3 + [math.inf] * 3)) == [3]
    assert change_points(np.array([value] * 4 + [-value] * 4)) == ([4] if value else [])


@example([-0.2, 0.1, -2.5, 0.6, math.inf, math.inf])
@example([-190.0, 520.0, -210.0, -240.0, math.inf, math.inf])
@example([math.inf, math.inf, 0.005582, math.inf, 0.026743, 0.0101, 0.004031, 0.0088])
@given(st.lists(st.floats(-1e3, 1e3) | st.just(math.inf), min_size=FEWEST, max_size=12))
def test_infinity_stands_beyond_all_values(values: list[float]) -> None:
    """It is as far from 0 as twice the largest value and 1 more, whatever the unit in which that is looked at."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    beyond = [value if math.isfinite(value) else 2.0 * largest + 1.0 for value in values]
    assert change_points(np.array(values)) == change_points(np.array(beyond))


@pytest.mark.parametrize("runs", [6, 10, 30])
def test_luck_is_seldom_a_change(runs: int) -> None:
    """Where nothing but noise moves the figures, at most one series in ten is said to change."""
    generator = np.random.default_rng(runs)
    found = sum(bool(change_points(generator.normal(size=runs))) for _ in range(100))
    assert found <= 10


@pytest.mark.parametrize("runs", [12, 30])
def test_a_step_within_noise_is_found_nearby(runs: int) -> None:
    """A step of ten standard deviations is found in every series, at most one run from where it is."""
    generator = np.random.default_rng(runs)
    for _ in range(30):
        values = generator.normal(size=runs) + 10.0 * (np.arange(runs) >= runs // 2)
        assert any(abs(place - runs // 2) <= 1 for place in change_points(values))


def of_cell(run_of: RunOf, trial_of: TrialOf, machine: Machine, fields: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the points of one cell in runs a day apart, whose trials hold this; "torch" is the machine's."""
    tables = []
    for day, told in enumerate(fields, start=1):
        mine: dict[str, Any] = {"torch": "2.8.0", "seeds": 1} | told
        trials = [
            trial_of(seed, **{name: mine[name] for name in mine if name not in {"torch", "seeds"}})
            for seed in range(mine["seeds"])
        ]
        run = run_of(trials, on=replace(machine, torch=mine["torch"]), run=f"r{day}", started=f"2030-01-0{day}")
        tables.append(points_of(run))
    return ordered(tables)


def test_a_change_is_told_with_its_runs_and_versions(run_of: RunOf, trial_of: TrialOf, machine: Machine) -> None:
    """Each figure apart: the run before, the run after, their torch, both medians, and what else differs."""
    old = {"final_loss": 1.0, "train_seconds": 0.003}
    new = {"final_loss": 1.5, "train_seconds": 0.006, "torch": "2.13.0", "seeds": 2, "case_version": "1" * 12}
    loss, time = changes_of(of_cell(run_of, trial_of, machine, [old] * 4 + [new] * 3))
    whole: dict[str, Any] = {
        "case": "neuron",
        "device": "cpu",
        "dtype": "float64",
        "before_run": "r4",
        "after_run": "r5",
        "after_started": "2030-01-05",
        "before_torch": "2.8.0",
        "after_torch": "2.13.0",
        "also": ("another machine or software", "the case computes something else", "1 and then 2 seeds"),
    }
    assert loss == Change(figure="median_final_loss", before=1.0, after=1.5, moved=0.5, **whole)
    assert (time.figure, time.before_run) == ("log_yardsticks", "r4")
    assert (time.before, time.after, time.moved) == pytest.approx((0.0, math.log(2.0), 2.0))


def test_a_change_back_is_a_second_one(run_of: RunOf, trial_of: TrialOf, machine: Machine) -> None:
    """Each change is told against the stretch before it; runs that were not timed do not count."""
    times = [0.003, 0.003, 0.006, math.nan, 0.006, 0.003, 0.003]
    changes = changes_of(of_cell(run_of, trial_of, machine, [{"train_seconds": t} for t in times]))
    assert [(change.before_run, change.after_run) for change in changes] == [("r2", "r3"), ("r5", "r6")]
    assert [change.moved for change in changes] == pytest.approx([2.0, 0.5])
    assert [change.also for change in changes] == [(), ()]


def test_a_change_beyond_all_measure_is_an_infinity(run_of: RunOf, trial_of: TrialOf, machine: Machine) -> None:
    """Files hold what anyone wrote: times may move by more than any float."""
    short, long = ({"train_seconds": seconds, "yardstick_seconds": 1.0} for seconds in (1e-300, 1e300))
    points = of_cell(run_of, trial_of, machine, [short] * 4 + [long] * 3)
    (change,) = changes_of(points)
    assert change.moved == math.inf
    assert "inf-fold" in timeline.told(change)
    assert json.loads(timeline.history_json(points))["changes"][0]["moved"] == "inf"
