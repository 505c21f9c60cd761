"""A network as its documents draw it: where each neuron stands, and what lies between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from suite.sketch import Layer

MOST_SHOWN = 6
"""Neurons of a column that are drawn; of more, the first and last few, with dots between."""
ACROSS, DOWN, RADIUS, MARGIN = 92, 34, 13, 20
"""Pixels between columns, between neurons, of a neuron, and around all."""

CALLED = {"relu": "ReLU", "leaky_relu": "leaky ReLU"}
CURVES = {"relu": "M-7,4 H0 L7,-5", "leaky_relu": "M-7,6 L0,3 L7,-5"}
"""How an activation is drawn inside a neuron, as a path about its centre."""


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """One circle, or the dots in place of many."""

    x: float
    y: float
    label: str = ""
    curve: str = ""
    dots: bool = False


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """All that a template needs to draw a network."""

    width: float
    height: float
    neurons: tuple[Neuron, ...]
    weights: tuple[tuple[Neuron, Neuron], ...]
    biased: tuple[Neuron, ...]
    """Neurons that have a bias."""
    told: str
    """The same in words."""


def drawing_of(layers: Sequence[Layer]) -> Drawing | None:
    """Return how to draw a network; None if it holds nothing that can be drawn."""
    if not layers:
        return None
    sizes = [layers[0].inputs, *(layer.outputs for layer in layers)]
    height = DOWN * max(min(size, MOST_SHOWN) for size in sizes) + 2 * MARGIN - (DOWN - 2 * RADIUS)
    columns = [list(_inputs(sizes[0], height))]
    columns += [list(_column(layer, place, height)) for place, layer in enumerate(layers, 1)]
    biased = [neuron for layer, column in zip(layers, columns[1:], strict=True) if layer.bias for neuron in column]
    return Drawing(
        width=ACROSS * len(layers) + 2 * (MARGIN + RADIUS),
        height=height,
        neurons=tuple(neuron for column in columns for neuron in column),
        weights=tuple(pair for before, after in pairwise(columns) for pair in _between(before, after)),
        biased=tuple(neuron for neuron in biased if not neuron.dots),
        told=told(layers),
    )


def _between(before: Sequence[Neuron], after: Sequence[Neuron]) -> Iterator[tuple[Neuron, Neuron]]:
    yield from ((a, b) for a in before for b in after if not (a.dots or b.dots))


def _inputs(count: int, height: float) -> Iterator[Neuron]:
    for place, (row, y) in enumerate(_places(count, height)):
        label = "x" if count == 1 else f"x{row}"
        yield Neuron(x=MARGIN + RADIUS, y=y, label="" if row is None else label, dots=row is None and place > 0)


def _column(layer: Layer, place: int, height: float) -> Iterator[Neuron]:
    label = "" if layer.activation in CURVES else layer.activation[:4] or "Σ"
    for row, y in _places(layer.outputs, height):
        dots = row is None
        curve = "" if dots else CURVES.get(layer.activation, "")
        yield Neuron(x=MARGIN + RADIUS + ACROSS * place, y=y, label="" if dots else label, curve=curve, dots=dots)


def _places(count: int, height: float) -> Iterator[tuple[int | None, float]]:
    """Give the number, from 1, and height of each neuron that is drawn; no number for the dots."""
    shown: list[int | None] = list(range(1, count + 1))
    if count > MOST_SHOWN:
        shown = [*range(1, MOST_SHOWN - 1), None, count]
    top = height / 2 - DOWN * (len(shown) - 1) / 2
    yield from ((number, top + DOWN * row) for row, number in enumerate(shown))


def told(layers: Sequence[Layer]) -> str:
    """Say what a network is: "2 inputs; 3 neurons with bias, leaky ReLU; 1 neuron"."""
    parts = [_counted(layers[0].inputs, "input")]
    for layer in layers:
        bias = " with bias" if layer.bias else ""
        activation = f", {CALLED.get(layer.activation, layer.activation)}" if layer.activation else ""
        parts.append(f"{_counted(layer.outputs, 'neuron')}{bias}{activation}")
    return "; ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
