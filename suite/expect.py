"""What a case expects: predicates over what its seeds left behind.

An expectation looks (an :class:`~suite.observe.Observation`) and judges (a :class:`~suite.clause.Clause`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.case import Case, Expected
from suite.clause import Clause, PerDtype, interval
from suite.observe import Array, Fact, Observation, Probe, Specimen, Trajectories, apart, freeze


@dataclass(frozen=True, kw_only=True)
class Group:
    """Seeds with a name, told apart by an observation that is 1 or 0: ``dead`` and ``~dead``."""

    observation: Observation
    inside: bool = True

    def __invert__(self) -> Group:
        """Return all other seeds."""
        return replace(self, inside=not self.inside)

    def __and__(self, other: Group) -> Group:
        """Return the seeds that are in both; its observation needs what both of theirs need."""
        one, two = self.observation.look, other.observation.look
        inside, within = self.inside, other.inside

        def look(seen: Trajectories) -> Array:
            both = ((one(seen).ravel() == 1.0) == inside) & ((two(seen).ravel() == 1.0) == within)
            return np.asarray(both, dtype=np.float64)

        return Group(observation=Observation(name=f"{self.name} and {other.name}", look=look))

    @property
    def name(self) -> str:
        """Name the seeds: "dead" or "not dead"."""
        return f"{'' if self.inside else 'not '}{self.observation.name}"


@dataclass(frozen=True, kw_only=True)
class Expectation(Expected):
    """One observation and the clause that it must fulfil."""

    clause: Clause
    observations: tuple[Observation, ...]
    group: Group | None = None
    """The seeds that it is about; None for all."""

    @property
    def claims(self) -> tuple[str, ...]:  # type: ignore[override]
        """Ids of the claims that it shows; empty for all claims of its case."""
        return self.clause.claims

    def among(self, group: Group) -> Expectation:
        """Expect it of the seeds of ``group`` only; once more, of those that are in the other group, too."""
        meant = self.group & group if self.group else group
        clause = replace(self.clause, group=meant.observation.name, inside=meant.inside)
        seen = (group.observation,) if meant is group else (group.observation, meant.observation)
        return replace(self, clause=clause, group=meant, observations=(*self.observations, *seen))

    def median(self) -> Expectation:
        """Expect it of the median over seeds, not of every seed."""
        return self.quantile(0.5)

    def quantile(self, q: float) -> Expectation:
        """Expect it of the ``q``-quantile over seeds, not of every seed; ``q`` from 0 to 1."""
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        return self._summarised(summary="quantile", quantile=float(q))

    def share(self, low: float, high: float) -> Expectation:
        """Expect it of a seed with a probability from ``low`` to ``high``, by an exact test."""
        if not 0 <= low <= high <= 1:
            raise ValueError(f"a probability lies between 0 and 1, not between {low} and {high}")
        return self._summarised(summary="share", share=(float(low), float(high)))

    def _summarised(self, **summary: Any) -> Expectation:
        """Summarise the seeds, which can be done in one way only: another would be expected of nothing."""
        if self.clause.summary != "every":
            raise ValueError(
                f"{self.clause.observation} is expected of a {self.clause.summary} already; write an expectation of "
                "its own for each share, quantile or median"
            )
        return replace(self, clause=replace(self.clause, **summary))

    def shows(self, *claims: str) -> Expectation:
        """Say which of the case's claims this shows, where they are several; all of them at once."""
        if self.claims:
            raise ValueError(f'it shows {", ".join(self.claims)} already; write all claims in one: .shows("A", "B")')
        return replace(self, clause=replace(self.clause, claims=claims))


def expect(
    observation: Observation,
    *,
    near: PerDtype = None,
    atol: PerDtype = None,
    low: PerDtype = None,
    high: PerDtype = None,
) -> Expectation:
    """Expect every seed's ``observation`` near a value, or between two.

    Raises:
        ValueError: if neither ``near`` with ``atol`` nor ``low`` or ``high`` is given.
    """
    clause = Clause(observation=observation.name, bounds=interval(near, atol, low, high))
    return Expectation(clause=clause, observations=(observation,))


