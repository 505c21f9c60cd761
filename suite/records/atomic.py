"""Writing so that a kill at any moment leaves the old or the new, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE, S_ISDIR, S_ISREG

from suite.errors import SuiteError

BESIDE = ".suite-"
"""How the names of files begin that are written beside others, to replace them."""

AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""A pipe that nobody reads is refused, and not waited for."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the system refuses while writing to ``place`` into one line.

    Raises:
        SuiteError: naming the place and the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise SuiteError(f"{place}: cannot be written: {error.strerror or error}") from error
    except UnicodeError as error:
        raise SuiteError(f"{place}: cannot be written: a text in it is no UTF-8") from error


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """Turn what the system refuses while reading from ``place`` into one line.

    Raises:
        SuiteError: naming the place and the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise SuiteError(f"{place}: cannot be read: {error.strerror or error}") from error


def replace_text(file: Path, text: str) -> None:
    """Put ``text`` where a user wants it: in place of a file, which is replaced, or into a device or a pipe.

    Raises:
        SuiteError: if it cannot be written.
    """
    with writing(file):
        if not _is_stream(file):
            replace_own(file, text)
            return
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | AT_ONCE)
        os.set_blocking(handle, True)
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())


def _is_stream(file: Path) -> bool:
    """Tell whether to write into what is there; the system's own links, as /dev/stdout, may lead to a plain file."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return False
    if S_ISREG(mode):
        return file.is_symlink() and file.absolute().parts[1] in {"dev", "proc"}
    return not S_ISDIR(mode)


def replace_own(file: Path, text: str) -> None:
    """Put ``text`` in place of a file of a folder's own, whatever lies there, or leave it as it was.

    Who takes a folder's lock meanwhile may sweep away what is not in its place yet; then it is written once more.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    with writing(file):
        try:
            _replace(file, text)
        except FileNotFoundError:
            _replace(file, text)


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f"{BESIDE}{token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="") as stream:  # what is there already is not followed
            stream.write(text)
        for mode in _modes(file):
            beside.chmod(mode)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _modes(file: Path) -> Iterator[int]:
    """Give who may do what with a plain file, if there is one."""
    try:
        told = file.lstat()
    except FileNotFoundError:
        return
    if S_ISREG(told.st_mode):
        yield S_IMODE(told.st_mode)


def sweep(folder: Path) -> None:
    """Take away what a kill left beside the files that it was to replace.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    with writing(folder):
        for left in folder.glob(f"{BESIDE}*"):
            with writing(left):
                left.unlink(missing_ok=True)
