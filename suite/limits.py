"""How far one call may go in time and memory, before it is ended or refused more."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ByteSize, TypeAdapter, ValidationError

from suite.errors import SuiteError

STATUS = Path("/proc/self/status")
"""Where Linux tells how much memory this process holds."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far one call may go; without any, as far as it likes."""

    seconds: float | None = None
    memory: int | None = None
    """Bytes of data that its process may hold beyond those that it held before."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return self.seconds is not None or self.memory is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the system refuse this process more memory than it may hold; its time is for others to watch."""
        if self.memory is None:
            yield
            return
        import resource  # which Linux has

        before = resource.getrlimit(resource.RLIMIT_DATA)
        most = before[1] if before[1] != resource.RLIM_INFINITY else sys.maxsize
        resource.setrlimit(resource.RLIMIT_DATA, (min(_data_bytes() + self.memory, most), before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, before)


UNLIMITED = Limits()


def parse_limits(seconds: float | None, memory: str | None) -> Limits:
    """Read seconds as they are, and memory as "500MB" or "2GiB".

    Raises:
        SuiteError: if the seconds are no number, the text names no size, or memory cannot be limited on this system.
    """
    if seconds is not None and not math.isfinite(seconds):
        raise SuiteError(f"--cell-timeout {seconds} is no time; leave it out for none")
    if memory is None:
        return Limits(seconds=seconds)
    try:
        size = int(TypeAdapter(ByteSize).validate_python(memory))
    except ValidationError:
        raise SuiteError(f'--cell-memory "{memory}" is no size; give one as 500MB or 2GiB') from None
    if not STATUS.exists():
        raise SuiteError("--cell-memory works on Linux only; leave it out here")
    return Limits(seconds=seconds, memory=size)


def _data_bytes() -> int:
    """Return how many bytes of data this process holds, as the limit counts them."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmData:"))
    return int(kilobytes) * 1024
