"""The order in which verdicts are told, and how those that say the same are told together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from suite.judge import Outcome, Stage, Verdict, exit_code
from suite.judge.verdict import ALL

SHOWN_FIRST = (
    Outcome.ERROR,
    Outcome.BROKEN,
    Outcome.REGRESSED,
    Outcome.MISSING,
    Outcome.INCONCLUSIVE,
    Outcome.INCOMPARABLE,
    Outcome.CHANGED,
    Outcome.IMPROVED,
    Outcome.SKIPPED,
)
"""Worst first; where little is shown, ``pass`` is counted, not listed."""

CLOSING = {
    0: "everything judged, nothing regressed",
    1: "something regressed, is broken, or could not be trained",
    3: "nothing regressed, but something could not be judged",
}
UNJUDGED = {Outcome.INCOMPARABLE: "could not be compared", Outcome.SKIPPED: "skipped"}
"""What fails nothing, and was not judged either: times of another machine, a device that is not here."""
NOTHING = "nothing was judged"
"""What no verdicts come to."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Verdicts that say the same of one cell, or of several."""

    verdicts: tuple[Verdict, ...]

    @property
    def first(self) -> Verdict:
        """Return the verdict that speaks for all."""
        return self.verdicts[0]

    @property
    def cells(self) -> str:
        """Name the first cell, count the others, and say how they were trained.

        As "relu[cpu-float32] (eager)", or "relu[cpu-float32] and 2 more cells".
        """
        modes, more = {verdict.mode for verdict in self.verdicts}, len(self.verdicts) - 1
        others = f" and {more} more cell{'s' * (more > 1)}" if more else ""
        way = f" ({self.first.mode})" if len(modes) == 1 and self.first.case != ALL else ""
        return about(self.first) + others + way

    @property
    def at_stage(self) -> str:
        """Return ", at stage update"; nothing, where no stage was found."""
        return f", at stage {self.first.stage}" if self.first.stage is not Stage.NONE else ""

    @property
    def subject(self) -> str:
        """Say what was judged: "loss of relu[cpu-float32] (eager), at stage update"."""
        return f"{self.first.aspect} of {self.cells}{self.at_stage}"


def about(verdict: Verdict) -> str:
    """Name the cell: "relu[cpu-float32]"; or all those of a device."""
    return f"all cells on {verdict.device}" if verdict.case == ALL else verdict.label


def rank(outcome: Outcome) -> int:
    """Return how soon an outcome is told: 0 for the worst; what passes comes last."""
    return SHOWN_FIRST.index(outcome) if outcome in SHOWN_FIRST else len(SHOWN_FIRST)


def grouped(verdicts: Sequence[Verdict]) -> list[Group]:
    """Put verdicts together that say the same of other cells, the worst first."""
    found: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda verdict: rank(verdict.outcome)):
        key = verdict.outcome.word, verdict.aspect, verdict.stage, verdict.sentence
        found.setdefault(key, []).append(verdict)
    return [Group(verdicts=tuple(group)) for group in found.values()]


def fails(verdict: Verdict, *, strict: bool) -> bool:
    """Tell whether the verdict makes the exit code 1."""
    return exit_code([verdict], strict=strict) == 1


def counted(verdicts: Sequence[Verdict]) -> str:
    """Count the outcomes that occurred: "521 pass, 1 skipped"."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    told = (f"{counts[outcome]} {outcome.word}" for outcome in (Outcome.PASS, *SHOWN_FIRST) if counts[outcome])
    return ", ".join(told) or "no verdicts"


def closing(verdicts: Sequence[Verdict], *, strict: bool) -> str:
    """Return what the exit code means, if anything was judged, and how much was not, where that fails nothing."""
    if not verdicts:
        return NOTHING
    code, counts = exit_code(verdicts, strict=strict), Counter(verdict.outcome for verdict in verdicts)
    unjudged = [f"{counts[outcome]} {told}" for outcome, told in UNJUDGED.items() if counts[outcome]]
    return f"nothing regressed; {', '.join(unjudged)}" if code == 0 and unjudged else CLOSING[code]
