"""One writer at a time: whoever writes into a folder holds its lock, and says beside it who that is."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from stat import S_ISREG

from filelock import FileLock, Timeout

from suite.errors import SuiteError, encodable
from suite.records.atomic import replace_own, sweep, writing
from suite.records.own import CAUTIOUS, check_own

LOCK_FILE = ".lock"
"""Held by the system for as long as its process lives: one that was killed blocks no one. It stays when it is free."""
HOLDER_FILE = ".lock-holder"
LONGEST = 300
"""Bytes of a holder's file that are shown."""


@contextmanager
def only_writer(folder: Path, *, patience: float) -> Iterator[None]:
    """Keep all others from writing into a folder that is there; wait ``patience`` seconds for one who does.

    What an earlier one left half written, since it was killed, is taken away.

    Raises:
        SuiteError: naming who holds the lock and since when, or that the folder cannot be written.
    """
    lock = FileLock(folder / LOCK_FILE)
    with writing(folder):
        folder.stat()  # where there is none, FileLock would make one
        check_own(folder / LOCK_FILE)
        try:
            lock.acquire(timeout=patience)
        except Timeout as error:
            remedy = "wait until it has ended, or end it, and try again"
            raise SuiteError(f"{folder}: {_holder(folder)} is writing there; {remedy}") from error
    try:
        sweep(folder)
        replace_own(folder / HOLDER_FILE, _me())
        yield
    finally:
        _let_go(lock, folder / HOLDER_FILE)


def _let_go(lock: FileLock, holder: Path) -> None:
    """Release the lock, whether or not the place can still be written."""
    try:
        with writing(holder):
            holder.unlink(missing_ok=True)
    finally:
        lock.release()


def _me() -> str:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return encodable(f"process {os.getpid()} of {_login()} on {platform.node() or 'this machine'}, since {since}")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "someone without a name"


def _holder(folder: Path) -> str:
    """Return who holds the lock, as that one said; who has just come may not have said it yet."""
    try:
        with FileIO(folder / HOLDER_FILE, opener=lambda name, flags: os.open(name, flags | CAUTIOUS)) as stream:
            plain = S_ISREG(os.fstat(stream.fileno()).st_mode)
            said = stream.read(LONGEST) if plain else b""
    except OSError:
        return "another process"
    return said.decode(errors="replace").partition("\n")[0] or "another process"
