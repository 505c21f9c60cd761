"""A version changes with what a case computes, and with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from suite.case import Case
from suite.discover import load
from suite.version import VERSION_LENGTH, case_version

TEXT = '''
"""A case."""

import enum
import functools
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Adam

from suite import Case, by_name, final_loss, fixed, parameter

{before}


class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.layer = nn.Linear(1, width)

    def forward(self, x):
        return {forward}


CASE = Case(
    architecture={architecture},
    data={data},
    loss={loss},
    optimizer={optimizer},
    steps={steps},
    {more}
)
'''
PLAIN = {
    "before": "",
    "forward": "self.layer(x)",
    "architecture": "Net",
    "data": "fixed(x=[1.0], target=[5.0])",
    "loss": "nn.MSELoss()",
    "optimizer": "partial(SGD, lr=0.1, momentum=0.9)",
    "steps": "10",
    "more": "",
}

Version = Callable[..., str]
Write = Callable[[str, str], Path]


@pytest.fixture
def version(tmp_path: Path) -> Version:
    """Return the version of a case file, each time in another folder, that differs from a plain one as said."""

    def of(**parts: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        parts["before"] = dedent(parts.get("before", ""))
        (folder / "case.py").write_text(TEXT.format(**(PLAIN | parts)), encoding="utf-8")
        return case_version(load(folder / "case.py")[0])

    return of


def told_apart(version: Version, common: dict[str, str], one: str, other: str) -> bool:
    """Tell whether two case files, equal but for ``one`` or ``other`` in place of §, have two versions."""
    parts = [{part: text.replace("§", word) for part, text in common.items()} for word in (one, other, one)]
    first, second, again = (version(**changed) for changed in parts)
    assert first == again
    return first != second


def test_a_version_is_twelve_hexadecimal_digits(neuron: Case) -> None:
    """It is a number that can be written in a table."""
    assert len(case_version(neuron)) == VERSION_LENGTH == 12
    assert int(case_version(neuron), 16) >= 0


def test_where_a_case_lies_and_what_it_is_called_do_not_count(neuron: Case, version: Version) -> None:
    """The same text in another folder has the same version, and so has a case under another name."""
    assert version() == version()
    assert case_version(replace(neuron, name="other")) == case_version(neuron)


LOSS = {"before": "def loss(y, t):\n    §\n    return (y - t).sum()\n", "loss": "loss"}
CLASS = {"before": "class Other(nn.Linear):\n    §\n", "architecture": "partial(Other, 1, 1)"}
PLACE = {"before": "HERE = Path(__file__)\ndef data():\n    return §, HERE, __file__", "data": "data"}


@pytest.mark.parametrize(
    ("common", "one", "other"),
    [
        pytest.param({"more": "§"}, "", 'claims=("G1",),', id="claims"),
        pytest.param({"more": "expect=[§],"}, "", 'parameter("layer.weight", low=1.0)', id="expectations"),
        pytest.param({"before": "bound = §"}, "1.0", "2.0", id="a constant that nothing uses"),
        pytest.param({"before": "§"}, "", "\n\n# a comment\n", id="lines and comments"),
        pytest.param({"loss": "§"}, "lambda y, t: (y - t).sum()", "lambda y,t: ( y-t ).sum()", id="spaces"),
        pytest.param(LOSS, '"""Old."""', '"""New."""  # why', id="the docstring of a function"),
        pytest.param(CLASS, '"""Old."""', '"""New."""', id="a class that is nothing but its docstring"),
        pytest.param(CLASS, 'k = 1\n    """Old."""', "k = 1", id="the docstring of an attribute"),
        pytest.param(PLACE, "1", "1", id="the place of the file, though the code looks at it"),
    ],
)
def test_what_a_case_does_not_compute_does_not_count(
    version: Version, common: dict[str, str], one: str, other: str
) -> None:
    """Claims, expectations, text for people and the place of the file leave the version as it is."""
    assert not told_apart(version, common, one, other)


@pytest.mark.parametrize(
    ("part", "text", "one", "other"),
    [
        pytest.param("steps", "§", "10", "11", id="steps"),
        pytest.param("optimizer", "partial(SGD, lr=§)", "0.1", "0.10000000000000002", id="lr, by one ulp"),
        pytest.param("optimizer", "partial(SGD, lr=0.1, momentum=§)", "0.9", "0.8", id="momentum"),
        pytest.param("optimizer", "partial(§, lr=0.1)", "SGD", "Adam", id="the optimizer's class"),
        pytest.param("optimizer", "§(partial(SGD, lr=0.1))", "by_name", "partial", id="names for the optimizer"),
        pytest.param("loss", "§", "nn.MSELoss()", "nn.L1Loss()", id="the loss's class"),
        pytest.param("loss", "nn.MSELoss(reduction='§')", "mean", "sum", id="the loss's settings"),
        pytest.param("loss", "nn.NLLLoss(weight=torch.tensor([§]))", "1.0", "2.0", id="the loss's tensors"),
        pytest.param("loss", "torch.§", "dist", "sub", id="a function of torch"),
        pytest.param("loss", "lambda y, t: (y § t).sum()", "+", "-", id="the body of a lambda"),
        pytest.param("data", "fixed(x=[§], target=[5.0])", "1.0", "2.0", id="fixed inputs"),
        pytest.param("data", "fixed(x=[1.0], target=[§])", "5.0", "5.5", id="fixed targets"),
        pytest.param("data", "fixed(x=np.array([§]), target=[5.0])", "1.0", "2.0", id="inputs in an array"),
        pytest.param("architecture", "partial(Net, width=§)", "2", "3", id="layer size, as an argument"),
        pytest.param("architecture", "partial(Net, §)", "2", "3", id="layer size, by position"),
        pytest.param("architecture", "lambda: Net(§)", "2", "3", id="layer size, in a lambda"),
        pytest.param("forward", "self.layer(§)", "x", "x * x", id="the body of forward"),
    ],
)
def test_what_a_declaration_says_counts(version: Version, part: str, text: str, one: str, other: str) -> None:
    """Each change of network, data, loss, optimizer or steps is another version."""
    assert told_apart(version, {part: text}, one, other)


@pytest.mark.parametrize(
    ("before", "forward", "one", "other"),
    [
        pytest.param("def f(x): return x § 1", "f(x)", "+", "-", id="a function"),
        pytest.param("f = lambda x: g(x)\ng = lambda x: x § 1", "f(x)", "+", "-", id="a function that it uses"),
        pytest.param("f, g = lambda x: x § 1, lambda x: x", "f(x)", "+", "-", id="the first lambda on a line"),
        pytest.param("f, g = lambda x: x, lambda x: x § 1", "g(x)", "+", "-", id="the second lambda on a line"),
        pytest.param("f = [abs, lambda x: x § 1, lambda x: x][1]", "f(x)", "+", "-", id="the lambda between two"),
        pytest.param("f = (lambda x:\n x\n § 1), lambda x: x", "f[0](x)", "+", "-", id="a lambda on several lines"),
        pytest.param("@dataclass\nclass K: k: int = §", "K().k * x", "1", "2", id="a dataclass without methods"),
        pytest.param("f = (lambda k: lambda x: k § x)(5)", "f(x)", "+", "-", id="a lambda in a lambda"),
        pytest.param("f = (lambda k: lambda x: k * x)(§)", "f(x)", "5", "6", id="what a lambda holds"),
        pytest.param("k = §", "k * x", "1", "2", id="a number"),
        pytest.param("k = §", "x if k else x", "None", "()", id="nothing"),
        pytest.param("k = {'a': §, 5: 0}", "k['a'] * x", "1", "2", id="a mapping"),
        pytest.param("k = {1, §}", "x * len(k)", "2", "3", id="a set"),
        pytest.param("k = torch.tensor([§])", "k * x", "1.0", "2.0", id="a tensor"),
        pytest.param("k = np.linspace(0, §, 3)", "x + k", "1", "2", id="an array"),
        pytest.param("k = nn.LeakyReLU(§)", "k(x)", "0.1", "0.2", id="a module"),
        pytest.param("k = nn.Sequential(nn.LeakyReLU(§))", "k(x)", "0.1", "0.2", id="a module inside a module"),
        pytest.param("class K: k = §", "K.k * x", "1", "2", id="a class"),
        pytest.param("class K: k = §\nclass L(K): pass", "L.k * x", "1", "2", id="the class below a class"),
        pytest.param("k = type('K', (), {'k': §})", "k.k * x", "1", "2", id="a class without a definition"),
        pytest.param("k = SimpleNamespace(k=[§])", "k.k[0] * x", "1", "2", id="a namespace"),
        pytest.param("K = enum.Enum('K', 'a b')\nk = K.§", "x * k.value", "a", "b", id="a member of an enum"),
    ],
)
def test_what_the_code_of_a_case_uses_counts(version: Version, before: str, forward: str, one: str, other: str) -> None:
    """Each change of a function, class or value of the file that the architecture uses is another version."""
    assert told_apart(version, {"before": before, "forward": forward}, one, other)


CLOSURE = """
    def make(k):
        def inner():
            return k
        return inner
    data = make(§)
