"""Steps that take longer: a busy wait in every update, as a share of the step that it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from torch.optim import SGD

from suite.audit.fault import Fault, Function, Plant, instead
from suite.judge import Aspect

REMEMBERED = 9
"""Steps whose median is taken for a step's time: what comes between, as another network, is left out."""


def slower(share: float) -> Plant:
    """Return what makes every step longer by a share of itself."""

    def change(step: Function) -> Function:
        lasted, ended = deque[float](maxlen=REMEMBERED), perf_counter()

        def waited(self: SGD, closure: Callable[[], Any] | None = None) -> Any:
            nonlocal ended
            answer = step(self, closure)
            now = perf_counter()
            lasted.append(now - ended)
            until = now + share * sorted(lasted)[len(lasted) // 2]
            while perf_counter() < until:
                pass
            ended = perf_counter()
            return answer

        return waited

    return instead(SGD, "step", change)


def fault(share: float, modelled_on: str = "") -> Fault:
    """Return the fault of steps that are longer by a share."""
    return Fault(
        name=f"slower_by_{share:.0%}".rstrip("%"),
        says=f"a step takes {share:.0%} longer",
        stages=(),
        plant=slower(share),
        aspect=Aspect.TIME,
        modelled_on=modelled_on,
    )


FAULTS = (fault(0.05, "pytorch/pytorch#157407"),)
