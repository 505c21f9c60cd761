"""Every fault of every case file is found before anything is trained, and said in a line with its remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from suite import discover as room
from suite.case import Case, fixed
from suite.claims import Claim
from suite.discover import Collection, case_files, discover, documented, load, rehearse
from suite.errors import SuiteError
from suite.expect import Expectation, final_loss, follows, measured, parameter, same_as, unchanged, untrained
from tests.cells import CLAIMS

Write = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("in_folder")


def faults(*roots: Path) -> tuple[str, ...]:
    """Return what is wrong with the cases under these folders."""
    with pytest.raises(SuiteError) as caught:
        discover(roots)
    return caught.value.faults


def faults_of_file(write: Write, text: str) -> tuple[str, ...]:
    """Return what is wrong with a folder of one case file."""
    return faults(write("cases/one.py", text).parent)


def test_a_case_is_found_with_its_name_its_file_and_its_claims(write: Write, case_text: str) -> None:
    """The name is that of the file unless the case has one; the claims beside it may be cited."""
    file = write("cases/guide/relu.py", case_text.replace("steps=3", 'steps=3, claims=("G2",)'))
    named = write("cases/guide/other.py", case_text.replace("steps=3", 'steps=3, name="leaky"'))
    write("cases/claims.toml", CLAIMS)
    found = discover([Path("cases")])
    assert [(case.name, case.file) for case in found.cases] == [("leaky", str(named)), ("relu", str(file))]
    assert found.claims == (Claim(id="G2", document="Guide", heading="ReLU", says="Half of the seeds are dead."),)
    assert found.roots == ("cases",)


def test_the_cases_of_several_folders_come_in_their_order(write: Write, case_text: str) -> None:
    """Folders are searched as they are given, each from A to Z."""
    for name in ("b/one.py", "a/three.py", "a/deep/two.py"):
        write(name, case_text)
    assert [case.name for case in discover([Path("b"), Path("a")]).cases] == ["one", "two", "three"]


def test_files_that_are_no_cases_are_left_out(write: Write) -> None:
    """A leading underscore or dot, on a file or a folder, hides it; tests and other files are none either."""
    wanted = [write(f"cases/{name}", "") for name in ("a.py", "b/c.py")]
    for name in ("_a.py", "_b/c.py", ".b/c.py", "test_a.py", "conftest.py", "a.txt"):
        write(f"cases/{name}", "")
    assert case_files(Path("cases").resolve()) == wanted


def test_a_hidden_folder_above_the_root_hides_nothing(write: Write) -> None:
    """Only what lies below the root counts, so that cases may lie anywhere."""
    file = write("_work/.cases/a.py", "")
    assert case_files(file.parent) == [file]


def test_a_file_can_be_named_instead_of_a_folder(write: Write, case_text: str) -> None:
    """A case file is a folder of one, even with a name that would hide it, and finds the claims above it."""
    write("cases/claims.toml", CLAIMS)
    file = write("cases/guide/_draft.py", case_text.replace("steps=3", 'steps=3, claims=("G2",)'))
    assert [case.name for case in discover([file]).cases] == ["_draft"]


def test_several_cases_of_a_file_are_found_once_each(write: Write, case_text: str) -> None:
    """Cases in a list or tuple count, a second name for a case does not, and values of other kinds are passed over."""
    text = case_text.replace("steps=3", 'steps=3, name="one"') + (
        "AGAIN = CASE\nMORE = [Case(**(vars(CASE) | {'name': f'case {i}'})) for i in range(2)]\nPAIR = (CASE, 5)\n"
    )
    assert [case.name for case in load(write("many.py", text))] == ["one", "case 0", "case 1"]


def test_a_folder_that_is_missing_or_empty_is_said(write: Write) -> None:
    """Every missing folder is named; one without case files says what one is."""
    assert faults(Path("no"), Path("none")) == ("no: no such folder of cases", "none: no such folder of cases")
    empty = write("empty/notes.txt", "").parent
    told = "no case files; one is Python that declares CASE = Case(...), as you see with: suite show relu"
    assert faults(empty) == (f"{empty}: {told}",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\ny = (\n", ":2: does not import: SyntaxError: '(' was never closed (one.py, line 2)"),
        (
            "import torch\nimport no_such_module\n",
            ":2: does not import: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("def f():\n    return 1 / 0\n\nf()\n", ":2: does not import: ZeroDivisionError: division by zero"),
        ("import ast\nast.parse('(')\n", ":2: does not import: SyntaxError: '(' was never closed (<unknown>, line 1)"),
        ("import sys\nsys.exit(0)\n", ":2: does not import: SystemExit: 0"),
        ("x = '\0'\n", ": does not import: SyntaxError: source code string cannot contain null bytes"),
        ("x = 1\n", ": declares no Case; name a file that is no case with a leading underscore"),
        (
            "from suite import final_loss\nE = final_loss(near=1.0)\n",
            ":2: does not import: ValueError: give near and atol, or low and/or high",
        ),
    ],
)
def test_a_file_that_does_not_import_is_said_with_its_line(write: Write, text: str, fault: str) -> None:
    """The line is the last one of the case file itself that the error came through."""
    assert faults_of_file(write, text) == (f"cases/one.py{fault}",)


@pytest.mark.parametrize("text", ["1 / 0\n", "from suite import final_loss\nfinal_loss(near=1.0)\n", "x = (\n"])
def test_a_file_that_does_not_import_is_no_module(write: Write, text: str) -> None:
    """As by Python's own import: what goes through all modules finds none of which only a part was run."""
    before = set(sys.modules)
    assert faults_of_file(write, text)
    assert not [name for name in set(sys.modules) - before if name.startswith("suite_case_")]


