"""What GitHub's runners take from a command: annotations, a job's summary, and words not to take as commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from secrets import token_hex

from suite.errors import SuiteError
from suite.judge import Outcome
from suite.report.escape import plain
from suite.report.judged import JudgedRun
from suite.report.ranking import Group, fails, grouped
from suite.report.verdicts.markdown import verdict_markdown

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file whose Markdown is shown with the job."""
MOST = 10
"""Annotations of a kind that GitHub shows of one step."""

ERROR, WARNING = "error", "warning"
WARNED = {Outcome.CHANGED, Outcome.INCONCLUSIVE, Outcome.MISSING}

IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
IN_PROPERTIES = {**IN_MESSAGES, ":": "%3A", ",": "%2C"}
"""How workflow commands escape what would end them."""


def summary_file() -> Path:
    """Return the file of the job's summary.

    Raises:
        SuiteError: if the environment names none.
    """
    name = os.environ.get(SUMMARY)
    if not name:
        raise SuiteError(f"--github: ${SUMMARY} is not set; GitHub's runners set it, elsewhere give --report FILE.md")
    return Path(name)


def append_summary(file: Path, judged: JudgedRun) -> None:
    """Add the verdicts to the job's summary.

    Raises:
        SuiteError: if the file cannot be written.
    """
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(verdict_markdown(judged.verdicts, strict=judged.strict))
    except OSError as error:
        raise SuiteError(f"--github: ${SUMMARY} {file}: cannot be written: {error.strerror}") from error


@contextmanager
def silenced(say: Callable[[str], None]) -> Iterator[None]:
    """Make the runner take nothing for a command that is printed meanwhile; ``say`` prints a line.

    A line is a command wherever it begins with two colons, and names of cases may.
    """
    token = token_hex(16)
    say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        say(f"::{token}::")


def annotation_lines(judged: JudgedRun) -> Iterator[str]:
    """Give an error for what fails and a warning for what should be looked at, at most ten of each.

    Verdicts that say the same share one; where there are more than ten, the last says how many.
    """
    groups = grouped(judged.verdicts)
    failing = [group for group in groups if _fails(group, judged)]
    warned = [group for group in groups if group.first.outcome in WARNED and not _fails(group, judged)]
    yield from _limited(ERROR, failing, judged)
    yield from _limited(WARNING, warned, judged)


def _fails(group: Group, judged: JudgedRun) -> bool:
    return fails(group.first, strict=judged.strict)


def _limited(kind: str, groups: Sequence[Group], judged: JudgedRun) -> Iterator[str]:
    shown = len(groups) if len(groups) <= MOST else MOST - 1
    yield from (_annotation(kind, group, judged) for group in islice(groups, shown))
    if shown < len(groups):
        more = sum(len(group.verdicts) for group in groups[shown:])
        yield command(kind, f"{more} more verdicts; all of them are in the job's summary", {"title": "and more"})


def _annotation(kind: str, group: Group, judged: JudgedRun) -> str:
    place = judged.places.get(group.first.case)
    where = {"file": place[0], "line": str(place[1])} if place else {}
    title = f"{group.first.outcome.word}: {group.subject}"
    return command(kind, group.first.sentence, {**where, "title": title})


def command(kind: str, message: str, properties: Mapping[str, str]) -> str:
    """Return a workflow command: one line, whatever stands in its message and properties."""
    told = ",".join(f"{name}={_escaped(value, IN_PROPERTIES)}" for name, value in properties.items())
    return f"::{kind} {told}::{_escaped(message, IN_MESSAGES)}"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(char, char) for char in plain(text))
