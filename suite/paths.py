"""Where a path leads, and how it is said."""

from __future__ import annotations

import os
from pathlib import Path


def shown(file: Path | str) -> str:
    """Return a path as short as it can be said from here."""
    path, here = real(Path(file)), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def real(file: Path) -> Path:
    """Return where a path leads, whatever links are on its way; one in a circle stands for itself."""
    return Path(os.path.realpath(file))
