"""Verdicts as files: Markdown for people, JSON and JUnit XML for programs, figures for a chart of their course."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from suite.errors import SuiteError, raise_all
from suite.judge import Verdict, exit_code
from suite.records.atomic import replace_text
from suite.report.escape import as_json
from suite.report.judged import JudgedRun
from suite.report.verdicts.benchmark import benchmark_json
from suite.report.verdicts.junit import junit_xml
from suite.report.verdicts.markdown import verdict_markdown


def verdict_json(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """Return all verdicts, with their findings, and the exit code as JSON."""
    rows = [
        {**verdict.row(), "findings": [{"verdict": f.outcome.word, "sentence": f.sentence} for f in verdict.findings]}
        for verdict in verdicts
    ]
    return as_json({"exit_code": exit_code(verdicts, strict=strict), "verdicts": rows})


WRITERS: dict[str, Callable[[JudgedRun], str]] = {
    ".md": lambda judged: verdict_markdown(judged.verdicts, strict=judged.strict),
    ".benchmark.json": benchmark_json,
    ".json": lambda judged: verdict_json(judged.verdicts, strict=judged.strict),
    ".xml": junit_xml,
}
"""What a report file holds, by its ending; of two that fit, the first."""


def check_endings(files: Sequence[Path]) -> None:
    """Refuse files whose ending names no form, before anything is judged.

    Raises:
        SuiteError: naming each of them.
    """
    known = ", ".join(WRITERS)
    raise_all(
        f"--report {file}: no form is known by that ending; give one of {known}"
        for file in files
        if _ending(file) is None
    )


def _ending(file: Path) -> str | None:
    return next((ending for ending in WRITERS if file.name.endswith(ending)), None)


def write_report(file: Path, judged: JudgedRun) -> None:
    """Write the verdicts to ``file``, whole or not at all, in the form that its ending names.

    Raises:
        SuiteError: if the ending is not known, or the file cannot be written.
    """
    check_endings([file])
    ending = _ending(file)
    assert ending is not None
    try:
        replace_text(file, WRITERS[ending](judged))
    except SuiteError as error:
        raise SuiteError(*(f"--report {fault}" for fault in error.faults)) from error
