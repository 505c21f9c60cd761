"""One of the two environments: its worker process, asked and answered line by line."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from suite.errors import SuiteError

WORKER = ("-m", "suite.versus.worker")
PACKAGE = Path(__file__).parent.parent
GRACE_SECONDS = 5.0
"""How long a worker that is told to end may take to do so."""
MOST_SHOWN = 80
"""Characters shown of an answer that is none."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A Python, and what to set and to say when it is started."""

    name: str
    """What the command line calls it."""
    variables: Mapping[str, str]
    command: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return its name and how it is started."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items()]
        return f"{self.name} ({' '.join([*settings, shlex.join(self.command)])})"


def parse_environment(name: str, text: str) -> Environment:
    """Read a command line, as "ATEN_CPU_CAPABILITY=default python3 -X dev".

    Raises:
        SuiteError: if its quotes do not match, or it names no command.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SuiteError(f"{name} {text!r}: cannot be read: {error}") from error
    settings: dict[str, str] = {}
    while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
        variable, _, settings[variable] = words.pop(0).partition("=")
    if not words:
        raise SuiteError(f"{name} {text!r}: names no Python; give its command, as python3")
    return Environment(name=name, variables=settings, command=tuple(words))


@dataclass(frozen=True)
class Side:
    """An environment with its worker process."""

    environment: Environment
    process: subprocess.Popen[str]
    messages: IO[str]
    """What the worker prints, its stderr and all that is meant for stdout."""

    def ask(self, **request: Any) -> Any:
        """Send a request and wait for its answer.

        Raises:
            SuiteError: naming the environment, if the worker ended, answered no such thing, or found a fault.
        """
        self.send(**request)
        return self.receive()

    def send(self, **request: Any) -> None:
        """Send a request; whether anybody took it, :meth:`receive` tells."""
        assert self.process.stdin
        with suppress(BrokenPipeError):
            print(json.dumps(request), file=self.process.stdin, flush=True)

    def receive(self) -> Any:
        """Wait for the answer to the last request, and return it.

        Raises:
            SuiteError: naming the environment, if the worker ended, answered no such thing, or found a fault.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise self.fault(self._end())
        with suppress(ValueError, RecursionError):
            found = json.loads(line)
            if isinstance(found, dict) and found.keys() == {"answer"}:
                return found["answer"]
            if isinstance(found, dict) and found.keys() == {"fault"}:
                raise self.fault(str(found["fault"]))
        raise self.fault(f"answered {line[:MOST_SHOWN]!r}, which is no worker's answer; {self._last_words()}")

    def fault(self, what: str) -> SuiteError:
        """Return what is wrong with this side, as one line."""
        return SuiteError(f"{self.environment.label}: {what}")

    def _end(self) -> str:
        code = self.process.wait()
        return f"ended with {code}; {self._last_words()}"

    def _last_words(self) -> str:
        self.messages.seek(0)
        lines = [line.strip() for line in self.messages if line.strip()]
        return f"its last words: {lines[-1]}" if lines else "it said nothing"

    def end(self) -> None:
        """Let the worker end, or else end it."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


Sides = tuple[Side, Side]
"""The baseline's, and the other."""


@contextmanager
def seated(environments: tuple[Environment, Environment]) -> Iterator[Sides]:
    """Start a fresh worker of each environment, and end both.

    Raises:
        SuiteError: naming an environment whose command cannot be started.
    """
    with ExitStack() as stack:
        room = stack.enter_context(TemporaryDirectory(prefix="suite-versus-"))
        # The package alone, not what is installed beside it: the other environment has a torch of its own.
        Path(room, PACKAGE.name).symlink_to(PACKAGE, target_is_directory=True)
        ours, theirs = (stack.enter_context(_started(environment, room)) for environment in environments)
        yield ours, theirs


@contextmanager
def _started(environment: Environment, room: str) -> Iterator[Side]:
    variables = {**os.environ, **environment.variables}
    paths = [room, *filter(None, [variables.get("PYTHONPATH")])]
    surroundings = {**variables, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        try:
            process = subprocess.Popen(
                [*environment.command, *WORKER],
                env=surroundings,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise SuiteError(f"{environment.label}: cannot be started: {error.strerror}") from error
        side = Side(environment, process, messages)
        try:
            yield side
        finally:
            side.end()
