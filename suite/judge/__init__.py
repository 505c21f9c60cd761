"""Trials + baseline -> Verdicts. Pure: reads no file, and never imports torch."""

from suite.judge.judge import judge, judge_expectations, judge_times
from suite.judge.verdict import Aspect, Outcome, Stage, Verdict, exit_code

__all__ = ["Aspect", "Outcome", "Stage", "Verdict", "exit_code", "judge", "judge_expectations", "judge_times"]
