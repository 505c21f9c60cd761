"""Where the suite is installed, pytest runs case files: each cell is an item, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from torch import nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.discover import Collection
from suite.engine import Engine
from suite.judge import judge_expectations
from suite.machine import Settings
from suite.plan import make_plan
from suite.workflow import Task, unrecorded

pytest_plugins = "pytester"

Declare = Callable[..., Path]

FAST = ("--suite-device", "cpu", "--suite-dtype", "float32", "--suite-seeds", "2", "-p", "no:cacheprovider")
HOLDS, BREAKS = "parameter('weight', at_start=True, low=-1.0, high=1.0)", "parameter('weight', low=1e6)"


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """Import all that training imports: torch cannot be imported twice, and the inner runs forget their imports."""
    case = Case(
        architecture=partial(nn.Linear, 1, 1),
        data=fixed(x=[1.0], target=[5.0]),
        loss=nn.MSELoss(),
        optimizer=partial(SGD, lr=0.1),
        steps=1,
        name="any",
    )
    task = Task(
        collection=Collection(roots=(), cases=(case,), claims=()),
        plan=make_plan([case], seeds=range(1), dtypes=("float32",), modes=("eager",)),
        settings=Settings(),
        engine=Engine.INLINE,
        folder=Path("nowhere"),
    )
    assert judge_expectations(unrecorded(task))


@pytest.fixture
def declare(pytester: pytest.Pytester, case_text: str) -> Declare:
    """Write a case file that expects this."""

    def make(name: str, *expected: str) -> Path:
        text = case_text.replace("Case, fixed", "Case, fixed, parameter, rate, untrained")
        text = text.replace("steps=3,", f"steps=3, expect=[{', '.join(expected)}],")
        path = pytester.path / f"cases/{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


def names(result: pytest.RunResult) -> list[str]:
    """Return the ids of the items that a run listed, as pytest prints them with -v or --collect-only."""
    words = [line.split()[0] for line in result.outlines if "::" in line and not line.startswith(("FAILED", "ERROR"))]
    return list(dict.fromkeys(words))


def test_every_cell_is_an_item(pytester: pytest.Pytester, declare: Declare) -> None:
    """A case is collected as case[device-dtype], one item a cell, in the order of the plan."""
    declare("neuron", HOLDS)
    words = ("--collect-only", "-q", "--suite-device", "cpu", "--suite-seeds", "1")
    found = names(pytester.runpytest_inprocess(*words, "cases"))
    dtypes = ("float64", "float32", "bfloat16", "float16")
    assert found == [f"cases/neuron.py::neuron[cpu-{dtype}]" for dtype in dtypes]
    few = pytester.runpytest_inprocess(*words, "--suite-dtype", "float16,float64", "cases")
    assert names(few) == [found[3], found[0]]


def test_items_pass_and_fail_as_their_cells_do(pytester: pytest.Pytester, declare: Declare) -> None:
    """An item passes if what its case expects holds, and is skipped with the reason if that cannot be told."""
    declare("breaks", BREAKS)
    declare("holds", HOLDS)
    declare("silent", "parameter('weight', low=0.0).among(untrained('weight'))")
    result = pytester.runpytest_inprocess(*FAST, "-rs", "cases")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*no seed among dead*"])


def test_a_failure_is_a_sentence(pytester: pytest.Pytester, declare: Declare) -> None:
    """A broken expectation shows the cell and the verdict's sentence, and no traceback."""
    declare("breaks", BREAKS)
    result = pytester.runpytest_inprocess(*FAST, "cases")
    text = result.stdout.str()
    result.stdout.fnmatch_lines(["*breaks[[]cpu-float32[]] broken: weight of seed 0 is *1e+06 was expected*"])
    assert not any(word in text for word in ("Traceback", "Error", "runtest", "raise"))