def test_a_file_that_is_no_python_is_said(write: Write) -> None:
    """A file of another kind that is named as a case is refused by name."""
    assert faults(write("notes.txt", "")) == ("notes.txt: is no Python file",)


def test_all_faults_of_a_declaration_are_said_with_its_file(write: Write) -> None:
    """Each fault of a case that cannot be made is a line that begins with the file."""
    text = "from suite import Case\nCASE = Case(architecture=1, data=list, loss=2, optimizer=list, steps=1)\n"
    assert faults_of_file(write, text) == (
        "cases/one.py: Case: architecture is 1; it must be callable",
        "cases/one.py: Case: loss is 2; it must be callable",
    )


@pytest.mark.parametrize(
    ("claim", "hint"),
    [
        ("G22", '; did you mean "G2"?'),
        ("G9", '; did you mean "G2"?'),
        ("F1b", "; declare it in claims.toml beside the cases"),
    ],
)
def test_a_claim_that_is_not_known_is_said_with_the_nearest(
    write: Write, case_text: str, claim: str, hint: str
) -> None:
    """A claim that is nearly one of those declared is taken for a slip; another must be declared first."""
    write("cases/claims.toml", CLAIMS)
    text = case_text.replace("steps=3", f'steps=3, claims=("{claim}",)')
    assert faults_of_file(write, text) == (f'cases/one.py: claim "{claim}" is not known{hint}',)


def test_two_cases_of_one_name_are_said_with_both_files(write: Write, case_text: str) -> None:
    """The second one is the fault, and it says where the first one is."""
    write("cases/a/one.py", case_text)
    write("cases/b/one.py", case_text)
    assert faults(Path("cases")) == (
        'cases/b/one.py: a case named "one" is declared in cases/a/one.py already; give one a name of its own',
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "nn.MSELoss()",
            "nn.MSELoss(reduction='none')",
            "the loss has shape (1,); a scalar was expected",
        ),
        (
            "nn.MSELoss()",
            "lambda y, t: (y - t).sum().detach()",
            "does not train: RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn",
        ),
        (
            "x=[1.0]",
            "x=[1.0, 1.0]",
            "does not train: RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x2 and 1x1)",
        ),
        (
            "partial(nn.Linear, 1, 1, bias=False)",
            "nn.Identity",
            "the architecture holds no parameters; there is nothing to train",
        ),
        (
            "partial(SGD, lr=0.1, momentum=0.9)",
            "partial(SGD, lr=-1.0)",
            "does not train: ValueError: Invalid learning rate: -1.0",
        ),
        ("partial(nn.Linear, 1, 1, bias=False)", "__import__('sys').exit", "does not train: SystemExit"),
        (
            "steps=3",
            'steps=3, expect=[parameter("wieght", low=0.0)]',
            'an expectation looks at parameter "wieght", which the architecture lacks; did you mean "weight"?',
        ),
        (
            "steps=3",
            'steps=3, expect=[parameter("fc1", low=0.0), parameter("fc1", high=0.0)]',
            'an expectation looks at parameter "fc1", which the architecture lacks; it has weight',
        ),
    ],
)
def test_a_case_that_cannot_be_trained_is_said_before_training(
    write: Write, case_text: str, old: str, new: str, fault: str
) -> None:
    """One step of every case is rehearsed: shapes, loss, optimizer and the parameters that are looked at."""
    text = case_text.replace("import Case, fixed", "import Case, fixed, parameter").replace(old, new)
    assert faults_of_file(write, text) == (f"cases/one.py: one: {fault}",)


