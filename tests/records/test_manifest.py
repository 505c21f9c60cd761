"""What a run set out to do, and where, reads back as it was written, or is refused in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.clause import Clause
from suite.errors import SuiteError
from suite.machine import Device, Machine, Settings
from suite.plan import Skip
from suite.records.faults import MOST_FAULTS
from suite.records.manifest import MOST_BYTES, MOST_NAMES, read_json, write_json
from suite.records.schema import SCHEMA_VERSION
from suite.trial import Acceptance, Manifest, PlannedCell, Trial

TEXTS = st.text(max_size=8)
ENDS = st.lists(st.floats(allow_nan=False), min_size=1, max_size=3)
SHARES = st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1))
CLAUSES = st.builds(
    Clause,
    observation=TEXTS,
    bounds=st.dictionaries(TEXTS, st.tuples(ENDS, ENDS), max_size=2),
    summary=st.sampled_from(["every", "share", "quantile"]),
    quantile=st.none() | st.floats(0, 1),
    share=SHARES,
    group=TEXTS,
    inside=st.booleans(),
    claims=st.lists(TEXTS, max_size=2).map(tuple),
)
CELLS = st.builds(
    PlannedCell,
    case=TEXTS,
    device=TEXTS,
    dtype=TEXTS,
    mode=TEXTS,
    first_seed=st.integers(0, 2**64 - 1),
    seeds=st.integers(1, 2**63 - 1),
)
ACCEPTANCES = st.builds(Acceptance, who=TEXTS, when=TEXTS, why=TEXTS, replaced=TEXTS)
MACHINES = st.builds(
    Machine,
    torch=TEXTS,
    torch_build=TEXTS,
    numpy=TEXTS,
    python=TEXTS,
    system=TEXTS,
    cores=st.integers(1, 512),
    variables=st.dictionaries(TEXTS, TEXTS, max_size=2),
    settings=st.builds(Settings, threads=st.integers(1, 512), tf32=st.booleans(), deterministic=st.booleans()),
    devices=st.dictionaries(
        TEXTS, st.builds(Device, name=TEXTS, model=TEXTS, details=st.dictionaries(TEXTS, TEXTS, max_size=2)), max_size=2
    ),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file's place that the examples of a property write to, one after the other."""
    return tmp_path_factory.mktemp("manifest") / "record.json"


@pytest.fixture(scope="module")
def manifest(trial_of: Callable[..., Trial], manifest_of: Callable[..., Manifest]) -> Manifest:
    """Return the manifest of a run of three seeds."""
    clause = Clause(observation="w", bounds={"*": ([4.5], [float("inf")])})
    return manifest_of([trial_of(seed) for seed in range(3)], clauses=(clause,))


@given(
    clauses=st.lists(CLAUSES, max_size=2).map(tuple),
    cells=st.lists(CELLS, max_size=3).map(tuple),
    skipped=st.lists(st.builds(Skip, device=TEXTS, reason=TEXTS), max_size=2).map(tuple),
    accepted=st.none() | ACCEPTANCES,
    complete=st.booleans(),
)
@settings(max_examples=60)
def test_a_manifest_reads_back_as_it_is(scratch: Path, manifest: Manifest, **parts: Any) -> None:
    """Infinite bounds, odd floats, the last of all seeds and any text come back equal."""
    cases = tuple(replace(case, clauses=parts["clauses"]) for case in manifest.cases)
    written = replace(manifest, cases=cases, **{name: value for name, value in parts.items() if name != "clauses"})
    write_json(scratch, written)
    assert read_json(scratch, Manifest) == written


@given(machine=MACHINES)
@settings(max_examples=60)
def test_a_machine_reads_back_as_it_is(scratch: Path, machine: Machine) -> None:
    """Fingerprints taken before and after are the same."""
    write_json(scratch, machine)
    again = read_json(scratch, Machine)
    assert again == machine
    assert [again.timing(device) for device in again.devices] == [machine.timing(device) for device in machine.devices]


def test_bounds_are_written_to_the_last_bit(scratch: Path, manifest: Manifest) -> None:
    """A bound of one third is that very float, and an infinite one is told in words that JSON can hold."""
    clause = Clause(observation="w", bounds={"*": ([1 / 3], [float("inf")])})
    write_json(scratch, replace(manifest, cases=(replace(manifest.cases[0], clauses=(clause,)),)))
    (case,) = json.loads(scratch.read_text())["cases"]
    assert case["clauses"][0]["bounds"] == {"*": [[1 / 3], ["Infinity"]]}


