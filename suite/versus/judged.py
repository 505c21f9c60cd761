"""What a sitting comes to: verdicts on B, with A as the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from suite.judge import Aspect, Outcome, Verdict, judge, judge_expectations
from suite.judge.pairs import CELL_COLUMNS
from suite.trial import CellKey, RunRecord, Status, device_type
from suite.versus.sitting import Sitting
from suite.versus.times import Key, Timing, judge_times


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All verdicts, and the times that some of them rest on."""

    verdicts: list[Verdict]
    timings: Mapping[Key, Timing]


def judge_sitting(sitting: Sitting) -> Judged:
    """Judge B's losses against A's, and its times as they were taken in turns.

    An expectation that holds on neither side is no difference between them, and is left out.
    """
    timings = judge_times(sitting.sample)
    times = [timing.verdict for timing in timings.values()]
    return Judged(verdicts=[*_of_losses(sitting), *times], timings=timings)


def _of_losses(sitting: Sitting) -> list[Verdict]:
    baseline, run = sitting.records
    kinds = {device_type(cell.device) for cell in run.manifest.cells}
    before = {_about(verdict): verdict for verdict in judge_expectations(baseline)}
    failed = [_failed(side) for side in sitting.records]

    def is_new(verdict: Verdict) -> bool:
        """Tell whether B does what A does not: fails of an expectation, or of a seed, that A does not fail of."""
        about, earlier = _about(verdict), before.get(_about(verdict))
        if earlier is None or verdict.outcome is not earlier.outcome or verdict.outcome is Outcome.PASS:
            return True
        theirs, ours = (side.get(about, set()) for side in failed)
        return not (_broken(verdict) <= _broken(earlier) and ours <= theirs)

    verdicts = judge(run, dict.fromkeys(kinds, baseline))
    return [v for v in verdicts if v.aspect is Aspect.LOSS or (v.aspect is Aspect.EXPECTATION and is_new(v))]


def _about(verdict: Verdict) -> CellKey:
    return verdict.case, verdict.device, verdict.dtype, verdict.mode


def _broken(verdict: Verdict) -> set[int]:
    """Return the clauses that do not hold."""
    return {finding.clause for finding in verdict.findings if finding.outcome is Outcome.BROKEN}


def _failed(run: RunRecord) -> dict[CellKey, set[int]]:
    """Return the seeds of each cell that could not be trained."""
    failed = run.trials[run.trials["status"] == str(Status.ERROR)]
    return {
        cast("CellKey", tuple(map(str, key))): set(map(int, seeds))
        for key, seeds in failed.groupby(list(CELL_COLUMNS), observed=True)["seed"]
    }
