"""A file is known as one of cases by its syntax, and is not run for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.declaring import declares, may_declare
from suite.discover import case_files, documented

Write = Callable[[str, str], Path]

DECLARING = {
    "name": "from suite import seed, Case\n",
    "renamed": "from suite import Case as Network\n",
    "star": "from suite import *\n",
    "whole": "import suite\nx = suite.Case()\n",
    "as": "import os, suite as s\nx = [s.Case() for _ in range(2)]\n",
    "part": "import suite.case\nx = suite.case.Case()\n",
    "handed on": "import suite\nfrom functools import partial\nmake = partial(suite.Case, steps=3)\n",
    "tried": "try:\n    from suite import Case\nexcept ImportError:\n    pass\n",
    "called": "from suite.case import Case\nCASES: list = [Case()]\n",
    "grown": "from suite import seed\nfor rate in (1, 2):\n    CASES += [made(rate)]\n",
    "several": "from suite import seed\nCASE, other = make()\n",
    "beside": "from _make import make\nCASES = [make(0.1)]\n",
    "beside whole": "import _make\nCASES = _make.CASES + _make.more()\n",
    "handed": "from _make import CASES\n",
    "by way of a package": "from _lib import deep\nCASES = [deep.make()]\n",
    "no Python": "from suite import Case\nCASE = Case(\n",
    "a null": "import suite\n\0",
}
ANOTHERS = {
    "nothing": "",
    "a word": "suite = 1\nCASE = suite\n",
    "a table": "from suite import seed\nCASES = [1, 2]\n",
    "a name": "import suite\nx: suite.Case\n",
    "inside": "def test():\n    from suite import Case\n",
    "for types": "import typing\nif typing.TYPE_CHECKING:\n    from suite import Case\n",
    "a namesake": "from .suite import Case\nfrom other.suite import Case as X\nimport suites\n",
    "a text": "'from suite import Case'\n# import suite; suite.Case()\n",
    "in a function": "from suite import seed\ndef f():\n    CASES = [g()]\n",
    "made of nothing of ours": "from _own import make\nCASES = [make()]\n",
    "no Python": "CASE = Case(\n",
}


@pytest.fixture
def helpers(write: Write) -> None:
    """Write modules to lie beside a case file."""
    write("_make.py", "from suite import Case\nimport _own\n")
    write("_own.py", "import torch\nimport _own, _circle\n")
    write("_circle.py", "from _own import *\n")
    write("_lib/__init__.py", "from . import deep\n")
    write("_lib/deep.py", "from ..  import _make\n")


@pytest.mark.parametrize("name", DECLARING)
@pytest.mark.usefixtures("helpers")
def test_a_file_that_takes_case_or_makes_cases_declares_some(write: Write, name: str) -> None:
    """However the suite is imported, by a case file or a module beside it, its cases are found."""
    file = write("some.py", DECLARING[name])
    assert declares(file)
    assert may_declare(file)


@pytest.mark.parametrize("name", ANOTHERS)
@pytest.mark.usefixtures("helpers")
def test_another_file_declares_none(write: Write, name: str) -> None:
    """A file that has nothing to do with the suite, or nothing that could be a case, is none of its business."""
    assert not declares(write("some.py", ANOTHERS[name]))


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("from suite import seed\n", True),
        ("from elsewhere import make\nCASES = [make()]\n", True),
        ("CASES = [1, 2]\n", False),
        ("from elsewhere import make\nothers = [make()]\n", False),
        ("from elsewhere import make\nCASES = [make()]\ndef test_all(): ...\n", False),
        ("CASES = [make()]\nclass TestAll: ...\n", False),
    ],
)
def test_a_file_may_declare_what_it_calls_cases(write: Write, text: str, *, may: bool) -> None:
    """What is made elsewhere may be a case, unless the file holds tests."""
    assert may_declare(write("some.py", text)) == may


def test_a_file_that_is_not_there_declares_none(tmp_path: Path) -> None:
    """Whoever wants a file tells that it cannot be read."""
    assert not declares(tmp_path / "gone.py")
    assert not may_declare(tmp_path / "gone.py")


def test_every_documented_case_file_is_known_as_one() -> None:
    """What `suite run` takes for a case file, pytest does too."""
    files = case_files(documented())
    assert files
    assert [file for file in files if not declares(file)] == []
