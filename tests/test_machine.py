"""A fingerprint differs exactly if something differs that decides bits or times, and settings are given back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from suite.machine import (
    FINGERPRINT_LENGTH,
    RELEVANT_VARIABLES,
    Device,
    Machine,
    Settings,
    applied,
    describe,
    differences,
    fingerprint,
    unavailable,
)

FACTS = st.dictionaries(st.sampled_from(["threads", "torch", "model", "cuda"]), st.sampled_from(["1", "2", "x"]))

CPU = Device(name="cpu", model="a processor", details={"kernels": "AVX2"})
CUDA = Device(name="cuda:0", model="a card", details={"cuda": "12.8"})
MACHINE = Machine(
    torch="2.13.0",
    torch_build="abc",
    numpy="2.4.6",
    python="CPython 3.11.7",
    system="Linux 6.1 x86_64",
    cores=2,
    variables={},
    settings=Settings(),
    devices={"cpu": CPU, "cuda:0": CUDA},
)

DECIDES_BITS = [
    {"torch": "2.14.0"},
    {"torch_build": "abd"},
    {"numpy": "2.5.0"},
    {"variables": {"ATEN_CPU_CAPABILITY": "default"}},
    {"settings": Settings(threads=2)},
    {"settings": Settings(tf32=True)},
    {"settings": Settings(deterministic=False)},
    {"devices": {"cpu": replace(CPU, model="another processor")}},
    {"devices": {"cpu": replace(CPU, details={"kernels": "AVX512"})}},
]
DECIDES_TIMES_ONLY = [{"python": "CPython 3.12.1"}, {"system": "Linux 6.2 x86_64"}, {"cores": 4}]


def changed(changes: dict[str, Any]) -> Machine:
    """Return the machine with some fields changed."""
    return replace(MACHINE, **changes)


@pytest.fixture
def _kept() -> Iterator[None]:
    """Give torch's settings back after a test that changes them, whatever it does."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(False)


def test_equal_machines_have_equal_fingerprints() -> None:
    """Where nothing differs, bits and times may be compared; fingerprints are hexadecimal."""
    twin = changed({"devices": {"cpu": replace(CPU, details=dict(CPU.details))}})
    assert (twin.numerics("cpu"), twin.timing("cpu")) == (MACHINE.numerics("cpu"), MACHINE.timing("cpu"))
    assert len(MACHINE.numerics("cpu")) == len(MACHINE.timing("cpu")) == FINGERPRINT_LENGTH == 12
    assert int(MACHINE.numerics("cpu"), 16) != int(MACHINE.timing("cpu"), 16)


def test_the_order_of_facts_does_not_count() -> None:
    """Variables and details that are written in another order make the same fingerprint."""
    details = {"kernels": "AVX2", "cores": "2"}
    one, other = (
        changed({"devices": {"cpu": replace(CPU, details=dict(items))}})
        for items in (details.items(), reversed(details.items()))
    )
    assert one.numerics("cpu") == other.numerics("cpu")


@pytest.mark.parametrize("changes", DECIDES_BITS, ids=str)
def test_what_decides_bits_changes_both_fingerprints(changes: dict[str, Any]) -> None:
    """Another kernel, library, setting or processor makes neither bits nor times comparable."""
    assert changed(changes).numerics("cpu") != MACHINE.numerics("cpu")
    assert changed(changes).timing("cpu") != MACHINE.timing("cpu")


@pytest.mark.parametrize("changes", DECIDES_TIMES_ONLY, ids=str)
def test_what_decides_times_alone_leaves_bits_comparable(changes: dict[str, Any]) -> None:
    """Another interpreter, system or number of cores changes how long it takes, not what comes out."""
    assert changed(changes).numerics("cpu") == MACHINE.numerics("cpu")
    assert changed(changes).timing("cpu") != MACHINE.timing("cpu")


