"""What is true of every verb: its help shows an example, and an interruption is no verdict."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import click
import pytest
from click.testing import Result

from suite.cli import main

Invoke = Callable[..., Result]


@pytest.mark.parametrize("name", main.commands)
def test_help_shows_an_example(invoke: Invoke, name: str) -> None:
    """Each verb's help holds an example of a command line that begins with that verb."""
    done = invoke(name, "--help")
    (example,) = (line.partition("Example: ")[2] for line in done.stdout.splitlines() if "Example: " in line)
    words = shlex.split(example)
    assert words[:2] == ["suite", name]
    given = {word for word in words if word.startswith("--")}
    assert given <= {option for parameter in main.commands[name].params for option in parameter.opts}


SUITE = ("-c", "import sys; from suite.cli import main; sys.argv[0] = 'suite'; main()")


def printing(*words: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, its output led as a shell does."""
    python = shlex.join([sys.executable, *SUITE, *words])
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}} | environment
    return subprocess.run(
        ["bash", "-c", f"{python} {shell}"], capture_output=True, text=True, check=False, env=env, encoding="utf-8"
    )


FULL = pytest.param(">/dev/full", "No space left on device", id="full")
CLOSED = pytest.param("| true; exit ${PIPESTATUS[0]}", "Broken pipe", id="closed")


@pytest.mark.parametrize(("shell", "reason"), [FULL, CLOSED])
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("--json",), ("--github",)], ids=" ".join)
def test_an_output_that_takes_nothing_is_told_in_one_line(
    accepted: Path, shell: str, reason: str, unbuffered: str, words: tuple[str, ...]
) -> None:
    """It is no verdict; what was asked for in files stands there, and Python has nothing to add as it ends."""
    Path("before/verdicts.csv").unlink()
    given = {"PYTHONUNBUFFERED": unbuffered, "GITHUB_STEP_SUMMARY": "summary.md"}
    done = printing("compare", "before", "--report", "v.md", *words, shell=shell, **given)
    assert (done.returncode, done.stderr) == (2, f"suite: what is printed cannot be written: {reason}\n")
    assert "verdicts pass" in Path("v.md").read_text(encoding="utf-8")
    assert Path("before/verdicts.csv").read_text(encoding="utf-8").count("\n") > 1
    assert Path("summary.md").exists() == ("--github" in words)


@pytest.mark.parametrize(("shell", "reason"), [FULL, CLOSED])
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("run", "--help"), ("list",)], ids=" ".join)
def test_so_is_it_of_every_verb(cache: Path, shell: str, reason: str, words: tuple[str, ...]) -> None:
    """Help, version and lists are printed, too."""
    done = printing(*words, shell=shell)
    assert (done.returncode, done.stderr) == (2, f"suite: what is printed cannot be written: {reason}\n")


@pytest.mark.parametrize("shell", ["2>/dev/full", ">/dev/full 2>/dev/full", ">&-", ">&- 2>&-"])
def test_what_cannot_be_told_is_not(accepted: Path, shell: str) -> None:
    """Where nobody can be told of a fault, the exit code is what is left."""
    assert printing("compare", "nowhere", shell=shell).returncode == 2


def test_an_output_that_is_not_there_is_none_to_fail(accepted: Path) -> None:
    """A verb whose output was closed before it began ends with its own code."""
    done = printing("table", "before", shell=">&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_shown_by_its_number(accepted: Path, encoding: str) -> None:
    """No letter of a name, and none of the suite's own, ends a verb."""
    Path("before").rename("b\u00e9\u4e2d")
    done = printing(
        "compare", "b\u00e9\u4e2d", "--baseline", "b\u00e9\u4e2d", PYTHONIOENCODING=encoding, shell="| cat -v"
    )
    assert "Traceback" not in done.stderr
    shown = {"ascii": r"b\xe9\u4e2d", "latin-1": r"bM-i\u4e2d", "utf-8": "bM-CM-)M-dM-8M--"}[encoding]
    assert f"suite report '{shown}'" in done.stdout


def test_a_fault_of_a_file_is_not_taken_for_the_outputs(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses of a file is told by the file; what somebody's code makes up keeps its own traceback."""

    def fail(error: OSError) -> None:
        raise error

    monkeypatch.setattr("suite.discover.discover", lambda *_, **__: fail(OSError("made up")))
    with pytest.raises(OSError, match="made up"):
        invoke("run")
    monkeypatch.setattr("suite.discover.discover", lambda *_, **__: fail(FileNotFoundError(2, "No such file", "a\x1b")))
    done = invoke("run")
    assert (done.exit_code, done.stderr) == (2, "suite: a\\x1b: cannot be used: No such file\n")


@pytest.mark.parametrize("size", ["\u00b2", "9" * 5000, "-1", "x", ""])
def test_a_size_that_is_no_number_is_not_believed(
    accepted: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    """A terminal that tells no size that can be read has the usual one."""
    usual = invoke("compare", "before").stdout
    for name in ("COLUMNS", "LINES"):
        monkeypatch.setenv(name, size)
    assert invoke("compare", "before").stdout == usual


def test_help_of_all_shows_an_example_and_every_exit_code(invoke: Invoke) -> None:
    """The help of the whole names each verb, each exit code, and an example."""
    text = invoke("--help").stdout
    assert "Example: suite run" in text
    assert all(f"\n  {name} " in text for name in main.commands)
    assert all(re.search(rf"\n +(\d+, )?{code}[, ]", text) for code in (0, 1, 2, 3, 130, 143))


def test_verbs_are_helped_in_the_order_of_use(invoke: Invoke) -> None:
    """What trains comes first, then what judges and accepts it, then what shows it."""
    listed = re.findall(r"\n  ([a-z]+) ", invoke("--help").stdout.partition("Commands:")[2])
    assert listed[:4] == ["run", "compare", "accept", "list"]
    assert sorted(listed) == sorted(main.commands)


@pytest.mark.parametrize("name", main.commands)
def test_every_option_is_explained(name: str) -> None:
    """No option of any verb is without words."""
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_a_run_is_accepted_into_a_folder_of_baselines(invoke: Invoke) -> None:
    """A run's folder can be compared with, and is no place to accept another into; their helps say so."""
    assert ["run folder" in invoke(verb, "--help").stdout for verb in ("compare", "accept")] == [True, False]


def test_ctrl_c_anywhere_is_no_verdict(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a verb is at when it is interrupted, it exits 130, which no verdict does."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("suite.discover.discover", interrupt)
    for verb in ("list", "run"):
        done = invoke(verb)
        assert (done.exit_code, done.stderr) == (130, "suite: interrupted\n")


def test_what_ignores_ctrl_c_goes_on_ignoring_it(cases: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun in the background, as a script begins it with "&", is not stopped by Ctrl-C in front of it."""
    heard: list[object] = []

    def look(*_: object, **__: object) -> None:
        heard.append(signal.getsignal(signal.SIGINT))
        raise KeyboardInterrupt

    monkeypatch.setattr("suite.discover.discover", look)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        invoke("list")
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIG_IGN]


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("many", [1, 3])
def test_ctrl_c_while_a_command_ends_is_told_in_one_line(cache: Path, many: int, late: bool) -> None:
    """Whether it has come already, or comes when all is done, while Python ends what a library left to it."""
    code = f"""
        import atexit, os, signal, sys

        def press():
            for _ in range({many}):
                signal.raise_signal(signal.SIGINT)

        {"" if late else "atexit.register(press)"}
        from suite.cli import common, main

        def interrupt(*_, **__):
            atexit.register(press)
            press()

        common.collection_of = interrupt
        from suite.cli import showing
        showing.collection_of = interrupt
        tell = common.complain
        common.complain = lambda line: (press(), tell(line))
        sys.argv = ["suite", "list"]
        main()
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "suite: interrupted\n")


STRAGGLER = """
import threading, time
threading.Thread(target=time.sleep, args=({seconds},), name="straggler").start()
"""
LEFT = "suite: straggler: a thread that a case began, and that does not end; it is not waited for\n"


@pytest.mark.parametrize(("seconds", "told"), [(60, LEFT), (1, "")])
def test_a_thread_that_a_case_leaves_behind_keeps_nobody(
    write: Callable[[str, str], Path], case_text: str, monkeypatch: pytest.MonkeyPatch, seconds: int, told: str
) -> None:
    """Python would wait for it; the command ends with its verdicts and its code, and says what was left."""
    folder = write("cases/neuron.py", case_text + STRAGGLER.format(seconds=seconds)).parent
    monkeypatch.chdir(folder.parent)
    done = printing("run", "--cases", "cases", "--seeds", "2", "--device", "cpu", "--dtype", "float64", "--out", "run")
    assert (done.returncode, done.stderr) == (0, told)
    assert "everything judged" in done.stdout
