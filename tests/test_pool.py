"""A call that fails in whatever way costs itself alone; the others are answered."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from pickle import PicklingError

import pytest
import torch
from psutil import STATUS_ZOMBIE, Process, pid_exists

from suite.limits import Limits
from suite.pool import Lost, cores, each
from suite.worker import Worker
from tests.mortal import until

HUGE = 4 * 2**30
FEW = 10
LARGE = 2**25

ROOT = Path(__file__).parent.parent

TAKEN: list[object] = []
"""What a worker took."""

ComingUp = Callable[[Callable[[int], object]], list[int]]
"""What the fixture of that name gives."""


def doubled(number: int) -> int:
    """Answer."""
    return 2 * number


def killed(code: int) -> None:
    """End the process without a word."""
    os.kill(os.getpid(), code)


def gone(code: int) -> None:
    """End the process with a code."""
    os._exit(code)


def killed_once(place: Path) -> str:
    """End the process, unless that was done before."""
    if place.exists():
        return "alive"
    place.touch()
    os._exit(3)


def without_server(place: Path) -> str:
    """Kill what the process was forked from, unless that was done before."""
    if place.exists():
        return "alive"
    place.touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return "of no use"


def large_but_killed(mark: Path) -> bytes:
    """Answer with more than a line holds, and be killed while that is sent, unless that was done before."""
    if not mark.exists():
        mark.touch()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return bytes(LARGE)


class OddError(Exception):
    """Cannot be built again from what it was built with."""

    def __init__(self, one: str, other: str) -> None:
        """Take two words."""
        super().__init__(f"{one} and {other}")


def odd(kind: str) -> None:
    """Raise what cannot be sent, or cannot be read where it was sent to."""
    error = OddError("this", "that")
    if kind == "unsendable":
        error.args = (lambda: None,)
    raise error


def with_a_daemon() -> int | None:
    """Begin a process that is to end with this one, and leave it."""
    child = multiprocessing.get_context("fork").Process(target=asleep, args=(600.0,), daemon=True)
    child.start()
    return child.pid


def environment() -> tuple[bool, bool]:
    """Tell whether a process of one's own would come up as ever."""
    return "PYTHONSAFEPATH" in os.environ, os.fork.__module__ == "suite.forking"


def asleep(seconds: float) -> str:
    """Take so long."""
    time.sleep(seconds)
    return "awake"


def greedy(size: int) -> int:
    """Hold so many bytes."""
    try:
        return len(bytes(bytearray(size)))
    except MemoryError:
        return -1


def interrupted() -> str:
    """Be sent what Ctrl-C sends."""
    os.kill(os.getpid(), signal.SIGINT)
    return "still there"


def blocked() -> set[int]:
    """Tell which signals wait."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def imported_by_a_step() -> list[str]:
    """Tell what a step of training imports."""
    before = set(sys.modules)
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    return sorted(set(sys.modules) - before)


def gone_but_for_a_child(place: Path) -> None:
    """End the process, after it has begun another; leave that one's number."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
    (place / str(child)).touch()
    os._exit(7)


def helped(number: int) -> int:
    """Let a process of its own answer."""
    with multiprocessing.get_context("spawn").Pool(1) as helpers:
        return helpers.apply(doubled, (number,))


def locking(seconds: float) -> None:
    """Take one of the system's semaphores, for so long at least as this process lives."""
    TAKEN.append(multiprocessing.get_context("spawn").Lock())
    time.sleep(seconds)


def unsendable() -> object:
    """Return what cannot leave the process."""
    return lambda: None


def failing() -> None:
    """Raise."""
    raise LookupError("as it does")


def test_calls_are_answered_by_place() -> None:
    """Each answer comes with its call's place, in any order."""
    assert dict(each([(doubled, (number,)) for number in range(7)], workers=2)) == {k: 2 * k for k in range(7)}
    assert list(each([], workers=2)) == []


