"""Time: device-synchronised, after a warm-up, with a yardstick beside it."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

YARDSTICK_ROUNDS = 600
"""Size of the fixed piece of work: about a tenth of a millisecond on a processor of 2023."""
YARDSTICK_SHARE = 0.01
"""The yardstick is repeated for about this share of the time that it stands beside."""
MOST_REPEATS = 100


def yardstick() -> float:
    """Do the fixed piece of work, without torch: calls, attribute access, dictionaries and floats."""
    table: dict[int, float] = {}
    value = 0.5
    for number in range(YARDSTICK_ROUNDS):
        value = 3.7 * value * (1.0 - value)
        table[number & 63] = table.get(number & 63, 0.0) + value
    return value


def yardstick_seconds(beside: float) -> float:
    """Time the yardstick, repeated in proportion to the time ``beside`` it; return seconds a round."""
    repeats, spent = 0, 0.0
    while repeats == 0 or (spent < beside * YARDSTICK_SHARE and repeats < MOST_REPEATS):
        start = perf_counter()
        yardstick()
        spent += perf_counter() - start
        repeats += 1
    return spent / repeats


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was asked to."""
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize(device)


class Stopwatch:
    """Takes the time of a loop on a device, and tells whether something else had the processor meanwhile."""

    def __init__(self, device: torch.device) -> None:
        """Start, once the device has done all that it was asked to before."""
        self.device = device
        synchronise(device)
        self.started, self.worked = perf_counter(), process_time()

    def stop(self) -> tuple[float, float]:
        """Return the seconds until the device is done, and the share of them in which this process was kept waiting.

        An accelerator keeps its process waiting itself: there the share is NaN.
        """
        synchronise(self.device)
        worked, seconds = process_time() - self.worked, perf_counter() - self.started
        return seconds, max(0.0, 1.0 - worked / seconds) if self.device.type == "cpu" else math.nan


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector out of what is timed."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