def refused(file: Path, kind: type[Manifest] | type[Machine]) -> list[str]:
    """Return the lines in which a file is refused, without the file's name."""
    with pytest.raises(SuiteError) as caught:
        read_json(file, kind)  # type: ignore[type-var]
    assert all("\n" not in fault and fault.startswith(f"{file}: ") for fault in caught.value.faults)
    return [fault.removeprefix(f"{file}: ") for fault in caught.value.faults]


NO_JSON: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("cut off", b'{"schema": %d, "torch": "2.1' % SCHEMA_VERSION),
    ("two", b'{"schema": %d} {"schema": %d}' % (SCHEMA_VERSION, SCHEMA_VERSION)),
    ("a mark", b'\xef\xbb\xbf{"schema": %d}' % SCHEMA_VERSION),
    ("other bytes", b'{"schema": %d, "torch": "\xff"}' % SCHEMA_VERSION),
    ("too deep", b"[" * 100_000),
    ("too long a number", b'{"schema": ' + b"1" * 5000 + b"}"),
    ("table", b"schema,case\n%d,neuron\n" % SCHEMA_VERSION),
]


@pytest.mark.parametrize("content", [content for _, content in NO_JSON], ids=[name for name, _ in NO_JSON])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    """One line says so, however it fails to be JSON."""
    (tmp_path / "machine.json").write_bytes(content)
    (fault,) = refused(tmp_path / "machine.json", Machine)
    assert fault.startswith("is no JSON: ")


@pytest.mark.parametrize("content", ["[]", "[1]", "1", "null", '"schema"', "{}", '{"torch": "2.13.0"}'])
def test_what_names_no_version_is_refused(tmp_path: Path, content: str) -> None:
    """A list, a number, or an object without a version is no file of a run."""
    (tmp_path / "machine.json").write_text(content)
    assert refused(tmp_path / "machine.json", Machine) == ["names no schema version; is it a run's?"]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (SCHEMA_VERSION + 1, f"{SCHEMA_VERSION + 1}"),
        (SCHEMA_VERSION - 1, f"{SCHEMA_VERSION - 1}"),
        (0, "0"),
        (f"{SCHEMA_VERSION}", f"'{SCHEMA_VERSION}'"),
        (None, "None"),
        ([SCHEMA_VERSION], f"[{SCHEMA_VERSION}]"),
    ],
)
def test_another_version_is_refused_by_its_name(tmp_path: Path, version: object, told: str) -> None:
    """A file of another version is never guessed at, even if all else is as it should be."""
    (tmp_path / "run.json").write_text(json.dumps({"schema": version}))
    expected = f"has schema version {told}; this suite reads version {SCHEMA_VERSION} only"
    assert refused(tmp_path / "run.json", Manifest) == [expected]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The system's reason is told."""
    assert refused(tmp_path / "run.json", Manifest) == ["cannot be read: No such file or directory"]


Spoil = Callable[[dict[str, Any]], object]

SPOILT: list[tuple[str, Spoil, list[str]]] = [
    ("missing", lambda d: d.pop("torch"), ["torch"]),
    ("unknown", lambda d: d.update(more=1), ["more"]),
    ("wrong kind", lambda d: d.update(cores="two"), ["cores"]),
    ("a number in a text", lambda d: d.update(cores="2"), ["cores"]),
    ("a text in a number", lambda d: d.update(torch=2.13), ["torch"]),
    ("null", lambda d: d.update(numpy=None), ["numpy"]),
    ("nested unknown", lambda d: d["settings"].update(speed=9), ["settings.speed"]),
    ("nested default", lambda d: d["settings"].pop("threads"), ["settings.threads"]),
    ("a list", lambda d: d.update(devices=[]), ["devices"]),
    ("deep", lambda d: d["devices"]["cpu"].pop("model"), ["devices.cpu.model"]),
    ("two at once", lambda d: (d.pop("torch"), d.pop("numpy")), ["torch", "numpy"]),
]