def test_a_device_is_fingerprinted_apart_from_the_others() -> None:
    """A new card changes nothing for the processor; the two never share a fingerprint."""
    other = changed({"devices": {"cpu": CPU, "cuda:0": replace(CUDA, details={"cuda": "13.0"})}})
    assert other.numerics("cpu") == MACHINE.numerics("cpu")
    assert other.numerics("cuda:0") != MACHINE.numerics("cuda:0")
    assert MACHINE.numerics("cpu") != MACHINE.numerics("cuda:0")


@given(facts=FACTS)
def test_equal_facts_do_not_differ(facts: dict[str, str]) -> None:
    """There is nothing to say where nothing differs."""
    assert differences(facts, dict(facts)) == ""


@given(ours=FACTS, theirs=FACTS)
def test_every_fact_that_differs_is_said_once(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Each name that has two values, or only one side, is said with both values; ours come first."""
    assert differences(ours, theirs, "here") == differences(ours, theirs).replace("(baseline: ", "(here: ")
    said = [part for part in differences(ours, theirs).split(", ") if part]
    names = [name for name in [*ours, *(theirs.keys() - ours.keys())] if ours.get(name) != theirs.get(name)]
    assert sorted(said) == sorted(
        f"{name} {ours.get(name, 'unset')} (baseline: {theirs.get(name, 'unset')})" for name in names
    )


def test_a_difference_is_said_in_a_readers_words() -> None:
    """Settings and variables are named as they are given on the command line and in the environment."""
    other = changed({"settings": Settings(threads=4), "variables": {"MKL_CBWR": "AVX2"}})
    assert differences(other.facts("cpu"), MACHINE.facts("cpu")) == (
        "$MKL_CBWR AVX2 (baseline: unset), threads 4 (baseline: 1)"
    )


def test_the_facts_of_a_machine_have_names_that_can_be_read() -> None:
    """Libraries, variables, settings and the device's own details decide bits; times depend on three more."""
    machine = changed({"variables": {"MKL_CBWR": "AVX2"}})
    bits = {
        "torch": "2.13.0",
        "torch build": "abc",
        "numpy": "2.4.6",
        "$MKL_CBWR": "AVX2",
        "threads": "1",
        "tf32": "False",
        "deterministic": "True",
        "model": "a processor",
        "kernels": "AVX2",
    }
    assert machine.facts("cpu") == bits
    assert machine.timing_facts("cpu") == bits | {
        "python": "CPython 3.11.7",
        "system": "Linux 6.1 x86_64",
        "cores": "2",
    }


KERNEL_VARIABLES = [
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
]


@pytest.mark.parametrize("name", KERNEL_VARIABLES)
def test_a_variable_that_chooses_kernels_is_part_of_the_fingerprint(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever sets one of them trains on another machine, as far as bits go."""
    monkeypatch.delenv(name, raising=False)
    without = fingerprint({"cpu": None}, Settings())
    monkeypatch.setenv(name, "other")
    assert fingerprint({"cpu": None}, Settings()).numerics("cpu") != without.numerics("cpu")


def test_this_machine_is_described_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are those of the libraries; only variables that choose kernels are kept, and only those that are set."""
    for name in RELEVANT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("UNRELATED", "1")
    machine = fingerprint({"cpu": None}, Settings(threads=3))
    assert (machine.torch, machine.numpy, machine.cores) == (torch.__version__, np.__version__, os.cpu_count())
    assert machine.variables == {"MKL_CBWR": "COMPATIBLE"}
    assert machine.settings == Settings(threads=3)
    assert machine.devices == {"cpu": describe("cpu")}


def test_a_machine_is_the_same_when_it_is_looked_at_again() -> None:
    """Nothing that changes from run to run, as free memory or load, enters the fingerprint."""
    first, again = fingerprint({"cpu": None}, Settings()), fingerprint({"cpu": None}, Settings())
    assert asdict(first) == asdict(again)
    assert fingerprint({"cpu": None}, Settings(threads=2)).numerics("cpu") != first.numerics("cpu")


def test_the_processor_is_told_by_its_kernels_and_its_model() -> None:
    """Torch's choice of kernels is part of the description."""
    about = describe("cpu")
    assert about.details == {"kernels": torch.backends.cpu.get_cpu_capability()}
    assert about.model


def test_the_processors_flags_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors of one name with other instruction sets are two."""
    text = "model name : Some CPU @ 2 GHz\ncpu family : 6\nmodel : 85\nstepping : 7\nflags : {}\n\nno colon\n"
    models = set()
    for flags in ("avx2", "avx2 avx512f", "avx2"):
        monkeypatch.setattr(Path, "read_text", lambda *_, flags=flags, **__: text.format(flags))
        models.add(describe("cpu").model)
    assert len(models) == 2
    assert all(model.startswith("Some CPU @ 2 GHz (6/85/7, flags ") for model in models)


def test_a_system_without_a_list_of_processors_has_a_model_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc/cpuinfo is missing, the platform's own word stands for the processor."""

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert describe("cpu").model


def test_a_card_is_told_by_its_name_and_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device is described by its name, its compute capability and the versions of its libraries."""
    card = SimpleNamespace(name="Some Card", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card if device == "cuda:1" else None)
    about = describe("cuda:1")
    assert (about.name, about.model, about.details["compute capability"]) == ("cuda:1", "Some Card", "9.0")
    assert about.details.keys() == {"compute capability", "cuda", "cudnn"}


def test_another_kind_of_device_is_told_by_its_type() -> None:
    """A backend of which nothing more is known is named by its type."""
    assert describe("meta:1") == Device(name="meta:1", model="meta", details={})


def test_the_processor_is_always_here() -> None:
    """A device that can add one to one is available; one that holds no numbers is not."""
    assert unavailable("cpu") is None
    assert unavailable("meta") == "Tensor.item() cannot be called on meta tensors"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("\n Found no driver. Please install one.\nmore"), "Found no driver"),
        (AssertionError("Torch not compiled with CUDA enabled"), "Torch not compiled with CUDA enabled"),
        (NotImplementedError("no kernel\nfor this"), "no kernel"),
        (ModuleNotFoundError("No module named 'torch.hpu'"), "No module named 'torch.hpu'"),
    ],
)
def test_a_device_that_is_not_here_says_why_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """Whatever torch raises about a device, its first sentence is the reason."""

    def ones(*_: object, **__: object) -> torch.Tensor:
        raise error

    monkeypatch.setattr(torch, "ones", ones)
    assert unavailable("cuda") == reason


def settings_now() -> tuple[object, ...]:
    """Return all of torch's settings that a run may change."""
    return (
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def look_and_raise(seen: list[tuple[object, ...]]) -> None:
    """Note the settings, as a training would find them, and raise as one that fails."""
    seen.append(settings_now())
    raise KeyError


@pytest.mark.usefixtures("_kept")
@pytest.mark.parametrize("settings", [Settings(), Settings(threads=2, tf32=True, deterministic=False)])
@pytest.mark.parametrize(
    ("tf32", "deterministic", "warn_only"), [(False, True, False), (True, True, True), (True, False, False)]
)
def test_settings_are_applied_and_given_back(
    settings: Settings, tf32: bool, deterministic: bool, warn_only: bool
) -> None:
    """Inside, all are as they were chosen; afterwards, as they were found, though the training raised."""
    torch.set_num_threads(3)
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32, not tf32
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    before = settings_now()
    inside: list[tuple[object, ...]] = []
    with pytest.raises(KeyError), applied(settings):
        look_and_raise(inside)
    assert inside[0] == (settings.threads, settings.tf32, settings.tf32, settings.deterministic, False)
    assert settings_now() == before


@pytest.mark.usefixtures("_kept")
def test_the_workspace_of_cublas_is_fixed_unless_the_user_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, deterministic algorithms raise on CUDA; a choice of the user's own stands."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with applied(Settings()):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with applied(Settings()):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_by_default_one_thread_computes_exactly_and_repeatably() -> None:
    """The defaults are one thread, full precision and deterministic algorithms."""
    assert Settings() == Settings(threads=1, tf32=False, deterministic=True)
