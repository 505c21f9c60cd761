"""What is accepted in tests of baselines, and what they look at it with."""

from __future__ import annotations

from pathlib import Path

REASON = "torch 2.13 sums in another order"

CPU, HALF, CARD = ("neuron", "cpu", "float64"), ("neuron", "cpu", "float16"), ("neuron", "cuda:0", "float64")


def names(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden or not."""
    return sorted(place.name for place in folder.iterdir())
