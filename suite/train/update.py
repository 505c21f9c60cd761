"""An optimizer's update: called, or played from a tape where every update is known to be the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx, nn
from torch.optim import SGD
from torch.utils._pytree import tree_leaves

from suite.case import Stepper
from suite.train.replay import Replay
from suite.train.tape import Tape

STEADY = (SGD,)
"""Optimizers of torch's that keep no count of their steps, so that one update is like the next."""
WATCHED = (2, 3)
"""The updates that are watched; the first makes the optimizer's state, and may be another."""


class Update:
    """Makes one update after another.

    The second and the third of a steady optimizer are watched. If they come to the same operations, the
    later ones play these: the same arithmetic, without the optimizer's own errands between them.
    """

    def __init__(self, optimizer: Stepper, parameters: Sequence[nn.Parameter], *, plays: bool = True) -> None:
        """Take a fresh optimizer and what it updates; gradients lie in the same tensors at every update.

        ``plays`` False: too few updates are made here for it to be worth while to bind them.
        """
        self.optimizer, self.parameters, self.plays = optimizer, parameters, plays
        self.watched: list[Tape] = []
        self.made = 0
        self.steady: fx.GraphModule | None = None
        """One update, as a function of the parameters, their gradients and the optimizer's state."""
        self.replay: Replay | None = None

    @property
    def still_watched(self) -> int:
        """Return how many of the next updates must be made here, before it is known whether they are steady."""
        return max(0, WATCHED[-1] - self.made) if type(self.optimizer) in STEADY else 0

    def __call__(self) -> None:
        """Update the parameters from their gradients."""
        if self.replay is not None:
            self.replay()
            return
        self.made += 1
        if type(self.optimizer) in STEADY and self.made in WATCHED:
            self._watch()
        else:
            self.optimizer.step()

    def _watch(self) -> None:
        gradients = [value.grad for value in self.parameters if value.grad is not None]
        tensors = [*self.parameters, *gradients, *self.state()]
        kept = Tape(tensors)
        with kept:
            self.optimizer.step()
        self.watched.append(kept)
        texts = {str(tape.graph) for tape in self.watched}
        if len(self.watched) == len(WATCHED) and len(texts) == 1 and kept.whole and not kept.constants:
            self.steady = kept.finish([])
            self.replay = Replay(self.steady, tensors) if self.plays else None

    def state(self) -> list[Tensor]:
        """Return the tensors that the optimizer keeps, in order."""
        state: Any = getattr(self.optimizer, "state", {})
        return [value for value in tree_leaves(list(state.values())) if isinstance(value, Tensor)]
