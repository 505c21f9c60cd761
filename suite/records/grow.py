"""Adding rows to a table, and cutting off half a row, in the file itself: never through a link, or into a device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from suite.errors import SuiteError
from suite.records.atomic import writing
from suite.records.own import CAUTIOUS, check_own, read_own


def append_text(file: Path, text: str) -> None:
    """Append whole rows to a file that is there, in one write; or none of them, if the disk does not take them all.

    Raises:
        SuiteError: if the file is gone, is a link or no plain file, or cannot be written.
    """
    with _opened(file, os.O_WRONLY | os.O_APPEND) as handle:
        size = os.fstat(handle).st_size
        try:
            _write_all(handle, text.encode())
        except BaseException:
            if os.fstat(handle).st_size > size:
                os.ftruncate(handle, size)
            raise


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def is_torn(file: Path) -> bool:
    """Tell whether a file ends in half a row.

    Raises:
        SuiteError: if the file is gone, is a link or no plain file, or cannot be read.
    """
    data = read_own(file)
    return whole_rows(data) < len(data)


def cut_to_whole_rows(file: Path) -> None:
    """Drop what stands after the last whole row of a file that is there: a row that a kill cut off.

    Raises:
        SuiteError: if the file is gone, is a link or no plain file, or cannot be written.
    """
    end = whole_rows(read_own(file))
    with _opened(file, os.O_WRONLY) as handle:
        os.ftruncate(handle, end)


def whole_rows(data: bytes) -> int:
    """Return how many bytes the whole rows take: up to the last line end that is not part of a quoted text."""
    end = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, end)
    while quotes % 2:
        before = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(b'"', before, end)
        end = before
    return end


@contextmanager
def _opened(file: Path, flags: int) -> Iterator[int]:
    """Open a file that lies in its folder itself, whatever is put in its place after it was looked at."""
    check_own(file)
    with writing(file):
        handle = os.open(file, flags | CAUTIOUS)
        try:
            if not S_ISREG(os.fstat(handle).st_mode):
                raise SuiteError(f"{file}: is a pipe or a device; put a plain file there")
            yield handle
        finally:
            os.close(handle)
