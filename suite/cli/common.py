"""What all verbs share: their options, how they fail, and how they find the cases."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from suite.cli.ending import code_of, end_deaf, end_soon, stoppable
from suite.errors import SuiteError, raise_all
from suite.signals import ENDING, heard_by

if TYPE_CHECKING:
    from suite.discover import Collection

COULD_NOT_RUN = 2
BASELINES = Path("results/baselines")
KEPT = Path("results/runs")
"""Where runs are kept."""

CASES = click.option(
    "--cases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of case files, or one file; may be given again. Default: the documented cases.",
)


def baseline_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that names the folder of baselines."""
    kind = click.Path(path_type=Path)
    return click.option("--baseline", type=kind, default=BASELINES, show_default=True, help=text)


BASELINE = baseline_option("Folder of baselines, or a run folder to compare with.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
STRICT = click.option(
    "--strict",
    is_flag=True,
    help="Fail on other bits within tolerance, too, on losses that improved, and on expectations gone or wider; a cell "
    "of the baseline that was not run is code 3.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of one operation."
)
RUN = click.argument("run", type=click.Path(path_type=Path))
RUNS = click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))


def verb(function: Callable[..., int]) -> Callable[..., None]:
    """Exit with the code that the verb returns; a fault is one line on stderr and exit code 2.

    Ctrl-C is 130, and SIGTERM, which ends a verb in the same way, 143.
    """

    @wraps(function)
    def exit_with_code(*args: Any, **options: Any) -> None:
        code = _done(function, *args, **options)
        end_soon(code, complain)
        sys.exit(code)

    return exit_with_code


def _done(function: Callable[..., int], *args: Any, **options: Any) -> int:
    """Do what a verb does, and return the code to exit with."""
    try:
        with stoppable():
            code = function(*args, **options)
            _flush()
            return code
    except SuiteError as error:
        for fault in error.faults:
            complain(fault)
        return COULD_NOT_RUN
    except OSError as error:
        if error.filename is None:  # of no file
            raise
        complain(f"{error.filename}: cannot be used: {error.strerror}")
        return COULD_NOT_RUN
    except KeyboardInterrupt as stop:
        with heard_by(lambda *_: None, *ENDING):  # which has been heard
            complain("interrupted")
        return code_of(stop)
    finally:
        end_deaf()


def complain(line: str, file: IO[Any] | None = None) -> None:
    """Say what is wrong in one line on stderr."""
    from suite.report.escape import plain

    click.echo(f"suite: {plain(line)}", file=file, err=True)


@contextmanager
def _printing() -> Iterator[None]:
    """Print whatever there is to the output that there is; one that takes nothing is told in one line, and is code 2.

    What the output's encoding lacks stands there by its number.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[0-9]{1,4}", os.environ.get(name, "1")):
            del os.environ[name]  # rich would fail at what is no plain number
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:  # of a file, or made up by somebody's code
            raise
        with suppress(OSError):
            complain(f"what is printed cannot be written: {error.strerror or error}")
        _drop_unwritten()
        sys.exit(COULD_NOT_RUN)


def _flush() -> None:
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()


def _drop_unwritten() -> None:
    """Let Python, which writes what is left as it ends, not complain once more of an output that takes nothing."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):  # as of a stream that is no file
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


ORDER = ("run", "compare", "accept", "list", "show", "report", "table", "history", "versus", "audit")
"""The verbs in the order of use."""


class WrongWordsError(click.ClickException):
    """Words on the command line that no verb understands."""

    exit_code = COULD_NOT_RUN

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it as every other fault is told."""
        complain(self.message, file)


class Verbs(click.Group):
    """The commands, in the order of use; what they cannot read of the command line is told in one line, too."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Name the verbs in the order of use."""
        return sorted(self.commands, key=ORDER.index)

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        """Read the words before the verb."""
        with _printing(), _in_one_line():
            return super().make_context(*given, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the verb and the words after it, and do it."""
        with _printing(), _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "suite"
        message = " ".join(error.format_message().split()).rstrip(".")
        raise WrongWordsError(f"{message}; see: {command} --help") from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="suite")
def main() -> None:
    """Tell whether small PyTorch networks still converge as their documents say.

    \b
    Exit codes:
      0  nothing regressed; what could not be compared is counted
      1  something regressed, an expectation is broken, or seeds could not be
         trained; with --strict, other bits within tolerance, too
      2  it could not run
      3  something could not be judged: no baseline, a changed case, an
         interrupted run, too few seeds, a group into which no seed falls
      130, 143  stopped, by Ctrl-C or by SIGTERM

    \b
    Example: suite run relu, and then suite compare results/runs/NAME
    """


def collection_of(cases: Sequence[Path], *, rehearsed: bool = True) -> Collection:
    """Find the cases that were asked for, or the documented ones; ``rehearsed`` False leaves them untried."""
    from suite.discover import discover

    return discover(roots_of(cases), rehearsed=rehearsed)


def check_named(**folders: Path) -> None:
    """Refuse a folder that an option names and that is not there; one that nobody named may come later.

    Raises:
        SuiteError: naming each, by its option.
    """
    context = click.get_current_context()
    raise_all(
        f"--{option} {folder}: no such folder"
        for option, folder in folders.items()
        if context.get_parameter_source(option) is not ParameterSource.DEFAULT and not folder.is_dir()
    )


def roots_of(cases: Sequence[Path]) -> list[Path]:
    """Return the folders of cases that were asked for, or that of the documented ones."""
    from suite.discover import documented

    return list(cases) or [documented()]
