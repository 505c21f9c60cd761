"""What a scheduler answers when it loses workers, results or itself: told in a sentence, or sent again."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from io import StringIO
from logging import StreamHandler, getLogger
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from distributed import KilledWorker

from suite import cluster as room
from suite.cluster import Cluster, Terms
from suite.errors import SuiteError, told
from suite.machine import Settings


class Answer:
    """A future that comes back at once; what it comes back with is planned."""

    def __init__(self, key: int, planned: deque[bytes | Exception]) -> None:
        """Take the next of what is planned, when it is asked for."""
        self.key, self.planned = key, planned

    def add_done_callback(self, call: Callable[[Answer], None]) -> None:
        """Be done, if anything is planned."""
        if self.planned:
            call(self)

    def result(self, timeout: float) -> bytes:
        """Return or raise what was planned."""
        assert timeout == room.PATIENCE_SECONDS
        planned = self.planned.popleft()
        if isinstance(planned, Exception):
            raise planned
        return planned


class Office:
    """What stands for Dask's client where the answers are planned."""

    def __init__(self, *planned: bytes | Exception, workers: int = 1) -> None:
        """Count what is sent."""
        self.planned, self.sent, self.workers = deque(planned), 0, workers

    def submit(self, unpack: object, parcel: bytes, *, pure: bool) -> Answer:
        """Send a job; each sending is another."""
        assert (unpack, type(parcel), pure) == (pickle.loads, bytes, False)
        self.sent += 1
        return Answer(self.sent, self.planned)

    def nthreads(self) -> dict[str, int]:
        """Return the workers."""
        return dict.fromkeys(map(str, range(self.workers)), 1)


LOST = KilledWorker("a-chunk", SimpleNamespace(address="tcp://a:2"), 3)  # type: ignore[arg-type]


def answered(office: Office, jobs: int) -> list[bytes]:
    """Return what comes back of so many jobs."""
    terms = Terms(facts={}, settings=Settings())
    return list(room._Errands(Cluster("a:1"), office, terms, int).of(range(jobs)))  # type: ignore[arg-type]


def test_a_job_is_sent_again_a_few_times() -> None:
    """A job that Dask has given up is sent again, its siblings are not; one that no worker survives ends the run."""
    office = Office(LOST, b"one", *[LOST] * (room.MOST_LOSSES - 1), b"two")
    assert answered(office, 2) == [b"one", b"two"]
    assert office.sent == 2 + room.MOST_LOSSES
    with pytest.raises(
        SuiteError, match=r"^dask://a:1: whichever worker had one chunk was lost: KilledWorker: Attempted to run"
    ):
        answered(Office(*[LOST] * (room.MOST_LOSSES + 1)), 1)


def test_a_result_that_is_lost_on_its_way_is_waited_for() -> None:
    """While there are workers, it is computed once more; without any, the run ends."""
    assert answered(Office(TimeoutError(), TimeoutError(), b"one"), 1) == [b"one"]
    with pytest.raises(SuiteError, match="has no workers"):
        answered(Office(TimeoutError(), workers=0), 1)


def test_silence_without_workers_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing comes back, and nobody is there from whom it could, nothing more is waited for."""
    monkeypatch.setattr(room, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(SuiteError, match=r"has no workers; .*; then --resume completes the run$"):
        answered(Office(workers=0), 1)


def test_a_scheduler_that_is_lost_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask cancels all that was sent, or cannot ask any more; the sentence says how the run is completed."""
    gone = r"^dask://a:1: the scheduler is gone; --resume completes the run$"
    with pytest.raises(SuiteError, match=gone):
        answered(Office(CancelledError()), 1)
    silent = Office(TimeoutError())
    monkeypatch.setattr(silent, "nthreads", Mock(side_effect=OSError("Timed out trying to connect to tcp://a:1")))
    with pytest.raises(SuiteError, match=gone):
        answered(silent, 1)


def test_a_late_worker_without_the_suite_is_told() -> None:
    """What a worker cannot unpack, it lacks, or has in another version."""
    for error in (ModuleNotFoundError("No module named 'suite'"), AttributeError("no attribute 'fulfil'")):
        with pytest.raises(SuiteError, match=rf"^dask://a:1: a worker cannot run this suite: {told(error)}$"):
            answered(Office(error), 1)


def test_a_worker_that_cannot_look_says_why() -> None:
    """Whatever kept a worker from looking at itself is its fault to tell; else it has told its faults."""
    assert room._read(ModuleNotFoundError("No module named 'suite'")) == [
        "cannot run this suite: ModuleNotFoundError: No module named 'suite'"
    ]
    assert room._read(["a fault"]) == ["a fault"]


def test_dask_logs_nothing_of_what_a_sentence_tells() -> None:
    """While a run goes on, tracebacks of lost connections are not logged; before and after it, they are."""
    written = StringIO()
    handler, log = StreamHandler(written), getLogger("distributed.client")
    getLogger("distributed").addHandler(handler)
    try:
        log.error("before")
        with room._quiet():
            log.error("between")
        log.error("after")
    finally:
        getLogger("distributed").removeHandler(handler)
    assert written.getvalue().split() == ["before", "after"]


def test_what_is_no_fault_of_the_cluster_is_raised_as_it_is() -> None:
    """A fault of the program itself keeps its type."""
    with pytest.raises(ZeroDivisionError):
        answered(Office(ZeroDivisionError()), 1)