"""
SECOND_OF_A_NAME = """
    def one():
        def data():
            return 1
        return data
    def two():
        def data():
            return §
        return data
    data = two()
"""
METHOD = """
    class One:
        def data(self):
            return 1
    class Two:
        def data(self):
            return §
    data = Two().data
"""
DEFAULT = """
    def make(k):
        def inner(k=k):
            return k
        return inner
    data = make(§)
"""
DEFAULT_BY_KEYWORD = """
    def make(k):
        def inner(*, k=k):
            return k
        return inner
    data = make(§)
"""
HELD = """
    class Give:
        def __init__(self, k):
            self.k = [k]
        def __call__(self):
            return self.k
    data = Give(§)
"""
OBJECT = """
    class Give:
        def __call__(self):
            return §
    data = Give()
"""
DATACLASS = """
    @dataclass
    class Give:
        k: int = 1
        def __call__(self):
            return self.k + §
    data = Give()
"""
CACHED = """
    @functools.cache
    def data():
        return §
"""
WRAPPED_BY_TORCH = """
    @torch.no_grad()
    def data():
        return §
"""
WRAPPED_BY_THE_CASE = """
    def twice(f):
        @functools.wraps(f)
        def inner():
            return 2 * f()
        return inner
    @twice
    def data():
        return §
