"""A network is drawn with its neurons in columns, and said in words."""

from __future__ import annotations

import pytest

from suite.report.page.network import MOST_SHOWN, RADIUS, drawing_of, told
from suite.sketch import Layer

LAYERS = (Layer(inputs=2, outputs=3, bias=True, activation="leaky_relu"), Layer(inputs=3, outputs=1))


def test_nothing_is_drawn_of_nothing() -> None:
    """A network without a layer has no drawing."""
    assert drawing_of(()) is None


def test_every_neuron_has_a_circle_and_every_weight_a_line() -> None:
    """Inputs, hidden and output stand in columns from left to right; each is joined to each of the next."""
    drawing = drawing_of(LAYERS)
    assert drawing is not None
    columns = sorted({neuron.x for neuron in drawing.neurons})
    assert [sum(neuron.x == x for neuron in drawing.neurons) for x in columns] == [2, 3, 1]
    assert len(drawing.weights) == 2 * 3 + 3 * 1
    assert all(before.x < after.x for before, after in drawing.weights)
    assert [neuron.x for neuron in drawing.biased] == [columns[1]] * 3
    assert {bool(neuron.curve) for neuron in drawing.neurons if neuron.x == columns[1]} == {True}


@pytest.mark.parametrize("neurons", [1, MOST_SHOWN, MOST_SHOWN + 1, 1000])
def test_a_wide_layer_is_cut_short(neurons: int) -> None:
    """Of more neurons than can be seen, dots stand for the rest; the last keeps its place."""
    drawing = drawing_of([Layer(inputs=1, outputs=neurons), Layer(inputs=neurons, outputs=1)])
    assert drawing is not None
    dots = [neuron for neuron in drawing.neurons if neuron.dots]
    assert len(dots) == (neurons > MOST_SHOWN)
    assert len(drawing.neurons) - 2 == min(neurons, MOST_SHOWN)
    assert not any(a.dots or b.dots for a, b in drawing.weights)


@pytest.mark.parametrize("inputs", [1, 3, 40])
def test_no_two_neurons_touch_and_all_lie_within(inputs: int) -> None:
    """Circles stand apart, inside the picture."""
    drawing = drawing_of([Layer(inputs=inputs, outputs=5), Layer(inputs=5, outputs=2)])
    assert drawing is not None
    places = [(neuron.x, neuron.y) for neuron in drawing.neurons]
    apart = [(ax - bx) ** 2 + (ay - by) ** 2 for k, (ax, ay) in enumerate(places) for bx, by in places[:k]]
    assert min(apart) > (2 * RADIUS) ** 2
    assert all(RADIUS < x < drawing.width - RADIUS and RADIUS < y < drawing.height - RADIUS for x, y in places)


def test_a_network_in_words() -> None:
    """The words say what the picture shows, in the field's own names."""
    assert told(LAYERS) == "2 inputs; 3 neurons with bias, leaky ReLU; 1 neuron"
    assert told([Layer(inputs=1, outputs=1000, activation="tanh")]) == "1 input; 1,000 neurons, tanh"
