"""A case of one's own is one file, beside whatever it imports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result

from suite.records import read_run

Invoke = Callable[..., Result]
Write = Callable[[str, str], Path]


NETWORK = """
    import colorsys

    from torch import nn


    class Network(nn.Linear):
        def __init__(self) -> None:
            super().__init__(1, OUTPUTS)
"""


OWN = """
    from functools import partial
    from torch import nn
    from torch.optim import SGD
    from suite import Case, final_loss, fixed
    from _network import Network

    CASE = Case(
        architecture=Network, data=fixed(x=[1.0], target=[5.0]), loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1), steps=60, expect=[final_loss(high=1e-3)],
    )
"""


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_case_of_ones_own_is_one_file_beside_its_module(write: Write, invoke: Invoke, engine: str) -> None:
    """A file of ten lines beside a module, in a folder outside the project, is a case; its folder is all one names."""
    write("mine/_network.py", NETWORK.replace("OUTPUTS", "1"))
    assert len(write("mine/own.py", OWN).read_text(encoding="utf-8").splitlines()) <= 10
    words = ("--cases", "mine", "--seeds", "30", "--device", "cpu", "--dtype", "float32", "--mode", "eager")
    assert invoke("run", *words, "--engine", engine, "--out", "a-run").exit_code == 0
    assert list(read_run(Path("a-run")).trials["status"]) == ["ok"] * 30


def test_modules_of_one_name_are_kept_apart(write: Write, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders may each have a module of one name; each case gets that of its own folder, and nothing else does."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    for place, outputs in (("a", 1), ("b", 2)):
        write(f"mine/{place}/_network.py", NETWORK.replace("OUTPUTS", str(outputs)))
        write(f"mine/{place}/case_{place}.py", OWN.replace("[5.0]", str([5.0] * outputs)))
    words = ("--cases", "mine", "--seeds", "1", "--device", "cpu", "--dtype", "float64", "--mode", "eager")
    done = invoke("run", *words, "--out", "a-run")
    assert done.exit_code == 0, done.stderr
    first, second = read_run(Path("a-run")).trials["init_digest"]
    assert first != second
    assert "_network" not in sys.modules
    assert "colorsys" in sys.modules
    assert str(Path("mine/a").resolve()) not in sys.path


def test_a_module_that_python_finds_anyway_is_imported_once(
    write: Write, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a case's folder is on Python's path already, its modules are those that everyone imports."""
    folder = write("mine/_network.py", NETWORK.replace("OUTPUTS", "1")).parent
    write("mine/own.py", OWN)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "_network", ModuleType("_network"))  # so that it is forgotten after the test
    del sys.modules["_network"]
    assert invoke("list", "--cases", "mine").exit_code == 0
    assert "_network" in sys.modules
    assert str(folder) in sys.path
