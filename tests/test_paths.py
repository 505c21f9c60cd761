"""Where a path leads, and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.paths import real, shown


def test_a_path_is_said_as_short_as_it_can_be(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path below here is said from here, any other in full."""
    monkeypatch.chdir(tmp_path)
    assert shown(write("cases/one.py", "")) == "cases/one.py"
    assert shown(tmp_path.parent) == str(tmp_path.parent)


def test_a_path_leads_where_its_links_lead(tmp_path: Path) -> None:
    """Whatever stands there; one in a circle stands for itself."""
    (tmp_path / "there").symlink_to(tmp_path / "here")
    (tmp_path / "circle").symlink_to("circle")
    assert real(tmp_path / "there/x.py") == real(tmp_path) / "here/x.py"
    assert real(tmp_path / "circle") == real(tmp_path) / "circle"
