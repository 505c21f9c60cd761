"""The commands that lead on from a run's verdicts: to see more of them, or to accept what they found."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.judge import Aspect, Outcome, Verdict

MENDED_BY_ACCEPTING = {Outcome.CHANGED, Outcome.REGRESSED, Outcome.IMPROVED, Outcome.MISSING}
REASON = '"…"'
"""Stands for what the user is to say."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command that may come next."""

    purpose: str
    parts: tuple[str, ...]
    """Its words as a shell takes them, quoted where they need it; an option and its value are one part."""


def after_run(run: Path) -> list[Step]:
    """Return what may follow ``suite run``."""
    return [
        Step(purpose="compare with the baseline", parts=("suite", "compare", _quoted(run))),
        Step(purpose="see all of it as a page", parts=("suite", "report", _quoted(run))),
    ]


def after_compare(
    run: Path, verdicts: Sequence[Verdict], *, baseline: Path | None, acceptable: bool, strict: bool
) -> list[Step]:
    """Return what may follow ``suite compare``.

    ``baseline`` is None where it is the default; it is ``acceptable`` if a run can be accepted into it.
    """
    place = (f"--baseline {_quoted(baseline)}",) if baseline is not None else ()
    options = (*place, *(("--strict",) * strict))
    report = ("suite", "compare", _quoted(run), *options, "--report verdicts.md")
    steps = [
        Step(purpose="see all of it as a page", parts=("suite", "report", _quoted(run))),
        Step(purpose="write it to a file", parts=report),
    ]
    if acceptable and any(map(_mended_by_accepting, verdicts)):
        accept = ("suite", "accept", _quoted(run), *place, f"--reason {REASON}")
        steps.append(Step(purpose="accept it, if it is meant", parts=accept))
    return steps


def _mended_by_accepting(verdict: Verdict) -> bool:
    """Tell whether the verdict is about the baseline, and would be another with this run as the baseline."""
    of_another_case = (verdict.aspect, verdict.outcome) == (Aspect.LOSS, Outcome.INCOMPARABLE)
    of_fewer_clauses = (verdict.aspect, verdict.outcome) == (Aspect.EXPECTATION, Outcome.CHANGED)
    of_baseline = verdict.aspect is not Aspect.EXPECTATION and verdict.outcome in MENDED_BY_ACCEPTING
    return of_another_case or of_fewer_clauses or of_baseline


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