@pytest.mark.parametrize(("spoil", "paths"), [part[1:] for part in SPOILT], ids=[part[0] for part in SPOILT])
def test_a_machine_that_is_not_what_was_written_is_refused(
    tmp_path: Path, machine: Machine, spoil: Spoil, paths: list[str]
) -> None:
    """A key that is missing, unknown, or of another kind is named by its path; no default stands in for it."""
    write_json(tmp_path / "machine.json", machine)
    content = json.loads((tmp_path / "machine.json").read_text())
    spoil(content)
    (tmp_path / "machine.json").write_text(json.dumps(content))
    assert [fault.partition(": ")[0] for fault in refused(tmp_path / "machine.json", Machine)] == paths


def test_a_manifest_without_what_has_a_default_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    """Whether a run is complete is never assumed."""
    write_json(tmp_path / "run.json", manifest)
    content = json.loads((tmp_path / "run.json").read_text())
    del content["complete"]
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert refused(tmp_path / "run.json", Manifest) == ["complete: is not what this suite writes"]


def test_a_name_that_is_no_text_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    """A folder may have a name that is no UTF-8; no file is written then, and the line says what to do."""
    with pytest.raises(SuiteError) as caught:
        write_json(tmp_path / "run.json", replace(manifest, run=os.fsdecode(b"a\xff")))
    told = f"{tmp_path}/run.json: cannot be written: a name or a text in it is no UTF-8; give another"
    assert caught.value.faults == (told,)
    assert not list(tmp_path.iterdir())


def test_every_single_key_counts(tmp_path: Path, machine: Machine) -> None:
    """There is no key without which a machine could be read back."""
    write_json(tmp_path / "machine.json", machine)
    content = json.loads((tmp_path / "machine.json").read_text())
    for key in content:
        (tmp_path / "machine.json").write_text(json.dumps({name: content[name] for name in content if name != key}))
        assert refused(tmp_path / "machine.json", Machine)


ODD: list[tuple[str, str, str, str]] = [
    ("a float", '"cores": 2', '"cores": 2.0', "cores: is not what this suite writes"),
    ("a truth", '"threads": 1', '"threads": true', "settings.threads: is not what this suite writes"),
    ("a number for a truth", '"tf32": false', '"tf32": 0', "settings.tf32: is not what this suite writes"),
    ("twice", '"cores": 2', '"cores": 3, "cores": 2', "is no JSON: 'cores' stands twice in one object"),
    ("not a number", '"cores": 2', '"cores": NaN', "is no JSON: NaN is no number of JSON"),
    ("infinite", '"cores": 2', '"cores": 1e999', "cores: Input should be a finite number"),
    ("half a character", '"torch": "', '"torch": "\\ud800', "torch: holds half a character (a lone surrogate)"),
    ("half a name", '"variables": {', '"variables": {"\\udfff": ""', "variables.'\\udfff': holds half a character"),
    (
        "a version",
        f'"schema": {SCHEMA_VERSION}',
        f'"schema": {SCHEMA_VERSION}.0',
        f"has schema version {SCHEMA_VERSION}.0;",
    ),
    ("a path", '"variables": {', '"variables": {"a\\nb": 1', "variables.'a\\nb': Input should be a valid string"),
]


@pytest.mark.parametrize(("sound", "odd", "fault"), [part[1:] for part in ODD], ids=[part[0] for part in ODD])
def test_what_readers_of_json_take_otherwise_is_refused(
    tmp_path: Path, machine: Machine, sound: str, odd: str, fault: str
) -> None:
    """Nothing equal to what was meant is taken for it, and nothing that another reader would read as something else."""
    write_json(tmp_path / "machine.json", machine)
    text = (tmp_path / "machine.json").read_text(encoding="utf-8")
    assert sound in text
    (tmp_path / "machine.json").write_text(text.replace(sound, odd, 1), encoding="utf-8")
    assert refused(tmp_path / "machine.json", Machine)[0].startswith(fault)


def test_a_thing_in_a_list_is_named_by_its_place(tmp_path: Path, manifest: Manifest) -> None:
    """The path of a fault leads through lists."""
    write_json(tmp_path / "run.json", manifest)
    whole = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    whole["cases"][0]["clauses"][0]["bounds"]["*"][0] = [4]
    (tmp_path / "run.json").write_text(json.dumps(whole), encoding="utf-8")
    assert refused(tmp_path / "run.json", Manifest) == ["cases.0.clauses.0.bounds.*.0.0: is not what this suite writes"]


