"""From what training left, seeds first, to Trials: digests, norms and observations.

Every mode ends here, so that an eager trial and an ensemble's are recorded by the same lines.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.draw import globals_kept
from suite.errors import let_end, told
from suite.observe import Array, Probe, Trajectories
from suite.picture import Curve
from suite.plan import Cell
from suite.train.prepare import Bench
from suite.trial import Distance, Point, Status, Trial

DIGEST_BYTES = 8
NO_DIGEST = "-"
"""In place of the digests of a trial that could not be trained."""

Stacked = Mapping[str, Tensor]
"""Tensors by parameter, ``(seeds, *shape)``."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What some seeds left behind, stacked: the first axis of every tensor is the seed."""

    seeds: Sequence[int]
    drawn: Stacked
    initial: Stacked
    gradient: Stacked
    gradient_after: Stacked
    updated: Stacked
    final: Stacked
    ways: Stacked
    """Followed parameters at the start and after each recorded step: ``(seeds, points + 1, *shape)``."""
    curve_steps: Sequence[int]
    curve: Tensor
    final_loss: Tensor
    outputs: Mapping[Probe, Tensor]


PHASES = ("drawn", "initial", "gradient", "gradient_after", "updated", "final", "ways", "outputs")
"""What is left by name, and merged name by name."""


def assemble(parts: Sequence[Any], merge: Callable[[list[Tensor]], Tensor], **rest: Any) -> Left:
    """Merge what several parts left: seeds that are stacked, or stacks of seeds that are joined."""

    def merged(phase: str) -> dict[Any, Tensor]:
        return {key: merge([getattr(part, phase)[key] for part in parts]) for key in getattr(parts[0], phase)}

    left: dict[str, Any] = {phase: merged(phase) for phase in PHASES}
    return Left(**left, final_loss=merge([part.final_loss for part in parts]), **rest)


def join(parts: Sequence[Left]) -> Left:
    """Return what several groups of seeds left, one group after the other."""
    if len(parts) == 1:
        return parts[0]
    return assemble(
        parts,
        torch.cat,
        seeds=[seed for part in parts for seed in part.seeds],
        curve_steps=parts[0].curve_steps,
        curve=torch.cat([part.curve for part in parts]),
    )


def some(left: Left, rows: slice) -> Left:
    """Return what some of the seeds left."""
    seeds, steps, curve = left.seeds[rows], left.curve_steps, left.curve[rows]
    return assemble([left], lambda parts: parts[0][rows], seeds=seeds, curve_steps=steps, curve=curve)


