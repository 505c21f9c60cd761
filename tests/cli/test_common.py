"""What is true of every verb: its help shows an example, and an interruption is no verdict."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path

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
