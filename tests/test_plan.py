"""A plan crosses cases, devices, dtypes and modes in a fixed order, and its options are read strictly."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import plan as room
from suite.case import Case
from suite.errors import SuiteError
from suite.expect import final_loss
from suite.plan import (
    DTYPES,
    FOLLOWED_STEPS,
    PROBED_SEEDS,
    REFERENCE_SEEDS,
    REFERENCE_STEPS,
    SEED_LIMIT,
    Skip,
    make_plan,
    parse_choice,
    parse_devices,
    parse_seeds,
)
from suite.version import case_version


def faults_of(error: pytest.ExceptionInfo[SuiteError]) -> tuple[str, ...]:
    """Return the faults that were raised."""
    return error.value.faults


def test_cells_come_in_the_order_of_cases_devices_dtypes_and_modes(neuron: Case) -> None:
    """The last word varies first, so that the cells of a case stand together in every run."""
    cases, devices, dtypes, modes = (
        [neuron, replace(neuron, name="other")],
        ("cpu", "cpu:0"),
        DTYPES[:2],
        ("eager", "e"),
    )
    plan = make_plan(cases, devices=devices, dtypes=dtypes, modes=modes, seeds=range(5))
    found = [(cell.case.name, cell.device, cell.dtype, cell.mode) for cell in plan.cells]
    assert found == list(product(["neuron", "other"], devices, dtypes, modes))
    assert {cell.seeds for cell in plan.cells} == {range(5)}
    assert plan.trials == 16 * 5


def test_a_cell_knows_its_version_and_its_label(neuron: Case) -> None:
    """The version is that of its own case; the label names case, device and dtype."""
    faster = replace(neuron, name="faster", steps=10)
    first, second = make_plan([neuron, faster], dtypes=["float32"], modes=["eager"]).cells
    assert (first.version, second.version) == (case_version(neuron), case_version(faster))
    assert first.version != second.version
    assert first.label == "neuron[cpu-float32]"


def test_without_options_a_case_is_planned_on_the_cpu_in_every_dtype_and_mode(neuron: Case) -> None:
    """The defaults are the processor, all four dtypes and both modes, over the first hundred seeds."""
    plan = make_plan([neuron])
    dtypes = ["float64", "float32", "bfloat16", "float16"]
    found = [(cell.device, cell.dtype, cell.mode) for cell in plan.cells]
    assert found == [("cpu", dtype, mode) for dtype in dtypes for mode in ("eager", "ensemble")]
    assert {cell.seeds for cell in plan.cells if cell.mode == "ensemble"} == {range(100)}
    assert plan.skipped == ()


@pytest.mark.parametrize(
    ("seeds", "first"),
    [
        (None, range(REFERENCE_SEEDS)),
        (range(20, 120), range(20, 20 + REFERENCE_SEEDS)),
        (range(3), range(3)),
    ],
)
def test_unless_it_is_asked_for_the_eager_loop_trains_a_short_reference(
    neuron: Case, seeds: range | None, first: range
) -> None:
    """It trains the first few seeds, and for a few steps at most; the ensemble trains all of everything."""
    long = replace(neuron, steps=5_000, expect=[final_loss(high=1.0)])
    eager, ensemble = make_plan([long], dtypes=["float32"], seeds=seeds).cells
    assert (eager.mode, eager.short, eager.seeds, eager.steps) == ("eager", True, first, REFERENCE_STEPS)
    assert (ensemble.mode, ensemble.short, ensemble.steps) == ("ensemble", False, 5_000)
    assert ensemble.seeds == (range(100) if seeds is None else seeds)


@pytest.mark.parametrize("mode", ["eager", "ensemble"])
def test_a_mode_that_is_asked_for_trains_all_seeds_and_steps(neuron: Case, mode: str) -> None:
    """Whoever names a mode gets the whole of it, and nothing beside it."""
    (cell,) = make_plan([replace(neuron, steps=5_000)], dtypes=["float32"], modes=[mode]).cells
    assert (cell.mode, cell.short, cell.seeds, cell.steps) == (mode, False, range(100), 5_000)


def test_a_short_cell_trains_fewer_steps_and_expects_nothing(neuron: Case) -> None:
    """It is the same case otherwise, under its own version; a case that is shorter still keeps its steps."""
    long = replace(neuron, steps=5_000, expect=[final_loss(high=1.0)])
    short, whole = make_plan([long], dtypes=["float32"]).cells
    assert short.trained == replace(long, steps=REFERENCE_STEPS, expect=())
    assert whole.trained is whole.case is short.case is long
    assert short.version == whole.version
    assert replace(short, case=replace(long, steps=3)).steps == 3
    followed = replace(short, followed=True)
    assert (followed.steps, followed.trained.expect) == (FOLLOWED_STEPS, ())
    assert replace(followed, case=replace(long, steps=3)).steps == 3


@pytest.mark.parametrize(
    ("modes", "probing"),
    [
        (None, {"ensemble"}),
        (("eager",), {"eager"}),
        (("eager", "compiled"), {"compiled"}),
        (("ensemble", "compiled"), {"ensemble"}),
    ],
)
def test_one_cell_of_a_case_is_probed(neuron: Case, modes: tuple[str, ...] | None, probing: set[str]) -> None:
    """Its first seeds, in one mode: together rather than one by one."""
    cells = make_plan([neuron], dtypes=["float32"], seeds=range(5, 105), modes=modes).cells
    assert {cell.mode for cell in cells if cell.probed} == probing
    assert [cell.probed for cell in cells if cell.probed] == [range(5, 5 + PROBED_SEEDS)]
    (few,) = make_plan([neuron], dtypes=["float32"], seeds=range(3), modes=["eager"]).cells
    assert few.probed == range(3)


def test_what_was_skipped_is_kept(neuron: Case) -> None:
    """A device that was looked for in vain stays in the plan, with its reason."""
    skip = Skip(device="cuda", reason="none here")
    assert make_plan([neuron], skipped=[skip]).skipped == (skip,)


@given(start=st.integers(0, SEED_LIMIT - 1), count=st.integers(1, 10**6))
def test_any_range_of_seeds_reads_back(start: int, count: int) -> None:
    """First and end, as they are written, are the range; seeds go up to 2⁶⁴ − 1."""
    end = min(start + count, SEED_LIMIT)
    assert parse_seeds(f"{start}:{end}") == range(start, end)


@given(st.integers(1, sys.maxsize))
def test_a_number_alone_is_so_many_seeds_from_zero(count: int) -> None:
    """``100`` is the first hundred."""
    assert parse_seeds(str(count)) == range(count)


def test_the_last_seed_that_torch_takes_can_be_asked_for() -> None:
    """2⁶⁴ − 1 is a seed, 2⁶⁴ is none."""
    assert parse_seeds(f"{2**64 - 1}:{2**64}") == range(2**64 - 1, 2**64)
    with pytest.raises(SuiteError):
        parse_seeds(f"{2**64}:{2**64 + 1}")


@pytest.mark.parametrize("text", ["", "-1", "a", "1:2:3", ":", "5:", ":5", "1.5", "1e3", " 5", "5\n", "٣", "9" * 21])
def test_what_is_no_range_of_seeds_is_refused(text: str) -> None:
    """Nothing but ASCII digits with at most one colon between them is a range."""
    with pytest.raises(SuiteError) as caught:
        parse_seeds(text)
    assert faults_of(caught) == (f'--seeds "{text}" is no range; give a number, as 100, or first and end, as 20:120',)


@pytest.mark.parametrize("text", ["0", "5:5", "6:5", "9" * 20, f"0:{2**64 + 1}"])
def test_a_range_without_a_seed_is_refused(text: str) -> None:
    """The end lies above the start, and no seed above what torch takes."""
    with pytest.raises(SuiteError) as caught:
        parse_seeds(text)
    assert faults_of(caught) == (f'--seeds "{text}" holds no seed; the end must lie above the start, at most 2^64',)


@pytest.mark.parametrize("text", [str(2**63), str(2**64), f"5:{2**64}"])
def test_more_seeds_than_can_be_counted_are_refused(text: str) -> None:
    """What is accepted has a length, so that no later room fails on it."""
    with pytest.raises(SuiteError) as caught:
        parse_seeds(text)
    most = f"give at most {sys.maxsize}"
    assert faults_of(caught) == (f'--seeds "{text}" holds more seeds than can be counted; {most}',)


@given(st.lists(st.sampled_from(DTYPES), min_size=1))
def test_a_choice_is_each_word_once_in_its_order(words: list[str]) -> None:
    """Words are separated by commas, with or without spaces; a word said twice counts once."""
    assert parse_choice("--dtype", ",".join(words), DTYPES) == tuple(dict.fromkeys(words))
    assert parse_choice("--dtype", " , ".join(words), DTYPES) == tuple(dict.fromkeys(words))


def test_all_is_every_known_word() -> None:
    """``all`` alone stands for the whole list."""
    assert parse_choice("--dtype", "all", DTYPES) == DTYPES


def test_every_unknown_word_of_a_choice_is_named() -> None:
    """Each is a fault of its own that says what could be chosen; ``all`` beside another word is unknown."""
    with pytest.raises(SuiteError) as caught:
        parse_choice("--dtype", "float8,float32,,all", ("float32", "float64"))
    assert faults_of(caught) == tuple(
        f'--dtype "{word}" is not known; choose from float32, float64' for word in ("float8", "", "all")
    )


def without(*missing: str) -> dict[str, str]:
    """Return why some devices are missing, by name."""
    return dict.fromkeys(missing, "none here")


@pytest.mark.parametrize(
    ("missing", "devices", "skipped"),
    [
        (("cuda",), ("cpu",), (Skip(device="cuda", reason="none here"),)),
        ((), ("cpu", "cuda"), ()),
    ],
)
def test_auto_takes_what_is_here_and_skips_the_rest(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], devices: tuple[str, ...], skipped: tuple[Skip, ...]
) -> None:
    """A device that ``auto`` looked for in vain is skipped, with its reason."""
    monkeypatch.setattr(room, "unavailable", without(*missing).get)
    assert parse_devices("auto") == (devices, skipped)


def test_devices_that_are_asked_for_by_name_must_be_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one that is missing is named with its reason, and none is skipped silently."""
    monkeypatch.setattr(room, "unavailable", without("cuda", "mps").get)
    with pytest.raises(SuiteError) as caught:
        parse_devices("cuda, cpu, mps")
    assert faults_of(caught) == ('--device "cuda" is not here: none here', '--device "mps" is not here: none here')