def parameter(name: str, *, at_start: bool = False, **bounds: PerDtype) -> Expectation:
    """Expect a parameter, element by element, after training (or ``at_start``) within bounds."""

    def look(seen: Trajectories) -> Array:
        return (seen.initial if at_start else seen.final)[name]

    label = f"{name} at start" if at_start else name
    return expect(Observation(name=label, look=look, parameters=(name,)), **bounds)


def total(*names: str, **bounds: PerDtype) -> Expectation:
    """Expect the sum over all entries of the named parameters after training within bounds."""

    def look(seen: Trajectories) -> Array:
        sums = [seen.final[name].reshape(len(seen.seeds), -1).sum(axis=1) for name in names]
        return np.asarray(np.sum(sums, axis=0))

    return expect(Observation(name=f"sum of {' + '.join(names)}", look=look, parameters=names), **bounds)


def output(*, at: Sequence[Any] | None = None, at_start: bool = False, **bounds: PerDtype) -> Expectation:
    """Expect what the network answers to ``at`` (its own inputs if None) within bounds."""
    probe = Probe(None if at is None else freeze(at), at_start)
    label = "output" + ("" if at is None else f" at {list(at)}") + (" at start" if at_start else "")
    return expect(Observation(name=label, look=lambda seen: seen.outputs[probe], probe=probe), **bounds)


def final_loss(**bounds: PerDtype) -> Expectation:
    """Expect the loss after the last update within bounds."""
    return expect(Observation(name="final loss", look=lambda seen: seen.final_loss), **bounds)


def measured(
    name: str, look: Callable[[Trajectories], Array], *, at: Sequence[Any] | None = None, **bounds: PerDtype
) -> Expectation:
    """Expect a number of one's own, computed from what the seeds left, within bounds.

    ``look`` gives ``(seeds,)`` or ``(seeds, *shape)``; ``at`` asks for the trained network's
    outputs there, which ``look`` finds under :func:`answers`.
    """
    probe = None if at is None else Probe(freeze(at))
    return expect(Observation(name=name, look=look, probe=probe), **bounds)


def answers(seen: Trajectories, at: Sequence[Any]) -> Array:
    """Return what the trained networks answered to ``at``: ``(seeds, *shape)``."""
    return seen.outputs[Probe(freeze(at))]


def untrained(name: str, *, called: str = "dead") -> Group:
    """Name the seeds in which the first step leaves the parameter untrained: its gradient is zero."""

    def look(seen: Trajectories) -> Array:
        gradient = seen.gradient[name].reshape(len(seen.seeds), -1)
        return np.asarray(np.all(gradient == 0.0, axis=1), dtype=np.float64)

    return Group(observation=Observation(name=called, look=look, parameters=(name,)))


def seed(number: int) -> Group:
    """Name the one seed ``number``, for claims about a single draw."""

    def look(seen: Trajectories) -> Array:
        return np.array([s == number for s in seen.seeds], dtype=np.float64)

    return Group(observation=Observation(name=f"seed {number}", look=look))


def rate(group: Group, probability: float, to: float | None = None) -> Expectation:
    """Expect a seed to fall into ``group`` with this probability (or one up to ``to``)."""
    wanted = 1.0 if group.inside else 0.0
    member = expect(group.observation, low=wanted, high=wanted)
    return member.share(probability, probability if to is None else to)


def unchanged(name: str) -> Expectation:
    """Expect a parameter to end with the very bits that it started with."""

    def look(seen: Trajectories) -> Array:
        same = seen.initial[name].view(np.int64) == seen.final[name].view(np.int64)
        return np.asarray(same.reshape(len(seen.seeds), -1).all(axis=1), dtype=np.float64)

    return expect(Observation(name=f"{name} unchanged", look=look, parameters=(name,)), low=1.0)


