"""Every fault planted, every control, and the unchanged run again and again: what the gate says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain

from suite.audit.controls import CONTROLS, UNCHANGED
from suite.audit.fault import Control, Fault
from suite.audit.faults import FAULTS
from suite.audit.train import (
    DEVICE,
    SEEDS,
    Attempt,
    Remains,
    audit_plan,
    record,
    timed_errands,
    timed_plan,
    train_elsewhere,
    train_with,
)
from suite.discover import Collection
from suite.errors import raise_all
from suite.judge import Aspect, Outcome, Stage, Verdict, judge
from suite.trial import RunRecord

REPEATS = 4
"""How often the unchanged run is repeated; once more with the clock."""
STAGES_RIGHT = 0.9
"""Least share of the faults that are caught, and have a stage, whose stage must be named."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the gate said of one attempt."""

    planted: Fault | Control
    verdicts: tuple[Verdict, ...]

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """Return the verdicts that make a run fail."""
        return tuple(verdict for verdict in self.verdicts if verdict.code == 1)

    @property
    def shown(self) -> tuple[Verdict, ...]:
        """Return the verdicts that say that something is otherwise, and do not fail."""
        return tuple(v for v in self.verdicts if v.outcome in {Outcome.CHANGED, Outcome.IMPROVED})

    @property
    def stage(self) -> Stage:
        """Return the stage that most verdicts name: of those that fail, else of those that are shown, else of all."""
        for verdicts in (self.failing, self.shown, self.verdicts):
            named = Counter(verdict.stage for verdict in verdicts if verdict.stage is not Stage.NONE)
            if named:
                return named.most_common(1)[0][0]
        return Stage.NONE

    @property
    def as_wanted(self) -> bool:
        """Tell whether the gate said what it should: of a fault that it is one, of a control that it is none."""
        if isinstance(self.planted, Fault):
            return any(self._says_so(verdict, self.planted) for verdict in self.failing)
        if self.planted.exact and self.shown:
            return False
        return not self.failing and any(self.planted.told in verdict.sentence for verdict in self.verdicts)

    @staticmethod
    def _says_so(verdict: Verdict, fault: Fault) -> bool:
        """Tell whether a verdict catches a fault: one that keeps seeds from being trained would be no test."""
        return verdict.outcome is not Outcome.ERROR or fault.aspect is Aspect.EXPECTATION

    @property
    def expected(self) -> tuple[Stage, ...]:
        """Return the stages of which one must be named; none for a control or a fault of time."""
        return self.planted.stages if isinstance(self.planted, Fault) else ()

    @property
    def stage_right(self) -> bool:
        """Tell whether the stage that is named is one at which the fault may first show."""
        return not self.expected or self.stage in self.expected


def faults_of(findings: Sequence[Finding], *, within_reach: bool = True) -> list[Finding]:
    """Return the findings about faults that must be caught, or about the others."""
    return [f for f in findings if isinstance(f.planted, Fault) and (not f.planted.beyond_reach) == within_reach]


def staged_of(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings about faults that were caught and have a stage."""
    return [finding for finding in faults_of(findings) if finding.as_wanted and finding.expected]


def controls_of(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings about what must not be flagged."""
    return [finding for finding in findings if isinstance(finding.planted, Control)]


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 if the gate can be trusted: all within reach caught, stages named, nothing flagged; else 1."""
    as_wanted = all(finding.as_wanted for finding in (*faults_of(findings), *controls_of(findings)))
    staged = staged_of(findings)
    return 0 if as_wanted and sum(f.stage_right for f in staged) >= STAGES_RIGHT * len(staged) else 1


def choose(patterns: Sequence[str]) -> list[Fault | Control]:
    """Return the faults and controls that match any shell pattern; all for none.

    Raises:
        SuiteError: naming each pattern that matches nothing.
    """
    known: list[Fault | Control] = [*FAULTS, UNCHANGED, *CONTROLS]
    unmatched = [p for p in patterns if not any(fnmatchcase(planted.name, p) for planted in known)]
    raise_all(f'"{p}" is no fault or control; "suite audit" without a name takes all' for p in unmatched)
    return [planted for planted in known if not patterns or any(fnmatchcase(planted.name, p) for p in patterns)]


def audit(
    collection: Collection,
    chosen: Sequence[Fault | Control],
    *,
    seeds: range = SEEDS,
    repeats: int = REPEATS,
    watch: Callable[[Finding], None] = lambda _finding: None,
) -> list[Finding]:
    """Plant what was chosen, one after the other, and judge each against the unchanged run, in the order chosen.

    The unchanged run is repeated, each time in another order. ``watch`` sees each finding as it comes.
    """
    clocked = [planted for planted in chosen if planted is UNCHANGED or _aspect(planted) is Aspect.TIME]
    others = [planted for planted in chosen if _aspect(planted) is not Aspect.TIME]
    attempts = [
        Attempt(planted=planted, order=order)
        for planted in others
        for order in (range(1, repeats + 1) if planted is UNCHANGED else (0,))
    ]
    findings = []
    for finding in chain(side_by_side(collection, attempts, seeds), alone(collection, clocked)):
        watch(finding)
        findings.append(finding)
    return sorted(findings, key=lambda finding: chosen.index(finding.planted))


def _aspect(planted: Fault | Control) -> Aspect:
    return planted.aspect if isinstance(planted, Fault) else Aspect.LOSS


def side_by_side(collection: Collection, attempts: Sequence[Attempt], seeds: range) -> Iterator[Finding]:
    """Judge attempts on all cores, without a look at the clock."""
    plan, first, baseline = audit_plan(collection, seeds), Attempt(planted=UNCHANGED, probing=True), None
    waiting: list[tuple[Attempt, Remains]] = []
    for attempt, left in train_elsewhere([first, *attempts] if attempts else [], plan):
        if attempt is first:
            baseline = record(collection, plan, left)
        else:
            waiting.append((attempt, left))
        while baseline is not None and waiting:
            attempted, remains = waiting.pop(0)
            yield found(attempted.planted, record(collection, plan, remains), baseline)


def alone(collection: Collection, chosen: Sequence[Fault | Control]) -> Iterator[Finding]:
    """Judge what is a matter of time, one after the other, in this process."""
    if not chosen:
        return
    plan = timed_plan(collection)
    errands = timed_errands(plan)
    baseline = record(collection, plan, train_with(UNCHANGED.name, errands, timed=True))
    for planted in chosen:
        left = train_with(planted.name, errands, timed=True)
        yield found(planted, record(collection, plan, left), baseline)


def found(planted: Fault | Control, run: RunRecord, baseline: RunRecord) -> Finding:
    """Judge a run with something planted against the unchanged one."""
    return Finding(planted=planted, verdicts=tuple(judge(run, {DEVICE: baseline})))
