"""Reading the files of a run folder, which anyone may have made: a link, a pipe or a device is not followed."""

from __future__ import annotations

import os
from io import BufferedReader, FileIO
from pathlib import Path
from stat import S_ISREG

from suite.errors import SuiteError
from suite.records.atomic import reading

CAUTIOUS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""A pipe that nobody writes to is opened at once, and a link not at all."""


def read_own(file: Path, most: int | None = None) -> bytes:
    """Return the bytes of a file that lies in its folder itself; of a larger one than ``most`` none is read.

    Raises:
        SuiteError: if it is missing, cannot be read, is too large, or is a link or no plain file.
    """
    check_own(file)
    with reading(file), BufferedReader(FileIO(file, opener=_cautiously)) as stream:
        about = os.fstat(stream.fileno())
        _check_plain(file, about.st_mode)
        if most is None:
            return stream.read()
        data = stream.read(most + 1) if about.st_size <= most else b""  # it may grow meanwhile
        if max(about.st_size, len(data)) > most:
            raise SuiteError(f"{file}: is larger than {most:,} bytes, which no run's is")
        return data


def check_own(file: Path) -> None:
    """Refuse a link, through which something else would be read, or written; and what would be waited for.

    Raises:
        SuiteError: if the file is one.
    """
    with reading(file):
        if file.is_symlink():
            raise SuiteError(f"{file}: is a link, which is not followed; put the file itself there")
        if file.exists() and not file.is_dir():
            _check_plain(file, file.stat().st_mode)


def _check_plain(file: Path, mode: int) -> None:
    if not S_ISREG(mode):
        raise SuiteError(f"{file}: is a pipe or a device; put a plain file there")


def _cautiously(file: str, flags: int) -> int:
    return os.open(file, flags | CAUTIOUS)


def stands(file: Path) -> bool:
    """Tell whether anything lies there, even a link that leads nowhere."""
    return os.path.lexists(file)
