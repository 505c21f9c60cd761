"""What a cell needs before its first seed: data, probes and facts, on the device in the dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from suite.case import Case, Stepper
from suite.draw import batch, draw, globals_kept, optimizer_for
from suite.expect import Expectation
from suite.observe import Fact, Observation, Probe, Specimen
from suite.picture import Picture
from suite.plan import Cell

Value = TypeVar("Value", bound=Tensor)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A cell made ready: everything that all its seeds share."""

    case: Case
    device: torch.device
    dtype: torch.dtype
    x: Tensor
    target: Tensor
    observations: tuple[Observation, ...]
    probes: Mapping[Probe, Tensor]
    facts: Mapping[Fact, float]
    twins: tuple[Bench, ...]
    pictures: tuple[Picture, ...] = ()

    def followed(self, parameters: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
        """Give those parameters that are followed on their way."""
        names = {name for picture in self.pictures for name in picture.parameters}
        return ((name, value) for name, value in parameters if name in names)

    def network(self, seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
        """Return the network of ``seed``, cast and moved, and its parameters as they were drawn."""
        drawn = draw(self.case, seed)
        parameters = {name: value.detach().clone() for name, value in drawn.named_parameters()}
        return drawn.to(device=self.device, dtype=self.dtype), parameters

    def afresh(self) -> Bench:
        """Return the same with data and a loss of its own, so that what changes them changes no other seed's."""
        return replace(self, case=_with_loss(self.case), x=self.x.clone(), target=self.target.clone())

    def loss_in_float64(self, output: Tensor) -> Tensor:
        """Return the loss of an output, computed in float64 whatever dtype the output is in."""
        target = self.target.double() if self.target.is_floating_point() else self.target
        return self.case.loss(output.double(), target)

    def optimizer(self, network: nn.Module) -> Stepper:
        """Return a fresh optimizer over the network's parameters."""
        return optimizer_for(self.case, network.named_parameters())


def dtype_of(name: str) -> torch.dtype:
    """Return the torch dtype of that name: "float32"."""
    found = getattr(torch, name)
    assert isinstance(found, torch.dtype)
    return found


def prepare(cell: Cell) -> Bench:
    """Make a cell ready: move its data, its probes and its twins, and look at its facts."""
    device, dtype = torch.device(cell.device), dtype_of(cell.dtype)
    case = _with_loss(cell.trained)
    x, target = (part.to(device=device, dtype=dtype if part.is_floating_point() else None) for part in batch(case))
    seen = _observations(case)
    pictures = tuple(p for p in case.show if isinstance(p, Picture)) if cell.pictured else ()
    probes = [*(observation.probe for observation in seen), *(picture.probe for picture in pictures)]
    bench = Bench(
        case=case,
        device=device,
        dtype=dtype,
        x=x,
        target=target,
        observations=seen,
        probes={probe: _inputs(probe, x) for probe in probes if probe is not None},
        facts={},
        twins=tuple(_twin(cell, o.twin) for o in seen if o.twin is not None),
        pictures=pictures,
    )
    return replace(bench, facts={o.fact: look(bench, o.fact) for o in seen if o.fact is not None})


def _with_loss(case: Case) -> Case:
    """Return a case with a loss of its own, which may keep something from one call to the next."""
    return replace(case, loss=deepcopy(case.loss))


def _observations(case: Case) -> tuple[Observation, ...]:
    """Return what the case's expectations look at, each name once, in order."""
    seen = [o for e in case.expect if isinstance(e, Expectation) for o in e.observations]
    return tuple({observation.name: observation for observation in seen}.values())


def _inputs(probe: Probe, x: Tensor) -> Tensor:
    return x if probe.inputs is None else torch.tensor(probe.inputs, dtype=x.dtype, device=x.device)


def _twin(cell: Cell, twin: Case) -> Bench:
    bench = prepare(replace(cell, case=twin, pictured=()))
    return replace(bench, probes={Probe(): bench.x})


def look(bench: Bench, fact: Fact) -> float:
    """Look at one fact, with a network of its own; what is global is kept."""
    bench = bench.afresh()
    with globals_kept():
        network, _ = bench.network(0)
        specimen = Specimen(
            network=network,
            x=bench.x,
            target=bench.target,
            loss=bench.case.loss,
            optimizer=bench.optimizer(network),
            tensor=partial(_tensor, dtype=bench.dtype, device=bench.device),
        )
        return float(fact(specimen))


def _tensor(numbers: Any, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=dtype, device=device)
