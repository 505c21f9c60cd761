"""Figures for a chart: the medians that one works out by hand, and nothing that is no number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.judge.statistics import median_interval
from suite.machine import Device
from suite.report.judged import JudgedRun
from suite.report.verdicts.benchmark import DOUBT, benchmark_json
from suite.trial import RunRecord, Trial

TrialOf = Callable[..., Trial]


@pytest.fixture(scope="session")
def rows_of(run_of: Callable[..., RunRecord]) -> Callable[..., dict[str, dict[str, Any]]]:
    """Return the rows of a run that left these trials, by their names."""

    def make(trials: Sequence[Trial]) -> dict[str, dict[str, Any]]:
        run = run_of(trials)
        devices = {t.device: Device(name=t.device, model=f"a {t.device}", details={}) for t in trials}
        run = replace(run, machine=replace(run.machine, devices=devices))
        rows = json.loads(benchmark_json(JudgedRun(run=run, verdicts=())), parse_constant=refuse)
        named = {row["name"]: row for row in rows}
        assert len(named) == len(rows)
        return named

    return make


def refuse(word: str) -> None:
    """Fail on NaN and Infinity, which are no JSON."""
    pytest.fail(f"{word} is no JSON")


RowsOf = Callable[..., dict[str, dict[str, Any]]]


def test_the_median_time_of_a_step_with_its_interval(rows_of: RowsOf, trial_of: TrialOf) -> None:
    """Times of a step are those of seeds that were timed; the range is the exact interval of their median."""
    seconds = [0.003 * (1 + seed / 7) for seed in range(12)]
    timed = [trial_of(seed, train_seconds=s, steps=3) for seed, s in enumerate(seconds)]
    untimed = trial_of(99, train_seconds=50.0, yardstick_seconds=math.nan)
    waited = trial_of(98, train_seconds=50.0, waiting_share=0.5)
    row = rows_of([*timed, waited, untimed])["neuron[cpu-float64] time"]
    micro = [s / 3 * 1e6 for s in seconds]
    low, high, confidence = median_interval(np.array(micro), DOUBT)
    assert row["value"] == pytest.approx(median(micro))
    assert row["range"] == f"{low:.4g} to {high:.4g}"
    assert low < row["value"] < high
    assert (row["unit"], f"12 seeds; the range holds it with {confidence:.1%}" in row["extra"]) == ("µs a step", True)
    assert "a cpu" in row["extra"]


def test_the_median_final_loss(rows_of: RowsOf, trial_of: TrialOf) -> None:
    """Losses are of all seeds of the mode that trained most; a cell has a row of its own on every device and dtype."""
    trials = [
        trial_of(seed, final_loss=float(seed), mode=mode, device=device, dtype=dtype, steps=3)
        for device in ("cpu", "cuda:0")
        for dtype in ("float64", "float16")
        for mode, seeds in (("eager", 3), ("ensemble", 8))
        for seed in range(seeds)
    ]
    rows = rows_of(trials)
    cells = [f"neuron[{device}-{dtype}]" for device in ("cpu", "cuda:0") for dtype in ("float64", "float16")]
    assert set(rows) == {f"{cell} {what}" for cell in cells for what in ("time", "final loss")}
    assert [rows[f"{cell} final loss"]["value"] for cell in cells] == [3.5] * 4
    assert rows["neuron[cpu-float64] final loss"]["unit"] == "loss"
    assert "median of 3 seeds" in rows["neuron[cpu-float64] time"]["extra"]
    assert "median of 8 seeds" in rows["neuron[cpu-float64] final loss"]["extra"]


def test_a_device_that_may_round_is_called_so(run_of: Callable[..., RunRecord], trial_of: TrialOf) -> None:
    """Where matrix products may be rounded to TF32, the rows of a card say so; those of the processor do not."""
    run = run_of([trial_of(0, device=device) for device in ("cpu", "cuda:0")])
    rounded = replace(run, machine=replace(run.machine, settings=replace(run.machine.settings, tf32=True)))
    rows = json.loads(benchmark_json(JudgedRun(run=rounded, verdicts=())))
    assert [row["name"] for row in rows] == [
        f"neuron[{device}-float64] {what}" for device in ("cpu", "cuda:0 (TF32)") for what in ("time", "final loss")
    ]
    assert [row["extra"].partition(" on ")[2] for row in rows] == ["model of cpu"] * 2 + ["model of cuda:0"] * 2


@pytest.mark.parametrize("largest", [{"final_loss": 1.7e308}, {"train_seconds": 5e302, "steps": 3}], ids=str)
def test_a_median_that_is_no_float_has_no_row(rows_of: RowsOf, trial_of: TrialOf, largest: dict[str, Any]) -> None:
    """Two numbers may have a mean and no sum; what cannot be told is left out."""
    rows = rows_of([trial_of(seed, **largest) for seed in range(2)])
    assert set(rows) == {f"neuron[cpu-float64] {'time' if 'final_loss' in largest else 'final loss'}"}


def test_a_loss_that_is_no_number_has_no_row(rows_of: RowsOf, trial_of: TrialOf) -> None:
    """A cell that diverged, or was not timed, has no point in the chart rather than a false one."""
    diverged = [trial_of(seed, final_loss=math.nan if seed else math.inf) for seed in range(3)]
    assert list(rows_of(diverged)) == ["neuron[cpu-float64] time"]
    together = [trial_of(seed, mode="ensemble", yardstick_seconds=math.nan) for seed in range(3)]
    assert list(rows_of(together)) == ["neuron[cpu-float64] final loss"]
    assert rows_of([trial_of(seed, yardstick_seconds=math.nan, final_loss=-math.inf) for seed in range(3)]) == {}


@settings(max_examples=30)
@given(case=st.text(min_size=1), losses=st.lists(st.floats(), min_size=1, max_size=5))
def test_whatever_was_recorded_is_json(rows_of: RowsOf, trial_of: TrialOf, case: str, losses: list[float]) -> None:
    """Names are printable, and values finite numbers, as the tool takes them."""
    for row in rows_of([trial_of(seed, case=case, final_loss=loss) for seed, loss in enumerate(losses)]).values():
        assert row["name"].isprintable()
        assert math.isfinite(row["value"])
        assert all(isinstance(row[key], str) for key in ("unit", "extra"))