"""


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(CLOSURE, id="what a closure holds"),
        pytest.param(SECOND_OF_A_NAME, id="the second of two inner functions of one name"),
        pytest.param(METHOD, id="the second of two methods of one name"),
        pytest.param(DEFAULT, id="a default"),
        pytest.param(DEFAULT_BY_KEYWORD, id="a default by keyword"),
        pytest.param(HELD, id="what an object holds"),
        pytest.param(OBJECT, id="the code of an object"),
        pytest.param(DATACLASS, id="the code of a dataclass"),
        pytest.param(CACHED, id="a cached function"),
        pytest.param(WRAPPED_BY_TORCH, id="a function that torch wraps"),
        pytest.param(WRAPPED_BY_THE_CASE, id="a function that the case wraps"),
    ],
)
def test_callables_of_every_kind_count(version: Version, before: str) -> None:
    """Whatever kind of callable gives the data, a change inside it is another version."""
    assert told_apart(version, {"before": before, "data": "data"}, "1", "2")


SHARED = """
    from kit.deep import g

    def f(x):
        return g(x) + 1

    class K:
        k = 1

        def get(self):
            return self.k
"""
BESIDE = {"_shared.py": SHARED, "kit/__init__.py": "", "kit/deep.py": "k = 2\ndef g(x):\n    return x * k\n"}


@pytest.mark.parametrize(
    ("old", "new"),
    [("g(x) + 1", "g(x) - 1"), ("k = 2", "k = 3"), ("k = 1", "k = 4"), ("x * k", "k - x")],
    ids=["a function", "a number in a package", "a class", "a function in a package"],
)
def test_code_beside_the_case_counts(write: Write, old: str, new: str) -> None:
    """What a case imports from modules and packages in its own folder is part of what it computes."""
    text = TEXT.format(**(PLAIN | {"before": "from _shared import K, f", "forward": "f(x) + K().get()"}))
    versions = []
    for folder, change in (("a", (old, old)), ("b", (old, new)), ("c", (old, old))):
        for name, beside in BESIDE.items():
            write(f"{folder}/{name}", beside.replace(*change))
        versions.append(case_version(load(write(f"{folder}/case.py", text))[0]))
    assert versions[0] == versions[2] != versions[1]


PLACES = {
    "os.path.dirname(os.path.abspath(__file__))": "os.path.dirname(os.path.dirname(__file__))",
    "Path(__file__).parent": "Path(__file__).parent.parent",
    "Path(__file__).parents[1]": "Path(__file__).parent / 'more'",
    "os.path.join(os.path.dirname(__file__), 'held', 'x.csv')": "os.path.join(os.path.dirname(__file__), 'x.csv')",
    "os.path.join(os.path.dirname(__file__), '..', 'x.csv')": "os.path.join(os.path.dirname(__file__), 'x.csv')",
    "Path('/elsewhere/x.csv')": "Path('/elsewhere/y.csv')",
    "'/'": "'//'",
    "'/no such place'": "'/no such place/'",
}


@pytest.mark.parametrize("place", PLACES)
def test_where_a_checkout_lies_does_not_count(write: Write, case_text: str, place: str) -> None:
    """A case that knows the folder of its file has one version wherever that is; another file in it makes another."""

    def version(folder: str, held: str) -> str:
        text = f"import os\nfrom pathlib import Path\n\nHERE = {held}\n\n\nclass Net(nn.Linear):\n"
        text = f"{text}    def where(self):\n        return HERE\n\n\nCASE = Case("
        text = case_text.replace("CASE = Case(", text).replace(
            "partial(nn.Linear, 1, 1, bias=False)", "partial(Net, 1, 1)"
        )
        (case,) = load(write(f"{folder}/case.py", text))
        return case_version(case)

    found = {version(folder, place) for folder in ("one", "two", "some/where/else")}
    assert len(found) == 1
    assert version("one", PLACES[place]) not in found


def test_a_value_that_does_not_show_itself_counts_by_what_it_says(version: Version) -> None:
    """An object without attributes is described by its own words, without its address."""
    common = {"before": "k = np.random.Generator(np.random.§(0))", "forward": "k.random() * x"}
    assert told_apart(version, common, "PCG64", "MT19937")
    assert not told_apart(version, common, "PCG64", "PCG64")


def test_code_that_uses_itself_has_a_version(version: Version) -> None:
    """A function that calls itself, and an object that holds itself, are described once."""
    before = "def f(x): return f(x) if x is None else x\nclass K: pass\nk = K()\nk.k = k"
    assert version(before=before, forward="f(x) if k.k is k else x") != version()


def test_a_second_use_is_not_a_first(version: Version) -> None:
    """Which of two lambdas comes twice makes a difference, though each is described once."""
    common = {"before": "f, g = lambda: 1, lambda: 2", "data": "partial(fixed, f, g, §)"}
    assert told_apart(version, common, "f", "g")


SAY_VERSION = """
import sys
from pathlib import Path

