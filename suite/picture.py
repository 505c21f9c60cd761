"""What a page draws of single seeds: a parameter's path, or the network's graph. It is shown, and never judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suite.observe import Array, Probe, Trajectories, freeze

TRAINED, CLOSED_FORM = FORMS = ("trained", "closed form")
"""How a curve came about."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A line for each of some seeds."""

    name: str
    form: str
    x: Array
    """Where its points stand: ``(points,)``."""
    y: Array
    """How high: ``(seeds, points)``."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Curves that each seed leaves behind for a page to draw."""

    look: Callable[[Trajectories], Iterator[Curve]]
    probe: Probe | None = None
    """What the trained network must be shown for it."""
    parameters: tuple[str, ...] = ()
    """Parameters that must be followed on their way for it."""


def path(name: str, truth: Callable[[Mapping[str, Array], int], Array] | None = None) -> Picture:
    """Draw a parameter at the start and after each step at which the loss is recorded, and its closed form over it.

    ``truth`` maps the initial parameters, ``(seeds, *shape)`` each, and a number of updates to what the parameter is
    before each of them and after the last: ``(seeds, updates + 1, *shape)``.
    """

    def look(seen: Trajectories) -> Iterator[Curve]:
        updates = [0, *(step + 1 for step in seen.curve_steps)]
        yield from _elements(name, TRAINED, updates, seen.ways[name])
        if truth is not None:
            yield from _elements(name, CLOSED_FORM, updates, truth(seen.initial, updates[-1])[:, updates])

    return Picture(look=look, parameters=(name,))


def _elements(name: str, form: str, updates: Sequence[int], values: Array) -> Iterator[Curve]:
    """Give a curve for each element of ``(seeds, points, *shape)``; an only element has no index."""
    flat = values.reshape(*values.shape[:2], -1)
    x = np.array(updates, dtype=np.float64)
    for place, index in enumerate(np.ndindex(values.shape[2:])):
        element = f"[{','.join(map(str, index))}]" if flat.shape[2] > 1 else ""
        yield Curve(name=name + element, form=form, x=x, y=flat[:, :, place])


def graph(*, low: float, high: float, points: int = 33) -> Picture:
    """Draw what the trained network answers to evenly spaced inputs from ``low`` to ``high``: one in, one out."""
    inputs = np.linspace(low, high, points)
    probe = Probe(freeze(inputs[:, None]))

    def look(seen: Trajectories) -> Iterator[Curve]:
        answers = seen.outputs[probe].reshape(len(seen.seeds), points)
        yield Curve(name="output", form=TRAINED, x=inputs, y=answers)

    return Picture(look=look, probe=probe)
