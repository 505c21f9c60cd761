"""The fingerprint: what must be equal before bits, or times, may be compared.

Never imports torch when it is read back; only taking a fingerprint asks torch about itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

FINGERPRINT_LENGTH = 12
"""Hexadecimal digits of a fingerprint."""

CUBLAS_WORKSPACE = ":4096:8"
"""The workspace setting under which cuBLAS is deterministic; see torch.use_deterministic_algorithms."""

RELEVANT_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
)
"""Environment variables that choose other kernels."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chooses of the environment in which networks are trained."""

    threads: int = 1
    """Threads of one operation; small networks are slower with two."""
    tf32: bool = False
    """Reduced-precision matrix products on CUDA."""
    deterministic: bool = True
    """Deterministic algorithms only."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device that a run trains on."""

    name: str
    """Its torch device string: ``cpu``, ``cuda:0``."""
    model: str
    """What it is: the processor's or the card's name."""
    details: dict[str, str]
    """Kernel choice, driver and library versions."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine and the software of a run, as ``machine.json`` holds them."""

    torch: str
    torch_build: str
    """Hash of torch's own build description."""
    numpy: str
    python: str
    system: str
    cores: int
    variables: dict[str, str]
    settings: Settings
    devices: dict[str, Device]

    def numerics(self, device: str) -> str:
        """Return the fingerprint that must be equal for bits to be equal on ``device``."""
        return _hash(self.facts(device))

    def facts(self, device: str) -> dict[str, str]:
        """Return what decides the bits on ``device``, by name."""
        about = self.devices[device]
        return {
            "torch": self.torch,
            "torch build": self.torch_build,
            "numpy": self.numpy,
            **{f"${name}": value for name, value in self.variables.items()},
            **{name: str(value) for name, value in asdict(self.settings).items()},
            "model": about.model,
            **about.details,
        }

    def timing(self, device: str) -> str:
        """Return the fingerprint that must be equal for times on ``device`` to be compared."""
        return _hash(self.timing_facts(device))

    def timing_facts(self, device: str) -> dict[str, str]:
        """Return what decides the times on ``device``, by name."""
        return {**self.facts(device), "python": self.python, "system": self.system, "cores": str(self.cores)}


def differences(ours: Mapping[str, str], theirs: Mapping[str, str], other: str = "baseline") -> str:
    """Say what differs between two sets of facts, as "threads 4 (baseline: 1)"."""
    names = [name for name in dict.fromkeys([*ours, *theirs]) if ours.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {ours.get(name, 'unset')} ({other}: {theirs.get(name, 'unset')})" for name in names)


def _hash(facts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:FINGERPRINT_LENGTH]


def fingerprint(devices: Mapping[str, object], settings: Settings) -> Machine:
    """Describe this machine, with the given devices, under the given settings."""
    import numpy as np
    import torch

    return Machine(
        torch=torch.__version__,
        torch_build=_build(torch.__config__.show()),
        numpy=np.__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        variables={name: os.environ[name] for name in RELEVANT_VARIABLES if name in os.environ},
        settings=settings,
        devices={name: describe(name) for name in devices},
    )


def _build(config: str) -> str:
    """Return a hash of torch's description of itself, without the line on which kernels it chose today."""
    lines = [line for line in config.splitlines() if "CPU capability" not in line]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:FINGERPRINT_LENGTH]


def describe(device: str) -> Device:
    """Describe one torch device."""
    import torch

    if torch.device(device).type == "cpu":
        return Device(name=device, model=_processor(), details={"kernels": torch.backends.cpu.get_cpu_capability()})
    if torch.device(device).type == "cuda":
        about = torch.cuda.get_device_properties(device)
        details = {
            "compute capability": f"{about.major}.{about.minor}",
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
        }
        return Device(name=device, model=about.name, details=details)
    return Device(name=device, model=torch.device(device).type, details={})


def _processor() -> str:
    """Return the processor's model name and instruction sets in one line."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = hashlib.sha256(facts.get("flags", "").encode()).hexdigest()[:6]
    family = "/".join(facts.get(key, "?") for key in ("cpu family", "model", "stepping"))
    return f"{facts.get('model name', platform.machine())} ({family}, flags {flags})"


def unavailable(device: str) -> str | None:
    """Return why this machine cannot train on ``device``, in a sentence, or None if it can."""
    import torch

    try:
        torch.ones(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        return str(error).strip().partition("\n")[0].partition(". ")[0]
    return None


@contextmanager
def applied(settings: Settings) -> Iterator[None]:
    """Train under ``settings``, and leave torch's own as they were found."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    threads, matmul, cudnn = (
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
    )
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(settings.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = settings.tf32
    torch.use_deterministic_algorithms(settings.deterministic)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
