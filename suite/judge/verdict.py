"""Verdicts: what was judged, how it came out, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from suite.trial import PlannedCell

ALL = "*"
"""In place of a case or dtype, where a verdict is about all of them."""


class Aspect(StrEnum):
    """What a verdict is about; aspects are judged apart and never mixed."""

    EXPECTATION = "expectation"
    LOSS = "loss"
    TIME = "time"


class Outcome(Enum):
    """How it came out: a word for machines, a sentence for people, and the exit code that it asks for."""

    PASS = ("pass", "Nothing changed beyond what is allowed.", 0)
    IMPROVED = (
        "improved",
        "Better than the baseline by more than is allowed; accept it to keep it. Of a loss, --strict makes this fail.",
        0,
    )
    CHANGED = ("changed", "Not the baseline's bits, but within tolerance; --strict makes this fail.", 0)
    SKIPPED = ("skipped", "Not trained, because the device is not here.", 0)
    INCOMPARABLE = ("incomparable", "Baseline and run are not of the same case, or times not of the same machine.", 3)
    INCONCLUSIVE = ("inconclusive", "Too little was trained to tell; give more seeds.", 3)
    MISSING = ("missing", "One of the two sides is not there; run it, or accept a baseline.", 3)
    REGRESSED = ("regressed", "Worse than the baseline by more than is allowed.", 1)
    BROKEN = ("broken", "What the case expects does not hold.", 1)
    ERROR = ("error", "Seeds could not be trained; the sentence holds the reason.", 1)

    def __init__(self, word: str, meaning: str, code: int) -> None:
        """Hold the word, what it means and what to do, and the exit code."""
        self.word, self.meaning, self.code = word, meaning, code


class Stage(StrEnum):
    """Where a trajectory first left its baseline."""

    INITIALISATION = "initialisation"
    DATA = "data"
    FORWARD = "forward"
    BACKWARD = "backward"
    UPDATE = "update"
    LATER = "later"
    NONE = ""
    """It never did."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """An outcome with its stage and its sentence, before it is put beside its cell."""

    outcome: Outcome
    sentence: str
    stage: Stage = Stage.NONE


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How one clause of a case's expectations came out."""

    clause: int
    """Its place among the case's clauses."""
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One aspect of one cell, judged."""

    case: str
    device: str
    dtype: str
    mode: str
    aspect: Aspect
    outcome: Outcome
    sentence: str
    stage: Stage = Stage.NONE
    findings: tuple[Finding, ...] = ()
    """Clause by clause, for expectations."""

    @property
    def code(self) -> int:
        """Return the exit code it asks for: times of different machines are no fault of either."""
        return 0 if (self.aspect, self.outcome) == (Aspect.TIME, Outcome.INCOMPARABLE) else self.outcome.code

    @property
    def is_moved(self) -> bool:
        """Tell whether something left the baseline without being worse, which --strict lets nothing do unseen."""
        return self.outcome is Outcome.CHANGED or (self.aspect, self.outcome) == (Aspect.LOSS, Outcome.IMPROVED)

    @property
    def tells_what_was_not_run(self) -> bool:
        """Tell whether it is about cells of the baseline that nobody asked for, not about a device that is not here."""
        return (self.aspect, self.outcome) == (Aspect.LOSS, Outcome.SKIPPED)

    @property
    def label(self) -> str:
        """Return "case[device-dtype]"."""
        return f"{self.case}[{self.device}-{self.dtype}]"

    def row(self) -> dict[str, str]:
        """Return the verdict as ``verdicts.csv`` holds it."""
        names = ("case", "device", "dtype", "mode", "sentence")
        words = {"aspect": str(self.aspect), "verdict": self.outcome.word, "stage": str(self.stage)}
        return {**{name: getattr(self, name) for name in names}, **words}


def verdict_of(cell: PlannedCell, aspect: Aspect, judgement: Judgement) -> Verdict:
    """Put a judgement beside its cell."""
    return Verdict(
        case=cell.case,
        device=cell.device,
        dtype=cell.dtype,
        mode=cell.mode,
        aspect=aspect,
        outcome=judgement.outcome,
        stage=judgement.stage,
        sentence=judgement.sentence,
    )


def exit_code(verdicts: Iterable[Verdict], *, strict: bool = False) -> int:
    """Return 1 if anything regressed or is broken, else 3 if anything could not be judged, or nothing was, else 0.

    ``strict``: 1, too, if anything left its baseline, be it within tolerance or for the better; and cells of the
    baseline that were not run are not judged.
    """
    gathered = list(verdicts)
    if not gathered:
        return Outcome.MISSING.code
    codes = {verdict.code for verdict in gathered}
    if strict and any(verdict.is_moved for verdict in gathered):
        codes.add(1)
    if strict and any(verdict.tells_what_was_not_run for verdict in gathered):
        codes.add(3)
    return next((code for code in (1, 3) if code in codes), 0)
