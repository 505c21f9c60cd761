"""What is true of every verb: its help shows an example, and an interruption is no verdict."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

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


def test_help_of_all_shows_an_example_and_every_exit_code(invoke: Invoke) -> None:
    """The help of the whole names each verb, each exit code, and an example."""
    text = invoke("--help").stdout
    assert "Example: suite run" in text
    assert all(f"\n  {name} " in text for name in main.commands)
    assert all(f" {code} " in text for code in (0, 1, 2, 3))


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


@pytest.mark.parametrize("many", [1, 3])
def test_ctrl_c_while_a_command_ends_is_told_in_one_line(many: int) -> None:
    """Whether it has come already, or comes when all is done."""
    code = f"""
        import atexit, os, signal, sys

        def press():
            for _ in range({many}):
                signal.raise_signal(signal.SIGINT)

        atexit.register(press)
        from suite.cli import common, main

        def interrupt(*_, **__):
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
