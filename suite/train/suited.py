"""Finding out whether a case's seeds may be trained together, by trying.

An optimizer or a module for which one more axis is not the same as many runs must not be an ensemble.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from suite.case import Case
from suite.errors import told
from suite.plan import Cell
from suite.train import eager, ensemble
from suite.train.leave import undisturbed
from suite.train.prepare import prepare

TRIED_SEEDS = (0, 1, 2)
"""Seeds with which a case is tried before it is trained as an ensemble."""
TRIED_STEPS = 3
SAME = 1e-4
"""Relative distance, in float32 after so few steps, up to which both ways are the same but for rounding."""


def why_not(case: Case) -> str | None:
    """Return why a case's seeds cannot be trained together, as a sentence's end; None if they can.

    Trains three seeds for three steps, together and apart, in float32 on the CPU.
    """
    short = replace(case, steps=TRIED_STEPS, expect=())
    cell = Cell(case=short, version="", device="cpu", dtype="float32", mode="ensemble", seeds=TRIED_SEEDS)
    with undisturbed():
        try:
            bench = prepare(cell)
            apart = [eager.follow(bench, seed) for seed in TRIED_SEEDS]
            together, _ = ensemble.follow(bench, TRIED_SEEDS)
        except Exception as error:
            return f"they cannot be one more axis of it: {told(error)}"
    for name, found in together.final.items():
        wanted = torch.stack([path.final[name] for path in apart])
        if not torch.allclose(found, wanted, rtol=SAME, atol=SAME, equal_nan=True):
            return f"trained together they end with another {name}, so that each depends on its company"
    return None
