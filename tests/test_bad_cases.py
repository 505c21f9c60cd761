"""A case that misbehaves while it is trained is named with the reason, and no other suffers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from suite.records import read_run
from suite.trial import RunRecord, Status

Invoke = Callable[..., Result]
Write = Callable[[str, str], Path]
Hurt = Callable[..., set[str]]

CASE = """
import os, signal, sys, time
from dataclasses import replace
from functools import partial
import torch
from torch import nn
from torch.optim import SGD
from suite import Case, fixed, parameter

class Neuron(nn.Linear):
    def __init__(self):
        super().__init__(1, 1, bias=False)
        self.calls = 0
    def forward(self, x):
        self.calls += 1
        {forward}
        return super().forward(x)

class Stop(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        return 1 / 0

given = []
def data():
    given.append(0)
    return torch.tensor([[1.0 {noise}]]), torch.tensor([[5.0]])

CASE = Case(
    architecture={architecture}, data=data, loss=nn.MSELoss(), optimizer=partial(SGD, lr=0.1), steps=40,
    expect=[parameter("weight", near=5.0, atol=0.01)],
)
"""

GOOD = CASE.format(forward="pass", noise="", architecture="Neuron")

LATE = "self.calls > 10"
"""After the rehearsal, which goes through one step."""

SOON_TIRED = "(lambda built=[]: built.append(0) or (Neuron() if len(built) < 3 else 1 / 0))"
"""An architecture that cannot be built a third time."""

TRAINED = ("--cases", "cases", "--device", "cpu", "--dtype", "float64,float32", "--seeds", "3", "--out", "run")


@pytest.fixture
def bad(write: Write) -> Callable[..., None]:
    """Write a case that misbehaves as it is told to, between two that do not."""

    def put(forward: str = "pass", noise: str = "", architecture: str = "Neuron") -> None:
        write("cases/before.py", GOOD)
        write("cases/middle.py", CASE.format(forward=forward, noise=noise, architecture=architecture))
        write("cases/past.py", GOOD)

    return put


def reasons(run: RunRecord, case: str) -> set[str]:
    """Return why trials of a case failed; nothing for one that was trained."""
    rows = run.trials[run.trials["case"] == case]
    assert len(rows), case
    assert {*rows["status"]} <= {str(Status.OK), str(Status.ERROR)}
    return {*rows["reason"].astype(str)}


def others_are_whole(run: RunRecord) -> None:
    """Hold that every other case was trained, and nothing is missing."""
    assert run.manifest.complete
    assert reasons(run, "before") == reasons(run, "past") == {""}
    ours, theirs = (run.trials[run.trials["case"] == case]["final_loss"].tolist() for case in ("before", "past"))
    assert ours == theirs


@pytest.fixture
def hurt(invoke: Invoke) -> Hurt:
    """Run all cases; hold that what fails does so in its own cells and is told without a traceback; return why."""

    def run(*options: str, mode: str = "eager") -> set[str]:
        done = invoke("run", *TRAINED, "--mode", mode, *options)
        record = read_run(Path("run"))
        others_are_whole(record)
        assert done.exit_code == 1
        assert "error" in done.output
        assert "Traceback" not in done.output
        return reasons(record, "middle")

    return run


@pytest.mark.parametrize(
    ("forward", "reason", "options"),
    [
        (f"if {LATE}: raise LookupError('tired')", "LookupError: tired", ()),
        (f"if {LATE}: return torch.ones(2, 3)", "RuntimeError: ", ()),
        (f"if {LATE}: return None", "AttributeError: ", ()),
        (f"if {LATE}: raise SystemExit(5)", "SystemExit: 5", ()),
        (f"if {LATE}: raise SystemExit(5)", "SystemExit: 5", ("--engine", "processes")),
        (f"if {LATE}: raise SystemExit(5)", "SystemExit: 5", ("--cell-timeout", "60")),
        (f"if {LATE}: raise Stop('no more')", "Stop: no more", ()),
        (f"if {LATE}: raise Mute", "Mute", ()),
        (f"if {LATE}: torch.set_grad_enabled(False)", "RuntimeError: ", ()),
    ],
    ids=[
        "raises",
        "other shape",
        "nothing",
        "exits",
        "exits in a process",
        "exits within limits",
        "raises what is no Exception",
        "raises what cannot be told",
        "forbids gradients",
    ],
)
def test_what_goes_wrong_on_the_way_hurts_its_own_case(
    bad: Callable[..., None], hurt: Hurt, forward: str, reason: str, options: tuple[str, ...]
) -> None:
    """Whatever is raised in the middle of a training is the reason of that trial."""
    bad(forward=forward)
    (found,) = hurt(*options)
    assert found.startswith(reason)


def test_a_case_that_kills_its_process_is_lost_alone(bad: Callable[..., None], hurt: Hurt) -> None:
    """In worker processes, what dies takes nothing with it."""
    bad(forward=f"if {LATE}: os.kill(os.getpid(), signal.SIGSEGV)")
    found = hurt("--engine", "processes", "--cell-timeout", "60", mode="ensemble,eager")
    assert "its process ended: SIGSEGV" in found


@pytest.mark.parametrize("moment", ["True", LATE], ids=["at once", "later"])
def test_a_case_that_never_ends_is_stopped(bad: Callable[..., None], hurt: Hurt, moment: str) -> None:
    """With a limit, even what hangs at its first step costs no more than that."""
    bad(forward=f"time.sleep(600 * ({moment}))")
    assert hurt("--cell-timeout", "12") == {"took more than 12 s, the limit of --cell-timeout"}


def test_a_case_that_wants_all_memory_gets_what_it_may_have(bad: Callable[..., None], hurt: Hurt) -> None:
    """What cannot be had is the reason, and the next case has as much again."""
    bad(forward="torch.ones(2**31)")
    (found,) = hurt("--cell-memory", "1GiB")
    assert "allocate" in found


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"forward": "raise LookupError('never')"}, "does not train: LookupError: never"),
        ({"architecture": "nn.ReLU"}, "the architecture holds no parameters"),
        ({"forward": "os._exit(9)"}, "its process ended: exit code 9"),
    ],
    ids=["raises", "holds no parameters", "dies"],
)
def test_with_limits_a_case_is_tried_where_it_does_no_harm(
    bad: Callable[..., None], hurt: Hurt, given: dict[str, str], reason: str
) -> None:
    """What would be refused before a run is an error of that case alone."""
    bad(**given)
    (found,) = hurt("--cell-timeout", "60")
    assert reason in found


@pytest.mark.parametrize("options", [(), ("--cell-timeout", "60")], ids=["without limits", "within limits"])
def test_what_fails_after_its_rehearsal_fails_in_its_own_trials(
    bad: Callable[..., None], hurt: Hurt, options: tuple[str, ...]
) -> None:
    """Also where it is only looked at, to be drawn: that is no reason to train nothing."""
    bad(architecture=SOON_TIRED)
    assert hurt(*options) == {"ZeroDivisionError: division by zero"}


@pytest.mark.parametrize("options", [(), ("--cell-timeout", "60")], ids=["without limits", "within limits"])
def test_a_seed_that_cannot_be_drawn_takes_no_other_with_it(
    bad: Callable[..., None], hurt: Hurt, options: tuple[str, ...]
) -> None:
    """An architecture that refuses some numbers fails for those seeds alone."""
    bad(architecture="choosy")
    append("def choosy():\n    return Neuron() if torch.initial_seed() != 1 else 1 / 0\n")
    assert hurt(*options) == {"", "ZeroDivisionError: division by zero"}


def append(text: str) -> None:
    """Write this at the end of the file of the case that misbehaves, before the case is made."""
    file = Path("cases/middle.py")
    file.write_text(file.read_text(encoding="utf-8").replace("CASE =", f"{text}CASE ="), encoding="utf-8")


UNSETTLING = {
    "torch makes another dtype": "torch.set_default_dtype(torch.float64)",
    "torch makes tensors elsewhere": "torch.set_default_device('meta')",
    "another folder is the present one": "os.chdir('/')",
    "nothing is printed any more": "sys.stdout = None",
    "the output is closed": "sys.stdout.close()",
    "much is printed": "print('::error::much')",
}


@pytest.mark.parametrize("options", [(), ("--engine", "processes"), ("--cell-timeout", "60")], ids=" ".join)
@pytest.mark.parametrize("at", ["imported", "trained"])
@pytest.mark.parametrize("what", UNSETTLING)
def test_what_a_case_makes_of_what_is_global_is_its_own(
    bad: Callable[..., None], invoke: Invoke, what: str, at: str, options: tuple[str, ...]
) -> None:
    """No other case, no verdict and no folder is another because of it."""
    bad(forward=f"if self.calls == 40: {UNSETTLING[what]}" if at == "trained" else "pass")
    if at == "imported":
        append(f"{UNSETTLING[what]}\n")
    done = invoke("run", *TRAINED, "--mode", "eager", "--json", *options)
    assert json.loads(done.stdout)["exit_code"] == done.exit_code == 0
    record = read_run(Path("run"))
    others_are_whole(record)
    middle, before = (record.trials[record.trials["case"] == case] for case in ("middle", "before"))
    assert list(middle["final_loss"]) == list(before["final_loss"])


def test_a_file_that_wants_all_memory_is_an_error_of_its_own(bad: Callable[..., None], hurt: Hurt) -> None:
    """Also where it does so as it is imported."""
    bad()
    append("TABLE = bytearray(2**29)\n")
    (found,) = hurt("--cell-memory", "400MB")
    assert "does not import: MemoryError" in found


def test_a_network_that_draws_from_the_global_generator_disturbs_nobody(
    bad: Callable[..., None], invoke: Invoke
) -> None:
    """Nor does it depend on anybody: each of its seeds draws the same, whatever else is trained."""
    bad(forward="x = x + 0.01 * torch.rand_like(x)")
    invoke("run", *TRAINED, "--mode", "eager")
    run = read_run(Path("run"))
    others_are_whole(run)
    invoke("run", *TRAINED[:-1], "alone", "--mode", "eager", "middle")
    alone = read_run(Path("alone")).trials
    assert run.trials[run.trials["case"] == "middle"]["final_loss"].tolist() == alone["final_loss"].tolist()


def test_a_network_that_keeps_state_is_a_new_one_for_each_seed(bad: Callable[..., None], invoke: Invoke) -> None:
    """What it counted in one trial is forgotten in the next."""
    bad(forward="x = x * (1.0 + 0.001 * self.calls)")
    invoke("run", *TRAINED, "--mode", "eager")
    run = read_run(Path("run"))
    others_are_whole(run)
    invoke("run", *TRAINED[:-3], "2:3", "--out", "one", "--mode", "eager", "middle")
    one = read_run(Path("one")).trials["final_loss"].tolist()
    rows = run.trials[(run.trials["case"] == "middle") & (run.trials["seed"] == 2)]
    assert rows["final_loss"].tolist() == one


def test_data_that_change_at_each_call_are_found_out(bad: Callable[..., None], invoke: Invoke) -> None:
    """A case whose data differ from one call to the next could not be compared with itself, and is refused by name."""
    bad(noise="+ len(given)")
    done = invoke("run", *TRAINED, "--mode", "eager")
    assert done.exit_code == 2
    assert "cases/middle.py: middle: gives other data at its second call" in done.stderr


@pytest.mark.parametrize("size", ["much", "-1", "1 mile", ""])
def test_a_size_that_is_none_is_refused(bad: Callable[..., None], invoke: Invoke, size: str) -> None:
    """In one line, before anything is trained."""
    bad()
    done = invoke("run", *TRAINED, "--cell-memory", size)
    assert done.exit_code == 2
    assert done.stderr == f'suite: --cell-memory "{size}" is no size; give one as 500MB or 2GiB\n'


def test_limits_hold_processes_of_this_machine(bad: Callable[..., None], invoke: Invoke) -> None:
    """A cluster's workers are not this command's to stop."""
    bad()
    done = invoke("run", *TRAINED, "--cell-timeout", "5", "--engine", "dask://localhost:1")
    assert done.exit_code == 2
    assert "leave --engine out" in done.stderr
