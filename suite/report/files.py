"""Verdicts as files: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from suite.errors import SuiteError, raise_all
from suite.judge import Outcome, Verdict, exit_code
from suite.report.escape import markdown
from suite.report.terminal import CLOSING, SHOWN_FIRST


def verdict_json(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """Return all verdicts, with their findings, and the exit code as JSON."""
    rows = [
        {**verdict.row(), "findings": [{"verdict": f.outcome.word, "sentence": f.sentence} for f in verdict.findings]}
        for verdict in verdicts
    ]
    return json.dumps({"exit_code": exit_code(verdicts, strict=strict), "verdicts": rows}, indent=1)


def verdict_markdown(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """Return the verdicts that are no pass as a Markdown table, worst first, under the closing sentence."""
    listed = [v for outcome in SHOWN_FIRST for v in verdicts if v.outcome is outcome]
    rows = [[v.outcome.word, v.aspect, markdown(v.label), v.stage, markdown(v.sentence)] for v in listed]
    head = f"**{CLOSING[exit_code(verdicts, strict=strict)]}**: {_passed(verdicts)} of {len(verdicts)} verdicts pass."
    if not rows:
        return head + "\n"
    names = ["verdict", "aspect", "cell", "stage", "sentence"]
    return head + "\n\n" + tabulate(rows, names, tablefmt="github", disable_numparse=True) + "\n"


def _passed(verdicts: Sequence[Verdict]) -> int:
    return sum(verdict.outcome is Outcome.PASS for verdict in verdicts)


WRITERS = {".md": verdict_markdown, ".json": verdict_json}
"""What a report file holds, by its ending."""


def check_endings(files: Sequence[Path]) -> None:
    """Refuse files whose ending names no form, before anything is judged.

    Raises:
        SuiteError: naming each of them.
    """
    known = ", ".join(WRITERS)
    raise_all(
        f"--report {file}: no form is known by that ending; give one of {known}"
        for file in files
        if file.suffix not in WRITERS
    )


def write_report(file: Path, verdicts: Sequence[Verdict], *, strict: bool = False) -> None:
    """Write the verdicts to ``file``, in the form that its ending names.

    Raises:
        SuiteError: if the ending is not known, or the file cannot be written.
    """
    check_endings([file])
    try:
        file.write_text(WRITERS[file.suffix](verdicts, strict=strict), encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"--report {file}: cannot be written: {error.strerror}") from error
