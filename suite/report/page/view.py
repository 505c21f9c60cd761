"""Runs and their verdicts, gathered case by case as a page shows them. No markup here, and no judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from suite.claims import Claim
from suite.judge import Aspect, Outcome
from suite.report.cases.claims import told
from suite.report.cells import Cell, cells_of, device_labels, worst
from suite.report.judged import JudgedRun
from suite.report.ranking import Group, grouped
from suite.trial import DeclaredCase

HOLDS, DOES_NOT, TOO_FEW, NOT_TRAINED, NOT_ASKED = (
    "holds",
    "does not hold",
    "too few seeds",
    "not trained",
    "not asked",
)
STANDING = {Outcome.PASS: HOLDS, Outcome.BROKEN: DOES_NOT, Outcome.INCONCLUSIVE: TOO_FEW}
"""How a claim stands, by the worst of what shows it."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A claim that a case shows."""

    id: str
    says: str
    """Empty where the run does not know."""
    expected: tuple[str, ...]
    """What is expected for it, in words."""


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """One case, with its cells on every device and in every dtype."""

    case: DeclaredCase
    document: str
    """What its claims are from; its folder's name, if it has none."""
    claims: tuple[Shown, ...]
    cells: tuple[Cell, ...]

    @property
    def outcome(self) -> Outcome:
        """Return the worst that was found of it."""
        return worst([cell.outcome for cell in self.cells])

    @cached_property
    def by_column(self) -> Mapping[tuple[str, str], Cell]:
        """Return the cells by device and dtype."""
        return {(cell.device, cell.dtype): cell for cell in self.cells}


def cases_of(judged: Sequence[JudgedRun]) -> list[CaseView]:
    """Gather runs case by case."""
    claims = {claim.id: claim for side in judged for claim in side.run.manifest.claims}
    by_case: dict[str, list[Cell]] = {}
    for cell in cells_of(judged):
        by_case.setdefault(cell.case.name, []).append(cell)
    return [_case(cells, claims) for cells in by_case.values()]


def _case(cells: Sequence[Cell], claims: Mapping[str, Claim]) -> CaseView:
    case = cells[0].case
    known = [claims[claim] for claim in case.claims if claim in claims]
    return CaseView(
        case=case,
        document=known[0].document if known else case.folder,
        claims=tuple(_shown(case, claim, claims) for claim in case.claims),
        cells=tuple(cells),
    )


def _shown(case: DeclaredCase, claim: str, claims: Mapping[str, Claim]) -> Shown:
    clauses = [clause for clause in case.clauses if clause.shows(claim, case.claims)]
    return Shown(id=claim, says=claims[claim].says if claim in claims else "", expected=tuple(map(told, clauses)))


def columns_of(cases: Sequence[CaseView]) -> list[tuple[str, str]]:
    """Return device and dtype of all cells, in order."""
    return list(dict.fromkeys((cell.device, cell.dtype) for case in cases for cell in case.cells))


def standing(cell: Cell, claim: str) -> str:
    """Say how a claim stands in a cell: by the worst finding of the clauses that show it."""
    expected = [verdict for verdict in cell.verdicts if verdict.aspect is Aspect.EXPECTATION]
    meant = {k for k, clause in enumerate(cell.case.clauses) if clause.shows(claim, cell.case.claims)}
    findings = [f.outcome for verdict in expected for f in verdict.findings if f.clause in meant]
    if any(verdict.outcome is Outcome.ERROR for verdict in expected):
        return NOT_TRAINED
    return STANDING[worst(findings)] if findings else NOT_ASKED


def standing_out(judged: Sequence[JudgedRun]) -> list[Group]:
    """Return the verdicts that are no pass, worst first, their devices called as on the page."""
    labels = device_labels([side.run for side in judged])
    called = [
        replace(verdict, device=names.get(verdict.device, verdict.device))
        for side, names in zip(judged, labels, strict=True)
        for verdict in side.verdicts
    ]
    return [group for group in grouped(list(dict.fromkeys(called))) if group.first.outcome is not Outcome.PASS]
