"""Training on the workers of a Dask scheduler: whatever a worker gives back is what this machine would have computed.

A worker that would compute something else is refused, with a sentence; one that dies leaves its chunks to the others.

Dask is spoken to directly. joblib's backend for it tells a generator of results nothing of a chunk that failed because
its workers died, so that such a run would wait for ever; and it fixes the number of workers when it starts.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from logging import CRITICAL, getLogger
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from suite.errors import SuiteError, raise_all, told
from suite.machine import FINGERPRINT_LENGTH, Settings, differences, fingerprint, unavailable

if TYPE_CHECKING:
    from distributed import Client, Future

SCHEME = "dask://"

REACH_SECONDS = 5.0
"""How long a scheduler, and then its first worker, is waited for."""
PATIENCE_SECONDS = 30.0
"""Without any worker and any result for so long, a run ends; it can be resumed."""
MOST_LOSSES = 4
"""How often Dask may give a chunk up; it does so after the loss of four workers that trained it."""

ALONE = Lock()
"""Held while a worker trains: generators and torch's settings are those of the whole process."""

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Job], Result]


@dataclass(frozen=True)
class Cluster:
    """The workers of one Dask scheduler."""

    address: str
    """HOST:PORT of the scheduler."""

    def __str__(self) -> str:
        """Return what the user calls it: dask://HOST:PORT."""
        return SCHEME + self.address

    @classmethod
    def read(cls, text: str) -> Cluster | None:
        """Read dask://HOST:PORT; None for anything else."""
        try:
            parts = urlsplit(text)
            whole = parts.hostname and parts.port and text == f"{SCHEME}{parts.netloc}" and "@" not in text
        except ValueError:  # a port that is no number, or half of an IPv6 address
            return None
        return cls(parts.netloc) if whole else None

    def check(self, devices: Sequence[str], settings: Settings) -> None:
        """Look whether there are workers, and whether each of them computes what this machine would.

        Raises:
            SuiteError: if the scheduler or Dask itself is not there, or a worker must be refused.
        """
        with self._workers(terms_of(devices, settings)):
            pass

    def each(
        self, work: Work[Job, Result], jobs: Sequence[Job], devices: Sequence[str], settings: Settings
    ) -> Iterator[Result]:
        """Do ``work`` for each of the jobs on the workers; give each result as it comes.

        Raises:
            SuiteError: as ``check`` does; or because of a worker that came later; or if all workers are gone.
        """
        terms = terms_of(devices, settings)
        with self._workers(terms) as client:
            for data in _Errands(self, client, terms, work).of(jobs):
                result: Result = pickle.loads(data)
                yield result

    @contextmanager
    def _workers(self, terms: Terms) -> Iterator[Client]:
        """Connect to the scheduler, and refuse its workers, all faults at once, unless they fulfil the terms."""
        try:
            from distributed import Client
        except ImportError as error:
            raise SuiteError(f"{self}: Dask is not here ({told(error)}); install the suite's extra `dask`") from error
        try:
            client = Client(f"tcp://{self.address}", timeout=REACH_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            hint = f"start one with: dask scheduler --port {self.address.rpartition(':')[2]}"
            raise SuiteError(f"{self}: no scheduler answers there; {hint}") from error
        with _quiet(), client:
            try:
                client.wait_for_workers(1, timeout=REACH_SECONDS)
            except TimeoutError as error:
                raise SuiteError(f"{self}: {self.no_worker}") from error
            try:
                answers = client.run(faults, terms, on_error="return")
            except OSError as error:
                raise self.gone from error
            raise_all(f"worker {place}: {fault}" for place, answer in answers.items() for fault in _read(answer))
            yield client

    @property
    def gone(self) -> SuiteError:
        """Say that the scheduler is not there any more."""
        return SuiteError(f"{self}: the scheduler is gone; --resume completes the run")

    @property
    def no_worker(self) -> str:
        """Say what to do where there is none."""
        return f"the scheduler has no workers; start some with: dask worker {self.address} --nthreads 1"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging tracebacks of a connection that is lost; the run tells it in a sentence."""
    levels = {handler: handler.level for handler in getLogger("distributed").handlers}
    for handler in levels:
        handler.setLevel(CRITICAL)
    try:
        yield
    finally:
        for handler, level in levels.items():
            handler.setLevel(level)


def _read(answer: Any) -> Sequence[str]:
    """Return the faults that a worker found, or the one that kept it from looking."""
    return [f"cannot run this suite: {told(answer)}"] if isinstance(answer, BaseException) else answer


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What must be the same on a worker as on the machine whose run it is."""

    facts: dict[str, dict[str, str]]
    """What decides the bits, by device."""
    settings: Settings


def terms_of(devices: Sequence[str], settings: Settings) -> Terms:
    """Return what decides the bits on this machine."""
    machine = fingerprint(dict.fromkeys(devices), settings)
    facts = {device: {"suite": source(), **machine.facts(device)} for device in machine.devices}
    return Terms(facts=facts, settings=settings)


@cache
def source() -> str:
    """Return a hash of the suite's own source, as this process found it; cases have versions of their own."""
    package = Path(__file__).parent
    total = sha256()
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package)
        if name.parts[0] != "cases":
            total.update(repr((name.as_posix(), sha256(file.read_bytes()).digest())).encode())
    return total.hexdigest()[:FINGERPRINT_LENGTH]


