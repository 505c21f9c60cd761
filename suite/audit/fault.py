"""What the audit does to torch for the length of a run: faults that must be caught, and controls that must not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from torch.library import _scoped_library

from suite.judge import Aspect, Stage
from suite.machine import Settings

Plant = Callable[[], AbstractContextManager[Any]]
"""Plants a change for the length of a block, and takes it out again, whatever the block raises."""

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A defect of torch, or of what lies under it."""

    name: str
    says: str
    """What goes wrong, in one sentence."""
    stages: tuple[Stage, ...]
    """Where a trajectory may first show it, depending on the cell; none for a fault of time."""
    plant: Plant
    aspect: Aspect = Aspect.LOSS
    """Which aspect must catch it."""
    modelled_on: str = ""
    """A defect that was found in the open, as owner/repository#number; empty where none is known."""
    beyond_reach: str = ""
    """Why the gate cannot be expected to catch it; empty if it must."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """A difference that is no defect: other bits perhaps, but the same algebra."""

    name: str
    says: str
    """What is done otherwise, in one sentence."""
    plant: Plant = nullcontext
    settings: Settings = field(default_factory=Settings)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the process that trains."""
    in_two_groups: bool = False
    """The later seeds of each cell first, and then the others."""
    exact: bool = False
    """Every bit must be the baseline's."""
    told: str = ""
    """Words that some verdict on losses must hold."""


def instead(place: Any, name: str, change: Callable[[Function], Function]) -> Plant:
    """Return what puts in a function's place what ``change`` makes of it."""
    return lambda: patch.object(place, name, change(getattr(place, name)))


def kernels(**functions: Function) -> Plant:
    """Return what puts Python functions in the place of ATen's kernels for the CPU, by the operations' names.

    Whoever calls the operation comes to them: Python, autograd, and what was recorded to be played again.
    """

    @contextmanager
    def planted() -> Iterator[None]:
        with _scoped_library("aten", "IMPL") as library, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns, once, that kernels are overridden
            for name, function in functions.items():
                library.impl(name, function, "CPU")
            yield

    return planted


def own(operation: Function, *args: Any, **kwargs: Any) -> Any:
    """Do an operation by torch's own kernel, also where its name leads elsewhere: through the variant with ``out``."""
    return operation(*args, **kwargs, out=args[0].new_empty(0))