def gradients_kept() -> Expectation:
    """Expect ``step()`` to leave the gradients as ``backward()`` made them."""

    def look(seen: Trajectories) -> Array:
        kept = [seen.gradient[name] == seen.gradient_after[name] for name in seen.gradient]
        by_seed = [same.reshape(len(seen.seeds), -1).all(axis=1) for same in kept]
        return np.asarray(np.all(by_seed, axis=0), dtype=np.float64)

    return expect(Observation(name="gradients kept by step", look=look), low=1.0)


def follows(name: str, truth: Callable[[Mapping[str, Array]], Array], *, atol: PerDtype) -> Expectation:
    """Expect a parameter to end within ``atol`` of a closed form of its start.

    ``truth`` maps the initial parameters, ``(seeds, *shape)`` each, to the final one.
    """

    def look(seen: Trajectories) -> Array:
        return largest(seen.final[name] - truth(seen.initial))

    observation = Observation(name=f"distance of {name} from its closed form", look=look, parameters=(name,))
    return expect(observation, high=atol)


def curve_follows(truth: Callable[[Mapping[str, Array], int], Array], *, atol: PerDtype) -> Expectation:
    """Expect every recorded loss within ``atol`` of a closed form, relative to the first loss.

    ``truth`` maps the initial parameters and a number of steps to the losses before each step:
    ``(seeds, steps)``.
    """

    def look(seen: Trajectories) -> Array:
        expected = truth(seen.initial, max(seen.curve_steps) + 1)[:, list(seen.curve_steps)]
        return largest((seen.curve - expected) / expected[:, :1])

    return expect(Observation(name="distance of the loss curve from its closed form", look=look), high=atol)


def largest(difference: Array) -> Array:
    """Return the largest absolute entry of each seed: ``(seeds, *shape)`` to ``(seeds,)``."""
    result: Array = np.abs(difference).reshape(len(difference), -1).max(axis=1)
    return result


def same_as(twin: Case, *, atol: PerDtype = 0.0, curve: bool = True) -> Expectation:
    """Expect the same outputs as ``twin`` trained from the same seed, and the same loss curve.

    ``atol=0.0`` means the same bits; ``curve=False`` compares outputs only, for a twin whose
    loss is scaled otherwise.
    """
    probe = Probe()

    def look(seen: Trajectories) -> Array:
        other = seen.twins[twin.name]
        outputs = largest(apart(seen.outputs[probe], other.outputs[probe]))
        return np.maximum(outputs, largest(apart(seen.curve, other.curve))) if curve else outputs

    observation = Observation(name=f"distance from {twin.name}", look=look, probe=probe, twin=twin)
    return expect(observation, high=atol)


def fact(look: Fact, *, called: str = "", **bounds: PerDtype) -> Expectation:
    """Expect something of torch or of an untrained network, looked at once for the cell.

    ``look`` gets a :class:`~suite.observe.Specimen` and returns a number, or True or False.
    Without bounds it must be true.
    """
    name = called or look.__name__.replace("_", " ")
    observation = Observation(name=name, look=lambda seen: np.full(len(seen.seeds), seen.facts[look]), fact=look)
    return expect(observation, **(bounds or {"low": 1.0, "high": 1.0}))


def raises(error: type[Exception], *, at: Sequence[Any]) -> Expectation:
    """Expect the network to refuse the inputs ``at`` with ``error``."""

    def look(specimen: Specimen) -> float:
        try:
            specimen.network(specimen.tensor(at))
        except error:
            return 1.0
        return 0.0

    return fact(look, called=f"{error.__name__} at {list(at)}")


def warns(category: type[Warning], *, about: str) -> Expectation:
    """Expect the first loss to come with a warning that says ``about``."""

    def look(specimen: Specimen) -> float:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            specimen.loss(specimen.network(specimen.x), specimen.target)
        return float(any(issubclass(w.category, category) and about in str(w.message) for w in caught))

    return fact(look, called=f"{category.__name__} about {about}")
