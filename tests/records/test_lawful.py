"""A manifest and a machine can be planned with, counted and named after, or are refused by their path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.clause import Clause
from suite.machine import Device, Machine, Settings
from suite.plan import Skip
from suite.records.faults import MOST_FAULTS
from suite.records.lawful import (
    DEVICE,
    LONGEST_NAME,
    MOST_DEVICES,
    MOST_ROOTS,
    unlawful_machine,
    unlawful_manifest,
)
from suite.sketch import MOST_POINTS, Layer, Sketch
from suite.trial import Acceptance, Manifest, Trial

CLAUSE = Clause(observation="w", bounds={"*": ([4.5], [5.5])})


@pytest.fixture
def manifest(trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]) -> Manifest:
    """Return the manifest of a run of three seeds, whose case expects something."""
    return manifest_of([trial_of(seed) for seed in range(3)], clauses=(CLAUSE,))


def test_what_this_suite_writes_is_lawful(manifest: Manifest, machine: Machine) -> None:
    """No law forbids what is."""
    assert list(unlawful_manifest(manifest)) == []
    assert list(unlawful_machine(machine)) == []


CELLS: list[tuple[dict[str, Any], str]] = [
    ({"device": "../.."}, "device: found '../..', expected a device as torch calls it, as cpu or cuda:0"),
    ({"dtype": "float8"}, "dtype: found 'float8', expected one of float64, float32, bfloat16, float16"),
    ({"mode": "fast"}, "mode: found 'fast', expected one of eager, ensemble, compiled"),
    ({"first_seed": -1}, "first_seed: found -1, expected 0 to 18446744073709551615"),
    ({"seeds": 0}, "seeds: found 0, expected 1 to 18446744073709551616"),
    ({"first_seed": 2**64 - 1, "seeds": 2}, "seeds: found 2, expected 1 to 1"),
    ({"seeds": 10**40}, "seeds: found a number of more than thirty digits, expected 1 to 18446744073709551616"),
]


@pytest.mark.parametrize(("change", "fault"), CELLS, ids=lambda part: str(part)[:30])
def test_a_cell_that_cannot_be_trained_is_named(manifest: Manifest, change: dict[str, Any], fault: str) -> None:
    """By its place among the cells, and what would do."""
    odd = replace(manifest, cells=(*manifest.cells, replace(manifest.cells[0], case="other", **change)))
    assert list(unlawful_manifest(odd)) == [f"cells.1.{fault}"]


CASES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name: found '', expected some text"),
    ({"steps": 0}, "steps: found 0, expected 1 to 9007199254740992"),
    ({"line": 0}, "line: found 0, expected 1 to 9007199254740992"),
    ({"source": "../x.py"}, "source: found '../x.py', expected a folder's name and a file's"),
    ({"source": "/x.py"}, "source: found '/x.py', expected a folder's name and a file's"),
    (
        {"sketch": Sketch(layers=(Layer(inputs=-1, outputs=1),))},
        "sketch.layers.0.inputs: found -1, expected 0 to 9007199254740992",
    ),
    (
        {"sketch": Sketch(points=((0.0, 1.0), (1.0, float("inf"))))},
        "sketch.points.1: found (1.0, inf), expected two finite numbers",
    ),
    (
        {"sketch": Sketch(points=((float("nan"), 1.0),))},
        "sketch.points.0: found (nan, 1.0), expected two finite numbers",
    ),
]


@pytest.mark.parametrize(("change", "fault"), CASES, ids=lambda part: str(part)[:30])
def test_a_case_that_cannot_be_is_named(manifest: Manifest, change: dict[str, Any], fault: str) -> None:
    """By its place among the cases."""
    case = replace(manifest.cases[0], **change)
    odd = replace(manifest, cases=(case,), known_cases=(case.name,))
    assert list(unlawful_manifest(odd)) == [f"cases.0.{fault}"]


CLAUSES: list[dict[str, Any]] = [
    {"summary": "quantile", "quantile": 1.5},
    {"summary": "quantile", "quantile": float("nan")},
    {"summary": "quantile"},
    {"quantile": 0.5},
    {"summary": "share"},
    {"summary": "share", "share": (0.9, 0.1)},
    {"summary": "share", "share": (-0.1, 0.1)},
    {"bounds": {}},
    {"bounds": {"*": ([], [])}},
    {"bounds": {"*": ([1.0], [0.0])}},
    {"bounds": {"*": ([0.0, 0.0], [1.0])}},
    {"bounds": {"*": ([float("nan")], [1.0])}},
]


@pytest.mark.parametrize("change", CLAUSES, ids=str)
def test_a_clause_that_nothing_can_be_judged_by_is_named(manifest: Manifest, change: dict[str, Any]) -> None:
    """A quantile, a share and bounds are such as an expectation can have."""
    case = replace(manifest.cases[0], clauses=(CLAUSE, replace(CLAUSE, **change)))
    (fault,) = unlawful_manifest(replace(manifest, cases=(case,)))
    assert fault.startswith("cases.0.clauses.1.")


def long_named(length: int, manifest: Manifest) -> Manifest:
    """Give the run, and its case, a name of so many characters."""
    name, (case,), (cell,) = "x" * length, manifest.cases, manifest.cells
    cases, cells = (replace(case, name=name),), (replace(cell, case=name),)
    return replace(manifest, run=name, known_cases=(name,), cases=cases, cells=cells)


def test_a_name_is_no_longer_than_that_of_a_file(manifest: Manifest) -> None:
    """What a folder, or a file, is named after: a run and its cases."""
    assert list(unlawful_manifest(long_named(LONGEST_NAME, manifest))) == []
    told = f"found {LONGEST_NAME + 1} characters, expected at most {LONGEST_NAME}"
    assert list(unlawful_manifest(long_named(LONGEST_NAME + 1, manifest))) == [f"run: {told}", f"cases.0.name: {told}"]


def test_a_run_is_of_no_more_folders_than_can_be_looked_at(manifest: Manifest) -> None:
    """Each of them is named to whoever times the run again."""
    assert list(unlawful_manifest(replace(manifest, roots=("cases",) * MOST_ROOTS))) == []
    (fault,) = unlawful_manifest(replace(manifest, roots=("cases",) * (MOST_ROOTS + 1)))
    assert fault == "roots: found 1,001 folders, expected at most 1,000"


def lines(manifest: Manifest, *, claims: int, clauses: int, cells: int) -> list[str]:
    """Return what is at fault where so much is claimed of the case, by so many clauses, in so many cells."""
    case = replace(manifest.cases[0], claims=("G1",) * claims, clauses=(CLAUSE,) * clauses)
    seeds = (replace(manifest.cells[0], device=f"cuda:{place}") for place in range(cells))
    return list(unlawful_manifest(replace(manifest, cases=(case,), cells=tuple(seeds))))


def test_what_is_to_be_told_of_a_run_is_limited(manifest: Manifest) -> None:
    """Each clause is judged in each cell, and stands on a page under each claim; without claims, it is judged."""
    assert lines(manifest, claims=100, clauses=100, cells=99) == []
    told = "expected at most 1,000,000"
    assert lines(manifest, claims=100, clauses=100, cells=100) == [
        f"cases: found 1,010,000 claims by clauses by cells, {told}"
    ]
    assert lines(manifest, claims=0, clauses=2_000, cells=500) == [
        f"cases: found 1,002,000 claims by clauses by cells, {told}"
    ]


def test_a_machine_has_no_more_devices_than_can_be_told_apart(machine: Machine) -> None:
    """A page has a column for each."""
    devices = {f"cuda:{place}": Device(name=f"cuda:{place}", model="", details={}) for place in range(MOST_DEVICES + 1)}
    (fault,) = unlawful_machine(replace(machine, devices=devices))
    assert fault == "devices: found 65 devices, expected at most 64"
    devices.popitem()
    assert list(unlawful_machine(replace(machine, devices=devices))) == []


def test_nothing_stands_twice(manifest: Manifest) -> None:
    """Of two cases of one name, or two cells of one place, one would hide the other."""
    twice = replace(manifest, cases=manifest.cases * 2, cells=manifest.cells * 3)
    assert list(unlawful_manifest(twice)) == [
        "cases: 'neuron' stands there 2 times",
        "cells: 'neuron[cpu-float64] (eager)' stands there 3 times",
    ]


def test_a_machine_that_cannot_be_is_named(machine: Machine) -> None:
    """Cores and threads are counted, and devices are called as torch calls them."""
    device = Device(name="cpu", model="", details={})
    odd = replace(
        machine, cores=0, settings=Settings(threads=10**9), devices={"cpu": replace(device, name="x"), "/": device}
    )
    assert [fault.partition(": ")[0] for fault in unlawful_machine(odd)] == [
        "cores",
        "settings.threads",
        "devices.cpu.name",
        "devices./",
        "devices./.name",
    ]


@given(st.text() | st.from_regex(DEVICE, fullmatch=True))
def test_a_device_names_one_folder(name: str) -> None:
    """What is called a device is a name without a path, a dot or a blank in it."""
    assert not DEVICE.fullmatch(name) or not set(name) & set("/\\. \n\0")


LONG = "x" * 10**6


def test_of_very_many_faults_few_are_told(manifest: Manifest, machine: Machine) -> None:
    """Of thousands the first, and how many more there are."""
    cells = (replace(manifest.cells[0], device="/", dtype="float8"),) * 1000
    assert len(list(unlawful_manifest(replace(manifest, cells=cells)))) == MOST_FAULTS + 1
    assert list(unlawful_manifest(replace(manifest, cells=cells)))[-1] == "and 1981 more faults"
    devices = {f"/{k}": Device(name="x", model="", details={}) for k in range(1000)}
    assert list(unlawful_machine(replace(machine, devices=devices)))[-1] == "and 1981 more faults"


def test_no_fault_is_as_long_as_what_is_at_fault(manifest: Manifest, machine: Machine) -> None:
    """Whatever is quoted, or named in a path, is told by how it begins, and in one line."""
    (case,), (cell, *_) = manifest.cases, manifest.cells
    clause = replace(CLAUSE, bounds={f"\n{LONG}": ([], [])})
    odd = replace(
        manifest,
        run=LONG,
        cases=(replace(case, name=LONG, source=f"../{LONG}", clauses=(clause,)),) * 2,
        cells=(replace(cell, case=LONG, device=LONG, dtype=LONG, mode=LONG, first_seed=-(10**4300) + 1, seeds=0),) * 2,
    )
    device = Device(name=LONG, model="", details={})
    told = [*unlawful_manifest(odd), *unlawful_machine(replace(machine, devices={f"\n{LONG}": device}))]
    assert len(told) == 22
    assert all(len(fault) < 500 and fault.isprintable() for fault in told)


POINTS = ((0.0, 0.0),) * (MOST_POINTS + 1)
WHOLES: list[tuple[dict[str, Any], str]] = [
    ({"run": ""}, "run: found '', expected some text"),
    ({"known_cases": ("other",)}, "known_cases: neuron is missing, which cases declares"),
    ({"known_cases": ("neuron", "neuron")}, "known_cases: 'neuron' stands there 2 times"),
    (
        {"skipped": (Skip(device="cuda", reason="a"), Skip(device="cuda", reason="b"))},
        "skipped: 'cuda' stands there 2 times",
    ),
    (
        {"complete": False, "accepted": Acceptance(who="a", when="b", why="c", replaced="")},
        "accepted: found a run that is not complete; accept a whole run",
    ),
]


@pytest.mark.parametrize(("change", "fault"), WHOLES, ids=lambda part: str(part)[:30])
def test_what_does_not_go_together_is_named(manifest: Manifest, change: dict[str, Any], fault: str) -> None:
    """What would be told twice, or of a case that nobody knows, or accepted before it was there."""
    assert list(unlawful_manifest(replace(manifest, **change))) == [fault]


def test_no_more_points_are_drawn_than_this_suite_keeps(manifest: Manifest) -> None:
    """Each picture of a page holds all of them."""
    for points, faults in ((POINTS[1:], []), (POINTS, ["found 1,001 points, expected at most 1,000"])):
        cases = (replace(manifest.cases[0], sketch=Sketch(points=points)),)
        told = list(unlawful_manifest(replace(manifest, cases=cases)))
        assert told == [f"cases.0.sketch.points: {fault}" for fault in faults]
