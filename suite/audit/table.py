"""What the audit found, as a table and a line, or for a program to read."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tabulate import tabulate

from suite.audit.audit import Finding, controls_of, exit_code, faults_of, staged_of
from suite.audit.controls import CONTROLS, UNCHANGED
from suite.audit.fault import Fault
from suite.audit.faults import FAULTS

CLOSING = {0: "the gate can be trusted here", 1: "the gate cannot be trusted here"}


def rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return a row for each finding; what is repeated, once for each time."""
    return [_row(finding) for finding in findings]


def _row(finding: Finding) -> dict[str, str]:
    planted, said = finding.planted, finding.failing or finding.shown
    cells = {(verdict.case, verdict.device, verdict.dtype, verdict.mode) for verdict in finding.verdicts}
    hit = {(verdict.case, verdict.device, verdict.dtype, verdict.mode) for verdict in said}
    return {
        "planted": planted.name,
        "modelled on": planted.modelled_on if isinstance(planted, Fault) else "",
        "outcome": outcome(finding),
        "aspect": " ".join(sorted({str(verdict.aspect) for verdict in said})),
        "verdict": " ".join(sorted({verdict.outcome.word for verdict in said})),
        "stage expected": " or ".join(finding.expected),
        "stage named": str(finding.stage),
        "cells": f"{len(hit)} of {len(cells)}",
    }


def outcome(finding: Finding) -> str:
    """Say in a few words how it came out."""
    if not isinstance(finding.planted, Fault):
        return "not flagged" if finding.as_wanted else "FLAGGED"
    if finding.as_wanted:
        return "caught" if finding.stage_right else "caught, WRONG STAGE"
    missed = "seen, within tolerance" if finding.shown else "missed"
    return f"{missed} (beyond reach)" if finding.planted.beyond_reach else missed.upper()


def summary(findings: Sequence[Finding]) -> str:
    """Count in one line what was caught, named and flagged, and say whether that is enough."""
    within, beyond = (
        f"{sum(finding.as_wanted for finding in faults)} of {len(faults)}"
        for faults in (faults_of(findings), faults_of(findings, within_reach=False))
    )
    staged, controls = staged_of(findings), controls_of(findings)
    return (
        f"{within} faults within reach caught, with the right stage {sum(f.stage_right for f in staged)} of "
        f"{len(staged)}; {beyond} beyond reach caught; {sum(not f.as_wanted for f in controls)} of {len(controls)} "
        f"runs without a fault flagged: {_closing(findings)}"
    )


def _closing(findings: Sequence[Finding]) -> str:
    """Say whether the gate can be trusted, if all was tried of which that depends; else how much was."""
    tried = {finding.planted.name for finding in findings}
    faults, others = (
        f"{len(names & tried)} of {len(names)}"
        for names in ({fault.name for fault in FAULTS}, {control.name for control in (UNCHANGED, *CONTROLS)})
    )
    if exit_code(findings) or len(tried) == len(FAULTS) + 1 + len(CONTROLS):
        return CLOSING[exit_code(findings)]
    return f"nothing amiss, but only {faults} faults and {others} changes that are none were tried"


def as_table(findings: Sequence[Finding]) -> str:
    """Return the table as text."""
    return tabulate(rows(findings), headers="keys", disable_numparse=True)


def json_text(findings: Sequence[Finding]) -> str:
    """Return table, exit code and summary as JSON, with the sentence of every verdict that is no pass."""
    told = [
        {**row, "says": finding.planted.says, "sentences": _sentences(finding)}
        for row, finding in zip(rows(findings), findings, strict=True)
    ]
    return json.dumps({"exit_code": exit_code(findings), "summary": summary(findings), "findings": told}, indent=1)


def _sentences(finding: Finding) -> list[str]:
    return [f"{v.label} {v.mode}, {v.aspect}: {v.sentence}" for v in finding.failing or finding.shown]