def test_a_worker_has_all_that_trains() -> None:
    """No more than a few of torch's hundreds of modules are left for each of them, which would take it a second."""
    ((_, left),) = each([(imported_by_a_step, ())], workers=1)
    assert len(left) < FEW


@pytest.mark.parametrize("workers", [1, 2])
def test_a_call_that_kills_its_process_is_lost_alone(workers: int) -> None:
    """It is named with the signal, or the code; those before, beside and after it are answered."""
    calls = [(doubled, (1,)), (killed, (signal.SIGKILL,)), (doubled, (2,)), (gone, (7,)), (doubled, (3,))]
    assert dict(each(calls, workers=workers)) == {
        0: 2,
        1: Lost("its process ended: SIGKILL"),
        2: 4,
        3: Lost("its process ended: exit code 7"),
        4: 6,
    }


@pytest.fixture
def coming_up(monkeypatch: pytest.MonkeyPatch) -> ComingUp:
    """Do something to each worker as soon as it has a number, or in its stead; give the numbers."""

    def hurt(how: Callable[[int], object]) -> list[int]:
        begun: list[int] = []
        start = BaseProcess.start

        def started(worker: BaseProcess) -> None:
            start(worker)
            assert worker.pid is not None
            begun.append(worker.pid)
            how(worker.pid)

        monkeypatch.setattr(BaseProcess, "start", started)
        return begun

    return hurt


def test_an_interruption_while_workers_come_up_leaves_none(coming_up: ComingUp) -> None:
    """Ctrl-C in the midst of it is heard once that worker is known; and then each of them is stopped."""
    begun = coming_up(lambda _: signal.raise_signal(signal.SIGINT) if len(begun) == 2 else None)
    with pytest.raises(KeyboardInterrupt):
        list(each([(asleep, (60.0,))] * 2, workers=2))
    assert len(begun) == 2
    assert not any(map(pid_exists, begun))


@pytest.mark.parametrize("kills", [1, 99])
def test_a_process_that_is_killed_before_it_begins(coming_up: ComingUp, kills: int) -> None:
    """Another makes its call. Where that happens again and again, each says so."""
    begun = coming_up(lambda worker: os.kill(worker, signal.SIGKILL) if len(begun) <= kills else None)
    lost = Lost("its process ended: SIGKILL")
    assert dict(each([(doubled, (4,)), (doubled, (5,))], workers=1)) == (
        {0: 8, 1: 10} if kills == 1 else {0: lost, 1: lost}
    )


@pytest.mark.parametrize("granted", [0, 1])
def test_where_no_process_comes_up(coming_up: ComingUp, granted: int) -> None:
    """Those that did make all the calls; where there is none, each call is lost with the system's reason."""

    def refuse(_: int) -> None:
        if len(begun) > granted:
            raise BlockingIOError("no more of them")

    begun = coming_up(refuse)
    lost = Lost("no process came up: BlockingIOError: no more of them")
    assert dict(each([(doubled, (1,)), (doubled, (2,)), (doubled, (3,))], workers=2)) == (
        {0: 2, 1: 4, 2: 6} if granted else {0: lost, 1: lost, 2: lost}
    )


def test_ctrl_c_is_heard_while_a_worker_comes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes seconds to import all that trains; whoever waits for it can be told to stop.

    What has begun is not torn by that: the server is nobody's alone.
    """
    wait, up = threading.Event(), threading.Event()

    def hang(_: BaseProcess) -> None:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        if wait.wait(60.0):
            up.set()

    monkeypatch.setattr(BaseProcess, "start", hang)
    with pytest.raises(KeyboardInterrupt):
        list(each([(doubled, (1,))], workers=1))
    assert not up.is_set()
    wait.set()
    assert up.wait(10.0)


def test_ctrl_c_is_heard_while_workers_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves the answers, and is told to stop meanwhile, hears that; and the workers are stopped."""
    stop = Worker.stop

    def interrupted_stop(worker: Worker) -> None:
        signal.raise_signal(signal.SIGINT)
        stop(worker)

    answers = each([(os.getpid, ()), (asleep, (600.0,))], workers=2)
    _, worker = next(answers)
    monkeypatch.setattr(Worker, "stop", interrupted_stop)
    with pytest.raises(KeyboardInterrupt):
        answers.close()
    assert not pid_exists(worker)


