"""A chunk that travels arrives as what it was, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from suite import errand as errand_module
from suite.discover import discover, documented, load
from suite.errand import Chunk, Errand, train_here
from suite.errors import SuiteError
from suite.machine import Settings
from suite.plan import Plan, make_plan
from suite.trial import Status

Write = Callable[[str, str], Path]


@pytest.fixture
def plan(write: Write, case_text: str) -> Plan:
    """Plan a case in two dtypes."""
    return make_plan(
        load(write("three.py", case_text)), seeds=range(6), dtypes=("float32", "float16"), modes=("eager",)
    )


def test_a_cell_is_found_again_in_another_process(plan: Plan) -> None:
    """A chunk that travels by file and name arrives as the cell that it was, with the seeds of the chunk."""
    for planned in plan.cells:
        cell = replace(planned, probed=(0, 5), pictured=(0, 4))
        there = Errand.of(Chunk(cell=cell, seeds=(4, 5))).cell()
        assert replace(there, case=cell.case) == replace(cell, seeds=(4, 5), probed=(5,), pictured=(4,))
        assert (there.case.name, there.case.file, there.case.steps) == (
            cell.case.name,
            cell.case.file,
            cell.case.steps,
        )


def sent(file: Path) -> Errand:
    """Return the errand of training a file's case as it is now."""
    (cell,) = make_plan(load(file), dtypes=("float32",), modes=("eager",)).cells
    return Errand.of(Chunk(cell=cell, seeds=(0,)))


def test_a_case_that_was_edited_is_loaded_again(write: Write, case_text: str) -> None:
    """A process that outlives a case's text trains what the file says by then; what it said before is refused."""
    file = write("mine/edited.py", case_text.replace("nn.Linear, 1, 1, bias=False", "lambda: nn.Linear(1, 1)"))
    before = sent(file)
    assert before.cell().case.architecture().bias is not None
    write("mine/edited.py", case_text.replace("nn.Linear, 1, 1, bias=False", "lambda: nn.Linear(1, 1, bias=False)"))
    after = sent(file)
    assert after.cell().case.architecture().bias is None
    told = f"edited has version {after.version}, where version {before.version} is to be trained"
    with pytest.raises(SuiteError, match=rf"mine/edited\.py: {told}$"):
        before.cell()


def test_a_case_that_is_not_here_is_told(write: Write, case_text: str) -> None:
    """A file that is missing where the chunk arrives is named; so is one that declares no case of that name."""
    file = write("mine/gone.py", case_text)
    errand = sent(file)
    with pytest.raises(SuiteError, match=r"gone\.py: other has version none, where version"):
        replace(errand, name="other").cell()
    errand_module._cases.cache_clear()
    file.unlink()
    with pytest.raises(SuiteError, match=r"gone\.py: does not import: FileNotFoundError"):
        errand.cell()


def test_a_documented_case_travels_to_wherever_they_lie(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine the documented cases may lie elsewhere; a case is found again by its place among them."""
    (case,) = discover([documented() / "guide" / "relu.py"]).cases
    errand = Errand.of(Chunk(cell=make_plan([case], dtypes=("float32",), modes=("eager",)).cells[0], seeds=(0,)))
    moved = write("there/guide/relu.py", Path(case.file).read_text(encoding="utf-8"))
    monkeypatch.setattr(errand_module, "documented", lambda: moved.parent.parent)
    assert (errand.file, errand.cell().case.file) == ("guide/relu.py", str(moved))


def test_a_followed_reference_stays_one(plan: Plan) -> None:
    """How many steps it is trained for travels with it."""
    cell = replace(plan.cells[0], short=True, followed=True)
    assert Errand.of(Chunk(cell=cell, seeds=(0,))).cell().steps == cell.steps


@pytest.mark.parametrize("mode", ["eager", "ensemble"])
def test_what_cannot_be_told_apart_is_an_error_of_its_cell(write: Write, case_text: str, mode: str) -> None:
    """Two numbers under one name, which only training shows, end neither the run nor another cell."""
    looks = {"w": "seen.final['weight']", "w[0,0]": "seen.final_loss"}
    expect = ", ".join(f"measured('{name}', lambda seen: {look}, low=0)" for name, look in looks.items())
    text = case_text.replace("import Case", "import Case, measured").replace("steps=3,", f"steps=3, expect=[{expect}],")
    (case,) = load(write("wide.py", text.replace("1, 1, bias", "2, 1, bias").replace("x=[1.0]", "x=[[1.0, 2.0]]")))
    (cell,) = make_plan([case], seeds=range(2), dtypes=("float32",), modes=(mode,)).cells
    told = 'expectations that look at different things call them all "w[0,0]"; give each a name of its own'
    trials = train_here(Chunk(cell=cell, seeds=(0, 1)), Settings())
    assert [(trial.seed, trial.status, trial.reason, trial.observations) for trial in trials] == [
        (seed, Status.ERROR, told, ()) for seed in (0, 1)
    ]