def test_all_faults_of_all_files_are_said_at_once(write: Write, case_text: str) -> None:
    """Files that do not import, unknown claims, names given twice and cases that do not train come in one error."""
    write("cases/a.py", "x = (")
    write("cases/b.py", "x = 1")
    write("cases/c.py", case_text.replace("x=[1.0]", "x=[1.0, 1.0]"))
    write("cases/d.py", case_text.replace("steps=3", 'steps=3, claims=("G9",)'))
    write("cases/e.py", case_text.replace("steps=3", 'steps=3, name="d"'))
    found = faults(Path("cases"))
    assert [fault.split(": ")[0] for fault in found] == [
        "cases/a.py:1",
        "cases/b.py",
        "cases/e.py",
        "cases/d.py",
        "cases/c.py",
    ]
    assert all("\n" not in fault for fault in found)


def located(case: Case, **changes: Any) -> Case:
    """Return a case as if it had been found in here.py."""
    return replace(case, name="here", file="here.py", **changes)


def test_expectations_that_share_a_name_must_look_at_the_same(neuron: Case) -> None:
    """Two things under one name would be judged by the values of one of them: each such name is said once."""
    network = located(
        neuron,
        architecture=lambda: nn.Linear(1, 1),
        expect=[
            final_loss(high=1.0).among(untrained("weight")),
            final_loss(high=1.0).among(untrained("bias")),
            measured("size", lambda seen: seen.final["weight"], low=0.0),
            measured("size", lambda seen: seen.final["bias"], low=0.0),
            measured("size", lambda seen: seen.final["bias"], low=0.0),
            follows("weight", lambda start: start["weight"], atol=1.0),
            follows("weight", lambda start: start["bias"], atol=1.0),
        ],
    )
    assert rehearse(network) == [
        f'here.py: here: expectations that look at different things call them all "{name}"; give each a name of its own'
        for name in ("dead", "size", "distance of weight from its closed form")
    ]


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (parameter("weight", low=-3.0, high=3.0), "weight[0,0]"),
        (parameter("weight", at_start=True, low=-3.0, high=3.0), "weight at start[0,1]"),
    ],
)
def test_an_element_of_a_parameter_has_its_name_alone(neuron: Case, expected: Expectation, name: str) -> None:
    """What is measured may not be called as an element of a parameter that is looked at, too."""
    found = [
        rehearse(located(neuron, architecture=partial(nn.Linear, size, 1), data=data, expect=[expected, other]))
        for size in (2, 1)
        for data in [fixed(x=[[1.0] * size], target=[[5.0]])]
        for other in [measured(name, lambda seen: seen.final_loss, low=98.0, high=100.0)]
    ]
    told = f'expectations that look at different things call them all "{name}"; give each a name of its own'
    assert found == [[f"here.py: here: {told}"], []]


def test_expectations_may_look_at_the_same_thing_twice(neuron: Case) -> None:
    """The same group, parameter or twin in several expectations is one observation."""
    twice = [
        parameter("weight", low=0.0).among(untrained("weight")),
        parameter("weight", high=9.0).among(~untrained("weight")).median(),
        same_as(neuron).among(untrained("weight")),
        same_as(neuron, atol=1.0),
        unchanged("weight"),
    ]
    assert rehearse(located(neuron, expect=twice)) == []


def test_a_rehearsal_leaves_no_trace(neuron: Case) -> None:
    """Generators go on as before, warnings are not shown, and data are not changed by a network in place."""
    x = torch.ones(1, 1)

    class _InPlace(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.add_(1.0))

    case = located(neuron, architecture=lambda: _InPlace(1, 1), data=lambda: (x, torch.ones(3)))
    before = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    assert rehearse(case) == []
    after = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    assert after == before
    assert x.item() == 1.0


def test_what_a_file_draws_at_its_import_depends_on_nothing_else(write: Write, case_text: str) -> None:
    """Data that a file draws when it is imported are the same in every process, and leave no trace."""
    text = (
        case_text
        + "\nimport torch\nDRAWN = torch.rand(4)\nCASE = Case(**(vars(CASE) | {'data': lambda: (DRAWN, DRAWN)}))"
    )
    file = write("draws.py", text)
    before = torch.get_rng_state()
    first = load(file)[0].data()[0]
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(load(file)[0].data()[0], first)


def test_a_case_file_is_a_module_while_it_is_imported(write: Write, case_text: str) -> None:
    """What looks its own module up, as a dataclass with annotations as text does, finds it."""
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    rest = "@dataclass\nclass Settings:\n    width: int = 1\n"
    assert len(load(write("one.py", text + case_text.partition("\n")[2] + rest))) == 1


def widths(write: Write, folder: str, case_text: str, width: int) -> int:
    """Write a case whose module beside it says how wide the layer is; load it and return what it found."""
    write(f"{folder}/_width.py", f"from kit.number import {folder}\nWIDTH = {folder}\n")
    write(f"{folder}/kit/__init__.py", "")
    write(f"{folder}/kit/number.py", f"{folder} = {width}\n")
    text = f"from _width import WIDTH\n{case_text.replace('1, 1, bias', '1, WIDTH, bias')}"
    (case,) = load(write(f"{folder}/case.py", text))
    return int(next(case.architecture().parameters()).shape[0])