def test_seeds_that_do_not_train_are_a_sentence(pytester: pytest.Pytester, declare: Declare) -> None:
    """A cell whose seeds cannot be trained fails with the reason, and no traceback."""
    file = declare("wild", HOLDS)
    wild = "def build():\n    if torch.initial_seed():\n        raise OSError('no more')\n    return nn.Linear(1, 1)\n"
    text = file.read_text(encoding="utf-8").replace("partial(nn.Linear, 1, 1, bias=False)", "build")
    file.write_text(text.replace("CASE =", f"{wild}\nCASE =").replace("from torch ", "import torch\nfrom torch "))
    result = pytester.runpytest_inprocess(*FAST, "cases")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*wild[[]cpu-float32[]] error: 1 of 2 seeds could not be trained: OSError: no more"])
    assert "Traceback" not in result.stdout.str()


def test_what_is_no_verdict_keeps_its_traceback(
    pytester: pytest.Pytester, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of the suite itself is shown as any other test's error is."""
    declare("holds", HOLDS)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("suite.workflow.unrecorded", fail)
    result = pytester.runpytest_inprocess(*FAST, "cases")
    result.stdout.fnmatch_lines(["*def fail*", "*ZeroDivisionError: a defect"])


def test_items_are_chosen_by_name(pytester: pytest.Pytester, declare: Declare) -> None:
    """-k chooses items by case and dtype, -x stops at the first failure, and one id is one cell."""
    for name in ("aaa", "bbb"):
        declare(name, BREAKS)
    words = [word for word in FAST if word not in {"--suite-dtype", "float32"}]
    chosen = pytester.runpytest_inprocess(*words, "-v", "-k", "bbb and float16 and not bfloat16", "cases")
    assert names(chosen) == ["cases/bbb.py::bbb[cpu-float16]"]
    pytester.runpytest_inprocess(*words, "-x", "cases").assert_outcomes(failed=1)
    one = pytester.runpytest_inprocess(*words, "-v", "cases/aaa.py::aaa[cpu-float64]")
    assert names(one) == ["cases/aaa.py::aaa[cpu-float64]"]


def test_seeds_are_those_asked_for(pytester: pytest.Pytester, declare: Declare) -> None:
    """--suite-seeds chooses the seeds, as `suite run --seeds` does: the first so many, or from the first to the end."""
    declare("found", "parameter('weight', at_start=True, low=9.0)")
    result = pytester.runpytest_inprocess(*FAST, "--suite-seeds", "5:8", "cases")
    result.stdout.fnmatch_lines(["*of seed 5 is *(3 of 3 seeds outside)"])


def test_junit_holds_every_item_and_sentence(pytester: pytest.Pytester, declare: Declare) -> None:
    """--junitxml names every cell; the failure of one is its sentence."""
    declare("breaks", BREAKS)
    declare("holds", HOLDS)
    pytester.runpytest_inprocess(*FAST, "--junitxml", "junit.xml", "cases")
    found = {case.get("name"): case.find("failure") for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    assert list(found) == ["breaks[cpu-float32]", "holds[cpu-float32]"]
    assert found["holds[cpu-float32]"] is None
    failure = found["breaks[cpu-float32]"]
    assert failure is not None
    assert "breaks[cpu-float32] broken: weight of seed 0" in str(failure.text)


def test_items_are_shared_among_workers(pytester: pytest.Pytester, declare: Declare) -> None:
    """With -n 2 every item runs once, in one of two processes."""
    declare("breaks", BREAKS)
    declare("holds", HOLDS)
    words = [word if word != "float32" else "float32,float64" for word in FAST]
    result = pytester.runpytest_subprocess(*words, "-n", "2", "-v", "cases")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*breaks[[]cpu-float32[]] broken: *"])


FAULTS = {
    "import no_such_module": ":*: does not import: ModuleNotFoundError: No module named 'no_such_module'",
    "CASE = CASE.located(name='x', file=''), CASE.located(name='x', file='')": ': a case named "x" is declared in *',
    "CASE = dataclasses.replace(CASE, claims=('Z9',))": ': claim "Z9" is not known*',
    "CASE = dataclasses.replace(CASE, expect=[parameter('wieght', low=0.0)])": ': neuron: *"wieght"*"weight"*',
    "CASE = dataclasses.replace(CASE, data=fixed(x=[1.0, 2.0], target=[5.0]))": ": neuron: does not train: *",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_case_file_is_one_line(pytester: pytest.Pytester, declare: Declare, fault: str) -> None:
    """A case file that is not whole is a collection error of one line that names it; other files' items run."""
    declare("holds", HOLDS)
    file = declare("neuron", HOLDS)
    file.write_text(f"import dataclasses\n{file.read_text(encoding='utf-8')}\n{fault}\n", encoding="utf-8")
    result = pytester.runpytest_inprocess(*FAST, "--continue-on-collection-errors", "cases")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([f"cases/neuron.py{FAULTS[fault]}"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--suite-device", "nowhere"), ("--suite-dtype", "float7"), ("--suite-seeds", "7:7"), ("--suite-seeds", "x")],
)
def test_a_wrong_option_is_one_line(pytester: pytest.Pytester, declare: Declare, option: str, value: str) -> None:
    """A device, dtype or range of seeds that is none is an error that names option and value."""
    declare("holds", HOLDS)
    result = pytester.runpytest_inprocess(*FAST, option, value, "cases")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f'{option} "{value}" *'])
    assert "Traceback" not in result.stdout.str()


def test_another_projects_options_are_its_own(pytester: pytest.Pytester, declare: Declare) -> None:
    """A conftest may add options of the usual names, which other projects have, wherever the suite is installed."""
    declare("holds", HOLDS)
    pytester.makeconftest(
        "def pytest_addoption(parser):\n"
        "    for name in ('--device', '--dtype', '--seeds'):\n"
        "        parser.addoption(name, default='its own')\n"
    )
    pytester.makepyfile(
        "def test_options(pytestconfig):\n"
        "    given = [pytestconfig.getoption(name) for name in ('device', 'dtype', 'seeds')]\n"
        "    assert given == ['tpu', 'its own', '7']\n"
    )
    result = pytester.runpytest_subprocess(*FAST, "--device", "tpu", "--seeds", "7", ".", "cases")
    result.assert_outcomes(passed=2)


def test_steps_are_timed_by_pytest_benchmark(
    pytester: pytest.Pytester, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --benchmark-only one training step of each cell is timed, under the cell's name."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # these tests may have one; the run that is made has none
    declare("breaks", BREAKS)
    declare("holds", HOLDS)
    pytester.makepyfile(test_other="def test_other():\n    assert False\n")
    quick = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=2", "--benchmark-warmup=off")
    result = pytester.runpytest_inprocess(*FAST, "--benchmark-only", "--benchmark-json=b.json", *quick, "cases", ".")
    result.assert_outcomes(passed=2, skipped=1)
    timed = json.loads((pytester.path / "b.json").read_text(encoding="utf-8"))["benchmarks"]
    assert [row["name"] for row in timed] == ["breaks[cpu-float32]", "holds[cpu-float32]"]
    assert all(row["stats"]["rounds"] >= 2 and row["stats"]["min"] > 0 for row in timed)


INNOCENT = {
    "plain.py": "raise RuntimeError('imported')\n",
    "names.py": "from suite import Case\nraise RuntimeError('imported')\n",
    "long.py": "from suite import (\n    seed,\n    Case,\n)\nraise RuntimeError('imported')\n",
    "whole.py": "import suite\n\nraise RuntimeError('imported')\nCASE = suite.Case()\n",
    "later.py": "from suite import seed\n\nCase = 1\nraise RuntimeError('imported')\n",
    "noted.py": "from suite import seed  # no Case\n# no suite.Case() either\nraise RuntimeError('imported')\n",
    "told.py": "'''As in: from suite import Case'''\nraise RuntimeError('imported')\n",
}


@pytest.mark.parametrize(
    ("name", "declares"),
    [
        ("names", True),
        ("long", True),
        ("whole", True),
        ("plain", False),
        ("later", False),
        ("noted", False),
        ("told", False),
    ],
)
def test_files_that_declare_no_case_are_left_alone(pytester: pytest.Pytester, name: str, declares: bool) -> None:
    """Only a file that imports Case from the suite is imported; any other Python file is none of our business."""
    (pytester.path / f"{name}.py").write_text(INNOCENT[f"{name}.py"], encoding="utf-8")
    result = pytester.runpytest_inprocess(*FAST)
    assert ("imported" in result.stdout.str()) == declares


MAKE = "from suite import Case, fixed, parameter\n\n\ndef make(rate):\n    return Case({}, name=f'at {{rate}}')\n"
SAME = {
    "star.py": "from suite import *\nCASE = Case({})\n",
    "other.py": "import suite as s\nCASES = [s.Case({})]\n",
    "made.py": "from _make import make\nCASES = [make(0.1), make(0.2)]\n",
}


@pytest.fixture
def broken(pytester: pytest.Pytester) -> list[str]:
    """Write case files that say in all ways but one that they declare cases, each of which breaks; return their ids."""
    body = (
        "architecture=partial(nn.Linear, 1, 1), data={s}fixed(x=[1.0], target=[5.0]), loss=nn.MSELoss(), "
        "optimizer=partial(SGD, lr=0.1), steps=3, expect=[{s}parameter('weight', low=1e6)]"
    )
    head = "from functools import partial\n\nfrom torch import nn\nfrom torch.optim import SGD\n\n"
    for name, text in (*SAME.items(), ("_make.py", MAKE)):
        whole = head + text.format(body.format(s="s." if name == "other.py" else ""))
        path = pytester.path / f"cases/{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole, encoding="utf-8")
    (pytester.path / "test_own.py").write_text("def test_own():\n    pass\n", encoding="utf-8")
    found = ("made.py::at 0.1", "made.py::at 0.2", "other.py::other", "star.py::star")
    return [f"cases/{name}[cpu-float32]" for name in found]


def test_cases_are_known_however_a_file_says_that_it_has_some(pytester: pytest.Pytester, broken: list[str]) -> None:
    """Whatever `suite run --cases` judges, pytest does, too: by a star, by another name, or made by a helper."""
    result = pytester.runpytest_inprocess(*FAST, ".")
    result.assert_outcomes(failed=4, passed=1)
    result.stdout.fnmatch_lines([f"FAILED {name.replace('[', '[[]')} - *" for name in broken])


def test_a_named_file_is_taken_if_it_has_cases(pytester: pytest.Pytester, broken: list[str]) -> None:
    """A file whose cases nothing tells of without importing it is taken where it is named, and only there."""
    helper = (pytester.path / "cases/_make.py").read_text(encoding="utf-8")
    (pytester.mkdir("lib") / "installed_helper.py").write_text(helper, encoding="utf-8")
    text = "import sys\nsys.path.append('lib')\nfrom installed_helper import make\nCASES = [make(0.1)]\n"
    (pytester.path / "far.py").write_text(text, encoding="utf-8")
    (pytester.path / "_hidden.py").write_text(text, encoding="utf-8")
    pytester.runpytest_inprocess(*FAST, "test_own.py", "far.py", "_hidden.py").assert_outcomes(failed=2, passed=1)
    pytester.runpytest_inprocess(*FAST, "--ignore", "cases", "--ignore", "lib", ".").assert_outcomes(passed=1)


STRANGERS = {
    "table.py": "CASES = [(1, 2), (3, 4)]\nraise RuntimeError('imported')\n",
    "called.py": "import enum\nfrom table import rows\nCASES = [enum.auto()]\nraise RuntimeError('imported')\n",
    "typed.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from suite import Case\n"
        "raise RuntimeError('imported')\n"
    ),
    "inner.py": "def late():\n    from suite import Case\nraise RuntimeError('imported')\n",
    "sub.py": "from .suite import Case\nraise RuntimeError('imported')\n",
    "broken.py": "CASES = [made(1)\n",
}


def test_a_strangers_tables_are_left_alone(pytester: pytest.Pytester) -> None:
    """A file that has nothing to do with the suite is not imported because it calls something CASES."""
    for name, text in STRANGERS.items():
        (pytester.path / name).write_text(text, encoding="utf-8")
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    pytester.runpytest_inprocess(*FAST, ".").assert_outcomes(passed=1)


@pytest.mark.parametrize("text", ["CASES = [pytest.param(1)]", "CASES = list(map(int, '1'))", "from suite import seed"])
def test_a_named_file_of_tests_is_run_once(pytester: pytest.Pytester, text: str) -> None:
    """Someone's own tests that lie in a file of another name run as without the suite, whatever they call CASES."""
    once = "import sys\n\nimport pytest\n\nassert not hasattr(sys, 'was_here')\nsys.was_here = True\n"
    tests = "\n\n\ndef test_own():\n    del sys.was_here\n"
    (pytester.path / "checks.py").write_text(once + text + tests, encoding="utf-8")
    pytester.runpytest_inprocess(*FAST, "checks.py").assert_outcomes(passed=1)


def test_a_named_file_without_cases_is_no_fault(pytester: pytest.Pytester) -> None:
    """A file that only might declare cases is not refused for declaring none."""
    pytester.makepyfile(plain="from suite import seed\nothers = list('ab')\n")
    result = pytester.runpytest_inprocess(*FAST, "plain.py")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("name", ["test_case.py", "conftest.py", "_case.py", "case.txt"])
def test_tests_and_hidden_files_are_no_case_files(pytester: pytest.Pytester, declare: Declare, name: str) -> None:
    """A test, a conftest, a file with a leading underscore and one that is no Python declare no case to pytest."""
    declare("holds", HOLDS).rename(pytester.path / "cases" / name)
    result = pytester.runpytest_inprocess(*FAST, "--collect-only", "-q", "cases")
    assert names(result) == []


def test_other_tests_do_not_wait_for_torch(pytester: pytest.Pytester) -> None:
    """A run of pytest that collects no case imports neither torch nor pandas through the plugin."""
    pytester.makepyfile(
        "import sys\n\ndef test_modules(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('suite')\n"
        "    assert not {'torch', 'pandas', 'joblib'} & set(sys.modules)\n"
    )
    pytester.makepyfile(other="x = 1")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_case_of_ones_own_is_collected_beside_its_module(pytester: pytest.Pytester, declare: Declare) -> None:
    """A case file may import its network from the module beside it, as with `suite run --cases`."""
    file = declare("own", "parameter('weight', at_start=True, low=-1.0, high=1.0)")
    (file.parent / "_network.py").write_text(
        "from torch import nn\n\nclass Network(nn.Linear):\n    def __init__(self) -> None:\n"
        "        super().__init__(1, 1, bias=False)\n",
        encoding="utf-8",
    )
    text = file.read_text(encoding="utf-8").replace("partial(nn.Linear, 1, 1, bias=False)", "Network")
    file.write_text(text.replace("from torch import nn", "from _network import Network\nfrom torch import nn"))
    result = pytester.runpytest_inprocess(*FAST, "-v", "cases")
    assert names(result) == ["cases/own.py::own[cpu-float32]"]
    result.assert_outcomes(passed=1)


def test_a_file_that_cannot_be_read_keeps_no_test_from_running(pytester: pytest.Pytester) -> None:
    """It is no test, and whether it is a case is nothing to those that are."""
    (pytester.path / "odd.py").symlink_to("/proc/self/mem")
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