def test_of_very_many_faults_few_are_told(tmp_path: Path, machine: Machine, manifest: Manifest) -> None:
    """A list, or a dictionary, is looked through to its first fault; of others some are told; and a file has limits."""
    empty: dict[str, Any] = {"cases": [{}], "cells": [{}], "claims": [{}], "skipped": [{}], "accepted": {}}
    (tmp_path / "run.json").write_text(json.dumps({"schema": SCHEMA_VERSION} | empty), encoding="utf-8")
    told = refused(tmp_path / "run.json", Manifest)
    assert (len(told), told[-1]) == (MOST_FAULTS + 1, "and 9 more faults")
    write_json(tmp_path / "machine.json", machine)
    whole = json.loads((tmp_path / "machine.json").read_text(encoding="utf-8"))
    devices = {f"d{n}": {"name": "", "model": "", "details": {f"k{k}": 0 for k in range(100)}} for n in range(100)}
    (tmp_path / "machine.json").write_text(json.dumps(whole | {"devices": devices}), encoding="utf-8")
    assert refused(tmp_path / "machine.json", Machine) == ["devices.d0.details.k0: Input should be a valid string"]
    write_json(tmp_path / "machine.json", replace(machine, variables={f"{k}": "" for k in range(MOST_NAMES + 1)}))
    assert refused(tmp_path / "machine.json", Machine)[0].startswith("is no JSON: an object holds 10,001 names")
    (tmp_path / "machine.json").write_bytes(b" " * (MOST_BYTES + 1))
    assert refused(tmp_path / "machine.json", Machine) == ["is larger than 8,388,608 bytes, which no run's is"]
    write_json(tmp_path / "run.json", replace(manifest, notes=("x",)))
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(text.replace('"x"', "0, 0, 0"), encoding="utf-8")
    assert refused(tmp_path / "run.json", Manifest) == ["notes.0: Input should be a valid string"]


def test_nothing_is_written_that_is_too_large_to_be_read(tmp_path: Path, machine: Machine) -> None:
    """A byte more than what is read is refused with its size, and what stands there stays."""
    file = tmp_path / "machine.json"
    write_json(file, replace(machine, torch=""))
    room = MOST_BYTES - file.stat().st_size
    fitting = replace(machine, torch="x" * room)
    write_json(file, fitting)
    with pytest.raises(SuiteError) as caught:
        write_json(file, replace(machine, torch="x" * (room + 1)))
    told = "would be of 8,388,609 bytes, and none larger than 8,388,608 is read"
    assert caught.value.faults == (f"{file}: {told}; train fewer cases, dtypes or devices in one run",)
    assert read_json(file, Machine) == fitting


LONG = "x" * 10**6
LENGTHY: dict[str, str] = {
    "a version": f'{{"schema": "{LONG}"}}',
    "a list for a version": f'{{"schema": [{"0, " * 10**6}0]}}',
    "a doubled name": f'{{"{LONG}": 0, "{LONG}": 0}}',
    "half a name": f'{{"{LONG}\\ud800": 0}}',
    "half a character far down": '{"deeper": ' * 400 + '"\\ud800"' + "}" * 400,
    "a name of another kind": f'{{"schema": {SCHEMA_VERSION}, "variables": {{"{LONG}": 0}}}}',
    "a name that is not known": f'{{"schema": {SCHEMA_VERSION}, "{LONG}": 0}}',
}


@pytest.mark.parametrize("what", LENGTHY)
def test_no_fault_is_as_long_as_what_is_at_fault(tmp_path: Path, what: str) -> None:
    """Texts and paths are told by how they begin."""
    (tmp_path / "machine.json").write_text(LENGTHY[what], encoding="utf-8")
    assert all(len(fault) < 1000 for fault in refused(tmp_path / "machine.json", Machine))


def test_a_run_that_does_not_tell_its_modes_is_of_an_earlier_suite(
    tmp_path: Path, manifest_of: Callable[..., Manifest], trial_of: Callable[..., Trial]
) -> None:
    """It is read, and written again, as it was; one that tells of none is no suite's."""
    file, manifest = tmp_path / "run.json", manifest_of([trial_of()])
    write_json(file, manifest)
    text = file.read_text(encoding="utf-8")
    assert '"modes"' not in text
    assert read_json(file, Manifest) == manifest
    write_json(file, replace(manifest, modes=("eager",)))
    assert read_json(file, Manifest).modes == ("eager",)
    file.write_text(json.dumps({**json.loads(text), "modes": []}), encoding="utf-8")
    with pytest.raises(SuiteError, match=r"run\.json: modes: is not what this suite writes"):
        read_json(file, Manifest)
