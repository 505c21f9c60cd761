"""What these tests need: other environments, made of this one by what its start-up imports."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str, str], Path]


@pytest.fixture
def python() -> str:
    """Return the command of this Python."""
    return shlex.quote(sys.executable)


@pytest.fixture
def python_with(write: Write, python: str) -> Callable[[str], str]:
    """Return the command of a Python like this one, which runs this code before anything else."""

    def make(code: str) -> str:
        place = write("start/sitecustomize.py", code).parent
        return f"PYTHONPATH={shlex.quote(str(place))} {python}"

    return make