def test_ctrl_c_is_not_for_workers(coming_up: ComingUp, capfd: pytest.CaptureFixture[str]) -> None:
    """A terminal sends it to every process of a command, also to one that has only just come up."""
    coming_up(lambda worker: os.kill(worker, signal.SIGINT))
    assert dict(each([(doubled, (4,)), (interrupted, ())], workers=2)) == {0: 8, 1: "still there"}
    assert capfd.readouterr().err == ""


def commanded(code: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    """Let another process go through the answers of :func:`each`, as code says."""
    lines = ["import os, time", "from tests.test_pool import *", "if __name__ == '__main__':", f"    {code}"]
    words = [sys.executable, "-P", "-c", "\n".join(lines)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_is_kept_from_workers_from_the_first() -> None:
    """They come up with it blocked, also in a process that has begun nothing else before."""
    with commanded("print(*each([(blocked, ())], workers=1))") as process:
        assert process.communicate(timeout=60) == (f"(0, {{{signal.SIGINT!r}}})\n", "")


def test_nothing_is_imported_from_where_a_command_is_given(tmp_path: Path) -> None:
    """A file there that is called as one of Python's own is not taken for it; and workers go on as if nothing were."""
    for name in ("queue", "random", "signal"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('taken')\n")
    with commanded("print(*each([(environment, ())], workers=1))", cwd=tmp_path) as process:
        assert process.communicate(timeout=60) == ("(0, (False, False))\n", "")


def test_a_server_that_is_refused_a_process_ends_quietly() -> None:
    """What its workers were at is done by those of the next."""
    prepare = "from suite.worker import PRELOADED; PRELOADED.append('tests.refusing')"
    with commanded(f"{prepare}; print(sorted(each([(asleep, (3.0,)), (doubled, (2,))], workers=2)))") as process:
        assert process.communicate(timeout=120) == ("[(0, 'awake'), (1, 4)]\n", "")


def test_workers_end_with_whoever_began_them() -> None:
    """Killed without a chance to stop them, it leaves none at work."""
    calls = "[(os.getpid, ()), (asleep, (600.0,))]"
    with commanded(f"for _, worker in each({calls}, workers=1): print(worker, flush=True)") as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert pid_exists(worker)
        process.kill()
    deadline = time.monotonic() + 30
    while pid_exists(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not pid_exists(worker)


@pytest.mark.parametrize(
    "ending", ["list(answers)", "next(answers); time.sleep(1.0); answers.close()"], ids=["idle", "at work"]
)
def test_workers_leave_nothing_in_the_system(ending: str) -> None:
    """One that has nothing to do gives back what it took, and so does one that is stopped at its work."""
    last = 600.0 if "close" in ending else 0.0
    with commanded(f"answers = each([(locking, (0.0,)), (locking, ({last},))], workers=1); {ending}") as process:
        assert process.communicate(timeout=60) == ("", "")


def test_a_process_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    """What it began itself may go on, with all that it held open."""
    assert dict(each([(gone_but_for_a_child, (tmp_path,))], workers=1)) == {0: Lost("its process ended: exit code 7")}
    children = [int(file.name) for file in tmp_path.iterdir()]
    assert len(children) == 2  # the call was made twice
    assert all(map(pid_exists, children))
    for child in children:
        os.kill(child, signal.SIGKILL)


def test_a_process_that_was_killed_once_is_no_fault_of_its_call(tmp_path: Path) -> None:
    """Whoever was killed from elsewhere is tried again."""
    assert dict(each([(killed_once, (tmp_path / "mark",)), (doubled, (1,))], workers=2)) == {0: "alive", 1: 2}


def test_a_process_that_is_killed_while_it_answers_is_no_fault_of_its_call(tmp_path: Path) -> None:
    """Half an answer is none, and the call is made again."""
    answers = each([(doubled, (1,)), (large_but_killed, (tmp_path / "mark",))], workers=2)
    found = [next(answers)]
    time.sleep(2.0)  # as whoever records it does, while the other waits to be heard
    assert dict([*found, *answers]) == {0: 2, 1: bytes(LARGE)}


def test_a_server_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    """With it goes all that is known of the workers that came from it; their calls are made again."""
    assert dict(each([(without_server, (tmp_path / "mark",)), (doubled, (1,))], workers=2)) == {0: "alive", 1: 2}


@pytest.mark.parametrize("refusals", [2, 10**6], ids=["a while", "for ever"])
def test_a_server_that_is_about_to_end_is_waited_for(monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
    """A killed one refuses what comes before the system has cleared it away; one that refuses for ever is told."""
    connect, refused = forkserver.connect_to_new_process, count(1)

    def refuse(handles: list[int]) -> object:
        if next(refused) <= refusals:
            raise ConnectionRefusedError("about to end")
        return connect(handles)

    monkeypatch.setattr(forkserver, "connect_to_new_process", refuse)
    answer = 6 if refusals == 2 else Lost("no process came up: ConnectionRefusedError: about to end")
    assert dict(each([(doubled, (3,))], workers=1)) == {0: answer}


def test_a_call_that_outstays_its_time_is_lost_alone() -> None:
    """One that never ends is stopped; the others have all the time that they need."""
    calls = [(asleep, (600.0,)), (asleep, (0.0,)), (doubled, (4,))]
    reason = "took more than 0.5 s, the limit of --cell-timeout"
    assert dict(each(calls, workers=2, limits=Limits(seconds=0.5))) == {0: Lost(reason), 1: "awake", 2: 8}


def test_a_time_of_years_is_none_that_is_waited_for_at_once() -> None:
    """The system would refuse to wait so long."""
    assert dict(each([(doubled, (1,))], workers=1, limits=Limits(seconds=1e9))) == {0: 2}


def test_a_call_gets_no_more_memory_than_it_may_have() -> None:
    """Beyond the limit there is none; the next call in the same process has as much again."""
    calls = [(greedy, (size,)) for size in (2**20, HUGE, 2**20)]
    assert dict(each(calls, workers=1, limits=Limits(memory=2**28))) == {0: 2**20, 1: -1, 2: 2**20}


def test_what_a_call_raises_is_raised() -> None:
    """An exception is an answer of another kind, and no process died of it."""
    with pytest.raises(LookupError, match="as it does") as raised:
        list(each([(failing, ())], workers=1))
    assert "in failing" in raised.value.__notes__[0]  # where, which only that process knows


def test_what_cannot_be_sent_back_is_raised() -> None:
    """It is not a process that died."""
    with pytest.raises((AttributeError, PicklingError), match="lambda"):
        list(each([(unsendable, ())], workers=1))


def test_a_call_may_have_processes_of_its_own() -> None:
    """As a loader of data has."""
    assert dict(each([(helped, (4,))], workers=1)) == {0: 8}


@pytest.mark.parametrize("kind", ["unsendable", "unreadable"])
def test_an_error_that_cannot_arrive_is_told_by_another(kind: str) -> None:
    """It says which it was, and where."""
    with pytest.raises(RuntimeError, match=r"^OddError") as raised:
        list(each([(odd, (kind,))], workers=1))
    assert "in odd" in "".join(raised.value.__notes__)


def test_a_process_that_is_to_end_with_a_worker_does() -> None:
    """Nobody else would end it."""
    ((_, child),) = each([(with_a_daemon, ())], workers=1)
    until(lambda: not pid_exists(child) or Process(child).status() == STATUS_ZOMBIE)


def test_there_are_as_many_workers_as_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have more cores than it lets a command use."""
    assert cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()


def test_nobody_is_left_behind() -> None:
    """A caller that goes away leaves no process at work."""
    answers = each([(os.getpid, ()), (asleep, (600.0,))], workers=2)
    _, worker = next(answers)
    answers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
