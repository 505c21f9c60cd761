"""Seeds that do not do what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch

from suite.audit.fault import Fault, Plant
from suite.judge import Aspect, Stage


class Reseeded:
    """The CPU's generator, as it stands, but for the seeds that it is given."""

    def __init__(self, change: Callable[[int], int]) -> None:
        """Seed with what ``change`` makes of a seed."""
        self.change, self.generator = change, torch.default_generator

    def manual_seed(self, seed: int) -> torch.Generator:
        """Seed the generator."""
        return self.generator.manual_seed(self.change(seed))

    def __getattr__(self, name: str) -> Any:
        """Return what else the generator has."""
        return getattr(self.generator, name)


def reseeded(change: Callable[[int], int]) -> Plant:
    """Return what changes every seed that torch is given."""

    @contextmanager
    def planted() -> Iterator[None]:
        seed = torch.manual_seed
        with (
            patch.object(torch, "default_generator", Reseeded(change)),
            patch.object(torch, "manual_seed", lambda given: seed(change(given))),
        ):
            yield

    return planted


FAULTS = (
    Fault(
        name="seed_ignored",
        says="every network starts from one seed, whichever it was given",
        stages=(Stage.INITIALISATION,),
        plant=reseeded(lambda _seed: 0),
        aspect=Aspect.EXPECTATION,
        modelled_on="seqan/seqan#2452",
    ),
    Fault(
        name="seed_parity",
        says="only the last bit of a seed counts",
        stages=(Stage.INITIALISATION,),
        plant=reseeded(lambda seed: seed % 2),
        aspect=Aspect.EXPECTATION,
    ),
)
