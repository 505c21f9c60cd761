"""Verdicts as lines for a terminal: what failed first, then what could not be judged, then the count, and what next."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from suite.judge import Outcome, Verdict
from suite.report.escape import COMMAND, plain, without_commands
from suite.report.ranking import SHOWN_FIRST, Group, closing, counted, fails, grouped
from suite.report.verdicts.onward import Step

WIDTH = 80
"""Columns, where there is no terminal to ask."""
NARROWEST = 20
"""Columns below which nothing could be read; a terminal that tells fewer is not believed."""
WORD = max(len(outcome.word) for outcome in SHOWN_FIRST) + 2
"""Columns that hold the verdict."""
INDENT = 2

BAD, UNKNOWN, GOOD, QUIET = "bold red", "yellow", "green", "dim"
STYLES = {Outcome.IMPROVED: GOOD, Outcome.CHANGED: UNKNOWN}


class Output(Console):
    """A console that fails at a pipe that nobody reads as at any other output; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Leave it to the caller to tell."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def terminal() -> Console:
    """Return the standard output: with colours on a terminal only, and none at all where ``NO_COLOR`` is set."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    console = Output(color_system=colours, highlight=False, markup=False, emoji=False)
    console.width = max(NARROWEST, console.width)
    return console


def show(verdicts: Sequence[Verdict], console: Console, *, strict: bool = False, steps: Sequence[Step] = ()) -> None:
    """Print the verdicts, and the commands that may come next."""
    for line in verdict_lines(verdicts, strict=strict, width=console.width):
        console.print(line, soft_wrap=True)
    for line in step_lines(steps, width=console.width):
        console.print(line, soft_wrap=True)


def verdict_lines(verdicts: Sequence[Verdict], *, strict: bool = False, width: int = WIDTH) -> Iterator[Text]:
    """Give lines for each verdict that is no pass, worst first, and then the count and what it comes to.

    No line is longer than ``width`` columns, which are at least 20.
    """
    for group in grouped([verdict for verdict in verdicts if verdict.outcome is not Outcome.PASS]):
        yield from _told(group, width, strict=strict)
    yield from folded(f"{counted(verdicts)}: {closing(verdicts, strict=strict)}", width)


def _told(group: Group, width: int, *, strict: bool) -> Iterator[Text]:
    """Give the verdict, beside it what it is about, and under that its sentence."""
    word = group.first.outcome.word
    beside = folded(plain(group.subject), width - WORD, style="bold")
    below = folded(plain(group.first.sentence), width - WORD - INDENT)
    yield Text.assemble((word, _style(group.first, strict=strict)), " " * (WORD - len(word)), next(beside))
    yield from (Text.assemble(" " * WORD, line) for line in beside)
    yield from (Text.assemble(" " * (WORD + INDENT), line) for line in below)


def _style(verdict: Verdict, *, strict: bool) -> str:
    if fails(verdict, strict=strict):
        return BAD
    return STYLES.get(verdict.outcome, UNKNOWN if verdict.code else QUIET)


def folded(text: str, width: int, *, style: str = "") -> Iterator[Text]:
    """Break text into lines of at most ``width`` columns: between words, and within a word that is longer.

    Where columns are few, a short word is broken, too; a line that would begin a command to a runner then begins none.
    """
    lines = _broken(text, width, style)
    if any(line.plain.lstrip().startswith(COMMAND) for line in lines):
        lines = _broken(without_commands(text), width, style)
    yield from lines


def _broken(text: str, width: int, style: str) -> list[Text]:
    lines = list(Text(text, style=style).wrap(Console(width=width), width, overflow="fold"))
    for line in lines:
        line.rstrip()
    return lines


def step_lines(steps: Sequence[Step], *, width: int = WIDTH) -> Iterator[Text]:
    """Give the commands that may come next, each after its purpose, or below it where both are too long for a line."""
    for step in steps:
        command = plain(" ".join(step.parts))
        if cell_len(f"{step.purpose}: {command}") <= width:
            yield Text.assemble((f"{step.purpose}: ", QUIET), command)
        else:
            yield from folded(f"{step.purpose}:", width, style=QUIET)
            yield from map(Text, _continued([plain(part) for part in step.parts], width))


def _continued(parts: Sequence[str], width: int) -> Iterator[str]:
    """Break a command between its parts, as a shell reads it; a longer part stays whole, or it could not be copied."""
    line = " " * INDENT + parts[0]
    for part in parts[1:]:
        if cell_len(f"{line} {part} \\") > width:
            yield f"{line} \\"
            line = " " * 2 * INDENT + part
        else:
            line += f" {part}"
    yield line