def test_devices_that_are_here_are_taken_once_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device said twice counts once."""
    monkeypatch.setattr(room, "unavailable", without().get)
    assert parse_devices("cuda,cpu,cuda") == (("cuda", "cpu"), ())


@pytest.mark.parametrize("device", ["nonsense", "", "meta", "hpu", "cuda:x"])
def test_a_device_that_torch_does_not_know_is_refused_in_a_line(device: str) -> None:
    """Whatever torch raises about it becomes one fault that names the device."""
    with pytest.raises(SuiteError) as caught:
        parse_devices(f"cpu,{device}")
    (fault,) = faults_of(caught)
    assert fault.startswith(f'--device "{device}" is not here: ')
    assert "\n" not in fault


def test_bounds_in_a_dtype_that_is_none_are_refused(neuron: Case) -> None:
    """They would never be judged; every case that has such is named, and what would do."""
    case = replace(neuron, name="one", file="cases/one.py", expect=(final_loss(near={"flaot64": 0.0}, atol=1.0),))
    known = replace(neuron, expect=(final_loss(near={"float64": 0.0, "float16": 0.0}, atol=1.0), final_loss(low=0.0)))
    with pytest.raises(SuiteError) as caught:
        make_plan([known, case])
    told = 'cases/one.py: one: final loss has bounds in "flaot64"; choose from float64, float32, bfloat16, float16'
    assert faults_of(caught) == (told,)
    assert make_plan([known]).modes == ("eager", "ensemble")
