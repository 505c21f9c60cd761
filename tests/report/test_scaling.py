"""Time against seeds is what one works out by hand from the loops; a device wins where it is faster from there on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd
import pytest

from suite.machine import Machine
from suite.report.scaling import COLUMNS, WORDS, machine_names, rows_of
from suite.report.table import as_markdown
from suite.trial import RunRecord, Trial

TrialOf = Callable[..., Trial]
RunOf = Callable[..., RunRecord]


@pytest.fixture
def runs_of(run_of: RunOf, trial_of: TrialOf) -> Callable[..., list[RunRecord]]:
    """Make one run for each number of seeds, on one device, whose loop took so many seconds for its three steps."""

    def make(device: str, seconds: dict[int, float]) -> list[RunRecord]:
        return [
            run_of(
                [
                    trial_of(seed, mode="ensemble", device=device, train_seconds=time, seeds_together=count)
                    for seed in range(count)
                ],
                run=f"{device}-{count}",
            )
            for count, time in seconds.items()
        ]

    return make


def wins(table: pd.DataFrame, device: str) -> object:
    """Return from how many seeds on a device is faster."""
    (found,) = table[table["device"] == device]["wins_from"].drop_duplicates()
    return None if pd.isna(found) else int(found)


def test_a_step_of_all_seeds_is_the_loops_time(runs_of: Callable[..., list[RunRecord]]) -> None:
    """A loop's time counts once, however many seeds it trained."""
    table = rows_of(runs_of("cpu", {1: 3e-6, 4: 6e-6}))
    assert list(table["seeds"]) == [1, 4]
    assert list(table["microseconds"]) == pytest.approx([1.0, 2.0])


def test_loops_one_after_the_other_add_up(run_of: RunOf, trial_of: TrialOf) -> None:
    """Five seeds that were trained as three and two take what both loops took."""
    first = [trial_of(s, mode="ensemble", train_seconds=3e-6, seeds_together=3) for s in range(3)]
    second = [trial_of(s, mode="ensemble", train_seconds=6e-6, seeds_together=2) for s in (3, 4)]
    alone = [trial_of(0, mode="ensemble", train_seconds=3e-6)]
    table = rows_of([run_of([*first, *second]), run_of(alone, run="alone")])
    assert dict(zip(table["seeds"], table["microseconds"], strict=True)) == pytest.approx({1: 1.0, 5: 3.0})


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [
        ({1: 9e-6, 2: 5e-6, 4: 5e-6}, 4),
        ({1: 9e-6, 2: 3e-6, 4: 5e-6}, 2),
        ({1: 1e-6, 2: 9e-6, 4: 5e-6}, 4),
        ({1: 1e-6, 2: 1e-6, 4: 1e-6}, 1),
        ({1: 1e-6, 2: 1e-6, 4: 9e-6}, None),
        ({1: 9e-6, 4: 5e-6}, 4),
    ],
)
def test_a_device_wins_from_where_it_is_faster_for_good(
    runs_of: Callable[..., list[RunRecord]], cuda: dict[int, float], expected: int | None
) -> None:
    """From that many seeds on it was faster wherever both were measured; one that loses with the most wins nowhere."""
    table = rows_of([*runs_of("cpu", {1: 3e-6, 2: 4e-6, 4: 6e-6}), *runs_of("cuda:0", cuda)])
    assert wins(table, "cuda:0") == expected
    assert wins(table, "cpu") is None


def test_one_number_of_seeds_shows_nothing(runs_of: Callable[..., list[RunRecord]]) -> None:
    """A case that was run with one number of seeds only is left out."""
    assert rows_of([*runs_of("cpu", {4: 1e-6}), *runs_of("cuda:0", {4: 1e-6})]).empty


def test_eager_seeds_are_not_trained_together(run_of: RunOf, trial_of: TrialOf) -> None:
    """The documents' loop, one seed at a time, has no place in it."""
    runs: Sequence[RunRecord] = [run_of([trial_of(seed) for seed in range(n)], run=f"{n}") for n in (1, 2)]
    assert rows_of(runs).empty


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
@pytest.mark.parametrize("failed", [1, 4])
def test_a_device_on_which_seeds_failed_wins_nothing(
    runs_of: Callable[..., list[RunRecord]], seconds: float, failed: int
) -> None:
    """What a step of all seeds takes is not known where one of them failed, so there is no row of it."""
    cuda = runs_of("cuda:0", {1: 9e-6, 2: 9e-6, 4: 5e-6})
    times = cuda[-1].trials["train_seconds"].mask(cuda[-1].trials["seed"] < failed, seconds)
    broken = replace(cuda[-1], trials=cuda[-1].trials.assign(train_seconds=times))
    table = rows_of([*runs_of("cpu", {1: 3e-6, 2: 4e-6, 4: 6e-6}), *cuda[:-1], broken])
    assert list(table[table["device"] == "cuda:0"]["seeds"]) == [1, 2]
    assert wins(table, "cuda:0") is None


def test_runs_of_one_machine_are_one_series(run_of: RunOf, trial_of: TrialOf, machine: Machine) -> None:
    """A device is called alike in all runs of a machine, and after the first run where machines differ."""
    other = replace(machine, torch="3.0.0")
    runs = [run_of([trial_of(0)], run=name, on=on) for name, on in (("a", machine), ("b", other), ("c", machine))]
    assert [names["cpu"] for names in machine_names(runs)] == ["a:cpu", "b:cpu", "a:cpu"]
    assert [names["cpu"] for names in machine_names(runs[::2])] == ["cpu", "cpu"]


def test_from_how_many_seeds_on_is_a_whole_number(runs_of: Callable[..., list[RunRecord]]) -> None:
    """However many they are, and where other rows have none."""
    table = rows_of([*runs_of("cpu", {1: 3e-6, 12_345: 3e-2}), *runs_of("cuda:0", {1: 6e-6, 12_345: 3e-3})])
    assert {row.split("|")[-2].strip() for row in as_markdown(table, COLUMNS, WORDS).splitlines()[2:]} == {"", "12345"}
