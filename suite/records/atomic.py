"""Writing so that a kill at any moment leaves the old or the new, never half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from suite.errors import SuiteError

BESIDE = ".suite-"
"""How the names of files begin that are written beside others, to replace them."""


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
    """Put ``text`` in place of the file's content, or leave the file as it was.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    beside = file.with_name(f"{BESIDE}{token_hex(4)}")
    with writing(file):
        try:
            with beside.open("x", encoding="utf-8", newline="") as stream:  # what is there already is not followed
                stream.write(text)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Take away what a kill left beside the files that it was to replace.

    Raises:
        SuiteError: if the folder cannot be written.
    """
    with writing(folder):
        for left in folder.glob(f"{BESIDE}*"):
            left.unlink(missing_ok=True)