def test_a_case_may_import_what_lies_beside_it(write: Write, case_text: str) -> None:
    """Each folder has modules and packages of its own, though another's have the same names; no path is left."""
    before = list(sys.path)
    assert (widths(write, "a", case_text, 3), widths(write, "b", case_text, 5)) == (3, 5)
    assert sys.path == before
    assert not {"_width", "kit", "kit.number"} & sys.modules.keys()


def test_what_is_installed_goes_before_what_lies_beside(write: Write, case_text: str) -> None:
    """A case file beside ``json.py`` gets Python's own; a module that it is the first to import stays."""
    sys.modules.pop("this", None)
    write("cases/this.py", "raise ValueError")
    text = case_text + "\nimport contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    import this\n"
    assert len(load(write("cases/case.py", text))) == 1
    assert "this" in sys.modules


def test_a_path_that_is_there_already_stays(write: Write, case_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is on the path is left there, with what was imported from it."""
    file = write("cases/case.py", f"import _kept_beside\n{case_text}")
    write("cases/_kept_beside.py", "")
    monkeypatch.syspath_prepend(file.parent)
    load(file)
    assert sys.path[0] == str(file.parent)
    assert "_kept_beside" in sys.modules
    del sys.modules["_kept_beside"]


def collection(*places: tuple[str, str]) -> Collection:
    """Return a collection of cases with these folders and names."""
    cases = [
        Case(
            architecture=nn.Identity,
            data=fixed(x=[1.0], target=[1.0]),
            loss=nn.MSELoss(),
            optimizer=list,  # type: ignore[arg-type]
            steps=1,
            name=name,
            file=f"/cases/{folder}/{name}.py",
        )
        for folder, name in places
    ]
    return Collection(roots=("/cases",), cases=tuple(cases), claims=())


FOUR = collection(("guide", "relu"), ("guide", "leaky_relu"), ("minimalist", "square"), ("minimalist", "sine"))


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["relu", "leaky_relu", "square", "sine"]),
        (["relu"], ["relu"]),
        (["*relu"], ["relu", "leaky_relu"]),
        (["s*", "relu"], ["relu", "square", "sine"]),
        (["minimalist/*"], ["square", "sine"]),
        (["guide/relu", "relu"], ["relu"]),
        (["s?n[ea]"], ["sine"]),
    ],
)
def test_patterns_select_by_name_or_by_folder_and_name(patterns: list[str], names: list[str]) -> None:
    """A case that matches any pattern is selected once, in the order of discovery; no pattern selects all."""
    assert [case.name for case in FOUR.select(patterns)] == names


@pytest.mark.parametrize("pattern", ["[x]", "odd [y]/[x]"])
def test_a_name_of_any_characters_selects_its_case(neuron: Case, pattern: str) -> None:
    """A name that would be a pattern of others is meant as it stands."""
    cases = tuple(neuron.located(name=name, file=f"odd [y]/{name}.py") for name in ("[x]", "x"))
    odd = Collection(roots=(), cases=cases, claims=())
    assert odd.select([pattern]) == (odd.only(pattern),) == cases[:1]
    assert odd.select([pattern, "?"]) == cases


def test_every_pattern_must_match() -> None:
    """Each pattern without a case is a fault, with the nearest name if there is one."""
    with pytest.raises(SuiteError) as caught:
        FOUR.select(["relu", "Relu", "squared", "guide/s*"])
    assert caught.value.faults == (
        'case "Relu" is not known; did you mean "relu"?; see: suite list',
        'case "squared" is not known; did you mean "square"?; see: suite list',
        'case "guide/s*" is not known; see: suite list',
    )


def test_the_documented_cases_lie_in_the_package_or_else_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package brings its cases along; a checkout has them beside it."""
    monkeypatch.setattr(room, "__file__", str(tmp_path / "suite" / "discover.py"))
    assert documented() == tmp_path / "cases"
    (tmp_path / "suite" / "cases").mkdir(parents=True)
    assert documented() == tmp_path / "suite" / "cases"


def test_one_case_is_meant_by_its_name_or_a_pattern(neuron: Case) -> None:
    """A name means its case, though it reads as a pattern; several matches are named, none is a fault."""
    names = ("relu", "relu*", "bias", "relu_leaky")
    cases = tuple(replace(neuron, name=name, file=f"/cases/guide/{name}.py") for name in names)
    collection = Collection(roots=("cases",), cases=cases, claims=())
    assert collection.only("relu*").name == "relu*"
    assert collection.only("guide/b*").name == "bias"
    with pytest.raises(SuiteError, match=r"several: relu, relu\*, relu_leaky; name one"):
        collection.only("re*")
    with pytest.raises(SuiteError, match='case "leaky" is not known'):
        collection.only("leaky")
