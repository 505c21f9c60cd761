"""What a sitting comes to: verdicts on B, with A as the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.judge import Aspect, Outcome, Verdict, judge, judge_expectations
from suite.trial import device_type
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
    before = {_about(verdict): verdict.outcome for verdict in judge_expectations(baseline)}
    verdicts = judge(run, dict.fromkeys(kinds, baseline))
    return [v for v in verdicts if v.aspect is Aspect.LOSS or (_is_new(v, before) and v.aspect is Aspect.EXPECTATION)]


def _about(verdict: Verdict) -> tuple[str, ...]:
    return verdict.case, verdict.device, verdict.dtype, verdict.mode


def _is_new(verdict: Verdict, before: Mapping[tuple[str, ...], Outcome]) -> bool:
    return verdict.outcome is Outcome.PASS or before.get(_about(verdict)) is not verdict.outcome