def faults(terms: Terms) -> list[str]:
    """Say, on a worker, why it cannot train under these terms: for each device at most one sentence."""
    missing = {device: reason for device in terms.facts if (reason := unavailable(device)) is not None}
    here = terms_of([device for device in terms.facts if device not in missing], terms.settings)
    unlike = {
        device: f"computes otherwise: {what}"
        for device, facts in here.facts.items()
        if (what := differences(facts, terms.facts[device], other="here"))
    }
    absent = {device: f"{device} is not there: {reason}" for device, reason in missing.items()}
    return list(dict.fromkeys([*absent.values(), *unlike.values()]))


def fulfil(work: Work[Job, Result], job: Job, terms: Terms) -> bytes:
    """Do the work on a worker, alone in its process and if it fulfils the terms.

    The result travels as bytes: to measure a list, Dask draws from Python's generator, beside the next chunk.
    """
    from distributed import get_worker

    with ALONE:
        try:
            raise_all(faults(terms))
            return pickle.dumps(work(job))
        except SuiteError as error:
            raise SuiteError(*(f"worker {get_worker().address}: {fault}" for fault in error.faults)) from error


@dataclass(frozen=True)
class Parcel:
    """A call that is made where it is unpacked: its pickle, loaded, is what ``fulfil`` returns.

    A scheduler unpickles whatever it is sent, and pickles it again; of bytes it makes nothing. So it needs no suite,
    and an old one that it may have loaded changes nothing.
    """

    work: Work[Any, Any]
    job: Any
    terms: Terms

    def __reduce__(self) -> tuple[Callable[..., bytes], tuple[object, ...]]:
        """Say how it is unpacked."""
        return fulfil, (self.work, self.job, self.terms)


class _Errands:
    """Jobs on their way: sent to the workers, and sent once more where workers were lost with them."""

    def __init__(self, cluster: Cluster, client: Client, terms: Terms, work: Work[Any, Any]) -> None:
        self.cluster, self.client, self.terms, self.work = cluster, client, terms, work
        self.out: dict[Any, tuple[Future[bytes], Any, int]] = {}
        """Each job that is not back, by the key of its future, and how often Dask has given it up."""
        self.back: SimpleQueue[Future[bytes]] = SimpleQueue()

    def of(self, jobs: Sequence[Any]) -> Iterator[bytes]:
        """Send all jobs out; give what each comes back with, in any order."""
        for job in jobs:
            self._send(job)
        while self.out:
            try:
                result = self._next()
            except TimeoutError:
                self._look_for_workers()
                continue
            if result is not None:
                yield result

    def _send(self, job: Any, losses: int = 0) -> None:
        future = self.client.submit(pickle.loads, pickle.dumps(Parcel(self.work, job, self.terms)), pure=False)
        self.out[future.key] = future, job, losses
        future.add_done_callback(self.back.put)

    def _next(self) -> bytes | None:
        """Return the next result; None if it is one of lost workers, and was sent once more."""
        from distributed import KilledWorker

        try:
            future = self.back.get(timeout=PATIENCE_SECONDS)
        except Empty as error:
            raise TimeoutError from error
        _, job, losses = self.out[future.key]
        try:
            result = future.result(timeout=PATIENCE_SECONDS)
        except TimeoutError:  # it was lost on its way here, and is computed once more
            self.back.put(future)
            raise
        except KilledWorker as error:
            result = None
            if losses == MOST_LOSSES:
                raise SuiteError(f"{self.cluster}: whichever worker had one chunk was lost: {told(error)}") from error
            self._send(job, losses + 1)
        except (ImportError, AttributeError) as error:
            raise SuiteError(f"{self.cluster}: a worker cannot run this suite: {told(error)}") from error
        except CancelledError as error:
            raise self.cluster.gone from error
        del self.out[future.key]
        return result

    def _look_for_workers(self) -> None:
        try:
            workers = self.client.nthreads()
        except OSError as error:
            raise self.cluster.gone from error
        if not workers:
            raise SuiteError(f"{self.cluster}: {self.cluster.no_worker}; then --resume completes the run")
