"""One side of a sitting: a process that trains what it is asked to, a JSON line a request and a line an answer.

Needs nothing but torch, NumPy and the rooms that train, so that the other environment needs no more either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from statistics import median
from time import perf_counter, process_time
from typing import IO, TYPE_CHECKING, Any

from suite.errors import SuiteError, told
from suite.machine import Settings, applied, fingerprint
from suite.plan import parse_devices

if TYPE_CHECKING:
    from suite.errand import Errand
    from suite.train.prepare import Bench

Request = Mapping[str, Any]
REQUESTS, ANSWERS, MESSAGES = 0, 1, 2
"""File descriptors as the process finds them."""


def main() -> None:
    """Answer requests until there are no more; what is printed meanwhile goes to stderr."""
    with _channels() as (requests, answers):
        for line in requests:
            print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


@contextmanager
def _channels() -> Iterator[tuple[IO[str], IO[str]]]:
    """Take stdin and stdout for requests and answers, so that nothing else reads or writes there."""
    with (
        os.fdopen(os.dup(REQUESTS), encoding="utf-8") as requests,
        os.fdopen(os.dup(ANSWERS), "w", encoding="utf-8") as answers,
    ):
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, REQUESTS)
        os.close(nothing)
        os.dup2(MESSAGES, ANSWERS)
        yield requests, answers


def _answer(request: Request) -> dict[str, Any]:
    """Return what was asked for under "answer", or one line on why there is none under "fault"."""
    try:
        with applied(Settings(**request["settings"])):
            return {"answer": ASKED[request["do"]](request)}
    except SuiteError as error:
        return {"fault": "; ".join(error.faults)}
    except Exception as error:
        return {"fault": told(error)}


def describe(request: Request) -> dict[str, Any]:
    """Return the fingerprint of this machine with the devices that were named.

    Raises:
        SuiteError: naming every device that is not here.
    """
    devices, _ = parse_devices(",".join(request["devices"]))
    return asdict(fingerprint(dict.fromkeys(devices), Settings(**request["settings"])))


def why_not(request: Request) -> str | None:
    """Return why the case's seeds cannot be trained together here, as a sentence's end; None if they can."""
    from suite.train import suited

    return suited.why_not(_errand(request).cell().case)


def train(request: Request) -> list[dict[str, Any]]:
    """Return the trials of an errand's seeds."""
    from suite.errand import train_elsewhere

    return [asdict(trial) for trial in train_elsewhere(_errand(request), Settings(**request["settings"]))]


def clock(request: Request) -> float:
    """Return the seconds of one step: the median over short trainings, one a seed, each of a network of its own.

    One thread of a processor is timed by the time that it has the processor, so that what else runs beside it does not
    count; more threads, and other devices, by the clock on the wall. A wait shows on the wall only.
    """
    from suite.train.clock import collector_paused
    from suite.train.leave import undisturbed

    bench = _bench(_errand(request))
    alone = bench.device.type == "cpu" and Settings(**request["settings"]).threads == 1
    now = process_time if alone else perf_counter
    with undisturbed(), collector_paused():
        return median(_seconds_a_step(bench, seed, now) for seed in request["seeds"])


def _errand(request: Request) -> Errand:
    from suite.errand import Errand

    given: dict[str, Any] = request["errand"]
    fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in given.items()}
    return Errand(**fields)


@cache
def _bench(errand: Errand) -> Bench:
    from suite.train.prepare import prepare

    return prepare(errand.cell())


def _seconds_a_step(bench: Bench, seed: int, now: Callable[[], float]) -> float:
    """Train one seed as the documents do, and keep nothing of it."""
    from suite.train.clock import synchronise
    from suite.train.eager import advance

    bench = bench.afresh()
    network, _ = bench.network(seed)
    optimizer = bench.optimizer(network)
    synchronise(bench.device)
    start = now()
    advance(network, optimizer, bench, bench.case.steps)
    synchronise(bench.device)
    return (now() - start) / bench.case.steps


ASKED: dict[str, Callable[[Request], Any]] = {do.__name__: do for do in (describe, why_not, train, clock)}
"""What a worker can be asked for, by name."""


if __name__ == "__main__":
    main()