from suite.discover import load
from suite.version import case_version

print(case_version(load(Path(sys.argv[1]))[0]))
"""


def test_a_version_is_the_same_in_every_process(write: Write) -> None:
    """No address and no order of a set enters it: other processes find the same version."""
    parts = PLAIN | {
        "before": "k = {'a', 'b', 'c', 'd'}",
        "forward": "torch.sin(x) * len(k)",
        "loss": "torch.dist",
        "data": "partial(np.linspace, 0, 1, np.random.default_rng)",
    }
    file = write("case.py", TEXT.format(**parts))
    runs = [
        subprocess.run(
            [sys.executable, "-c", SAY_VERSION, file],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    assert {run.stdout.strip() for run in runs} == {case_version(load(file)[0])}


def test_an_annotation_is_no_array(write: Write, case_text: str) -> None:
    """An alias such as NDArray[float64], which answers for what it names, has a version like any other name."""
    alias = "import numpy as np\nfrom numpy.typing import NDArray\n\nAlias = NDArray[np.float64]\n\n"
    made = "def made(of=Alias):\n    return nn.Linear(1, 1, bias=Alias is None)\n\n"
    text = case_text.replace("CASE = ", alias + made + "CASE = ").replace(
        "partial(nn.Linear, 1, 1, bias=False)", "made"
    )
    assert len(case_version(load(write("case.py", text))[0])) == 12


def test_what_an_import_gets_is_not_the_cases(write: Write, case_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of torch that another one has replaced is judged, not taken for another case."""
    imported = "import torch\nfrom torch.nn.functional import relu\n\n"
    forward = imported + "def made():\n    relu(torch.ones(1))\n    return nn.Linear(1, 1)\n\n"
    text = case_text.replace("CASE = ", forward + "CASE = ")
    file = write("case.py", text.replace("partial(nn.Linear, 1, 1, bias=False)", "made"))
    before = case_version(load(file)[0])
    monkeypatch.setattr("torch.nn.functional.relu", lambda x: x.clamp(min=0.0))
    assert case_version(load(file)[0]) == before