def copies(named: Iterable[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """Copy parameters as they are now."""
    return {name: value.detach().clone() for name, value in named}


def gradients(named: Iterable[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """Copy parameters' gradients as they are now; zero where there is none."""
    return {
        name: torch.zeros_like(value) if value.grad is None else value.grad.detach().clone() for name, value in named
    }


def ways(points: Sequence[Mapping[str, Tensor]], bench: Bench) -> dict[str, Tensor]:
    """Put what followed parameters were at some points in a row: ``(points, *shape)`` each."""
    return {name: torch.stack([point[name] for point in points]) for name, _ in bench.followed(points[0].items())}


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long one training loop took, in seconds, and how many seeds it trained."""

    train: float
    yardstick: float = math.nan
    waiting: float = math.nan
    """Share of the time in which something else had the processor."""
    compiling: float = 0.0
    together: int = 1


def digests(stacked: Stacked) -> list[str]:
    """Return, for each seed, a hash of the exact bits of all its entries."""
    rows = [_bytes(tensor) for tensor in stacked.values()]
    return [blake2b(row.tobytes(), digest_size=DIGEST_BYTES).hexdigest() for row in np.concatenate(rows, axis=1)]


def _bytes(tensor: Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """View ``(seeds, *shape)`` as ``(seeds, bytes)``."""
    flat = tensor.detach().cpu().contiguous().reshape(len(tensor), -1)
    return flat.view(torch.uint8).numpy()


def norms(stacked: Stacked) -> list[float]:
    """Return, for each seed, the Euclidean norm over all entries, in float64."""
    squares = sum(numbers(tensor).reshape(len(tensor), -1).__pow__(2).sum(axis=1) for tensor in stacked.values())
    return [math.sqrt(square) for square in np.atleast_1d(squares)]


def projections(stacked: Stacked) -> list[float]:
    """Return, for each seed, the sum of all entries weighed by fixed numbers, in float64.

    What a norm does not see, as a sign or an order, it does.
    """
    entries = flat(stacked)
    weighed = entries * np.cos(
        np.arange(1.0, entries.shape[1] + 1.0)
    )  # a product of matrices would depend on their height
    return [float(value) for value in weighed.sum(axis=1)]


def flat(stacked: Stacked) -> Array:
    """Return all entries side by side: ``(seeds, entries)``, in float64."""
    return np.column_stack([numbers(tensor).reshape(len(tensor), -1) for tensor in stacked.values()])


def numbers(tensor: Tensor) -> Array:
    """Return the tensor's values in float64."""
    return tensor.detach().cpu().double().numpy()


def trajectories(bench: Bench, left: Left, twins: Mapping[str, Trajectories]) -> Trajectories:
    """Turn what was left into what expectations look at."""
    return Trajectories(
        seeds=left.seeds,
        initial=_all_numbers(left.initial),
        final=_all_numbers(left.final),
        gradient=_all_numbers(left.gradient),
        gradient_after=_all_numbers(left.gradient_after),
        curve_steps=left.curve_steps,
        curve=numbers(left.curve),
        final_loss=numbers(left.final_loss),
        ways=_all_numbers(left.ways),
        outputs={probe: numbers(answer) for probe, answer in left.outputs.items()},
        facts=bench.facts,
        twins=twins,
    )


def _all_numbers(stacked: Stacked) -> dict[str, Array]:
    return {name: numbers(tensor) for name, tensor in stacked.items()}


KEPT: Mapping[str, tuple[Callable[[Stacked], list[Any]], tuple[str, ...]]] = {
    "digest": (digests, ("data", "init", "gradient", "update", "final")),
    "norm": (norms, ("data", "init", "start", "gradient", "update", "final")),
    "projection": (projections, ("data", "start", "gradient", "update")),
}
"""What is kept of which stage, as a trial names it: its digest in ``init_digest``."""


def _kept(bench: Bench, left: Left) -> Iterator[dict[str, Any]]:
    """Give, for each seed, what is kept of every stage, by the trial's field; the data are the same for all."""
    shared = _measured({"data": {"x": bench.x.unsqueeze(0), "target": bench.target.unsqueeze(0)}})
    phases = (left.drawn, left.initial, left.gradient, left.updated, left.final)
    own = _measured(dict(zip(("init", "start", "gradient", "update", "final"), phases, strict=True)))
    for row in range(len(left.seeds)):
        yield {field: values[0] for field, values in shared.items()} | {
            field: values[row] for field, values in own.items()
        }


def _measured(stages: Mapping[str, Stacked]) -> dict[str, list[Any]]:
    """Return what is kept of some stages, by the trial's field: one value a row of their tensors."""
    return {
        f"{stage}_{what}": measure(stages[stage])
        for what, (measure, of) in KEPT.items()
        for stage in of
        if stage in stages
    }


def _planned(cell: Cell, seed: int) -> dict[str, Any]:
    """Return what names a trial."""
    return {
        "case": cell.case.name,
        "case_version": cell.version,
        "seed": seed,
        "device": cell.device,
        "dtype": cell.dtype,
        "mode": cell.mode,
    }


def trials(
    cell: Cell,
    bench: Bench,
    left: Left,
    seen: Trajectories,
    times: Sequence[Times],
    probed: Mapping[int, tuple[Distance, ...]],
) -> Iterator[Trial]:
    """Record each seed."""
    observed = [column for o in bench.observations for column in o.columns(seen)]
    drawn = [curve for picture in bench.pictures for curve in picture.look(seen)]
    for row, (seed, kept) in enumerate(zip(left.seeds, _kept(bench, left), strict=True)):
        final_loss = float(seen.final_loss[row])
        yield Trial(
            **_planned(cell, seed),
            **kept,
            status=Status.OK if math.isfinite(final_loss) else Status.DIVERGED,
            steps=bench.case.steps,
            first_loss=float(seen.curve[row, 0]),
            final_loss=final_loss,
            train_seconds=times[row].train,
            compile_seconds=times[row].compiling,
            seeds_together=times[row].together,
            yardstick_seconds=times[row].yardstick,
            waiting_share=times[row].waiting,
            curve=tuple(zip(seen.curve_steps, seen.curve[row].tolist(), strict=True)),
            observations=tuple((name, float(values[row])) for name, values in observed),
            graphs=tuple(_points(drawn, row)) if seed in cell.pictured else (),
            distances=probed.get(seed, ()),
        )


def _points(curves: Sequence[Curve], row: int) -> Iterator[Point]:
    for curve in curves:
        for x, y in zip(curve.x, curve.y[row], strict=True):
            yield curve.name, curve.form, float(x), float(y)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Train without a trace: what is global is left as it was found, and nobody is warned."""
    with globals_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def guarded(train: Callable[..., list[Trial]], cell: Cell, seeds: Sequence[int], *, timed: bool) -> list[Trial]:
    """Train seeds; if that fails as a whole, record the reason for each."""
    with undisturbed():
        try:
            return train(cell, seeds, timed=timed)
        except BaseException as error:  # whatever the case's own code raises
            let_end(error)
            return [failed(cell, seed, told(error)) for seed in seeds]


def failed(cell: Cell, seed: int, reason: str) -> Trial:
    """Record a seed that could not be trained, and why."""
    nothing = math.nan
    none_kept: dict[str, Any] = {
        f"{stage}_{what}": NO_DIGEST if what == "digest" else nothing for what, (_, of) in KEPT.items() for stage in of
    }
    return Trial(
        **_planned(cell, seed),
        **none_kept,
        status=Status.ERROR,
        steps=0,
        first_loss=nothing,
        final_loss=nothing,
        train_seconds=nothing,
        compile_seconds=nothing,
        seeds_together=1,
        yardstick_seconds=nothing,
        waiting_share=nothing,
        reason=reason,
    )
