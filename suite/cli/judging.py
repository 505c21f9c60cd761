"""The verbs that judge a run, and accept it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.common import BASELINE, BASELINES, JSON, RUN, STRICT, baseline_option, main, roots_of, verb
from suite.errors import SuiteError, gather

if TYPE_CHECKING:
    import pandas as pd

    from suite.judge import Verdict
    from suite.report.judged import JudgedRun
    from suite.report.verdicts.onward import Step
    from suite.trial import RunRecord


CASES_AGAIN = click.option(
    "--cases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With --again: folder of case files, which are run; may be given again. Default: the documented cases.",
)


def print_verdicts(
    verdicts: Sequence[Verdict], *, steps: Sequence[Step] = (), strict: bool = False, as_json: bool = False
) -> None:
    """Print verdicts, for people or for a program; ``steps`` are what may be done next."""
    from suite.report.verdicts.files import verdict_json
    from suite.report.verdicts.terminal import show, terminal

    if as_json:
        click.echo(verdict_json(verdicts, strict=strict))
    else:
        show(verdicts, terminal(), strict=strict, steps=steps)


@main.command()
@RUN
@BASELINE
@click.option(
    "--report",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write verdicts to FILE (.md, .json, .xml: JUnit, .benchmark.json); may be given again.",
)
@click.option("--again", is_flag=True, help="Time what looks slower or faster once more, here; that decides.")
@CASES_AGAIN
@click.option("--github", is_flag=True, help="On GitHub: annotate the case files and add to the job's summary.")
@STRICT
@JSON
@verb
def compare(
    run: Path,
    baseline: Path,
    report: tuple[Path, ...],
    again: bool,
    cases: tuple[Path, ...],
    github: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Judge a run against a baseline: expectations, losses and times, apart.

    \b
    Example: suite compare results/runs/NAME --report verdicts.md
    """
    from suite.judge import exit_code, judge
    from suite.records import find_baselines, read_run
    from suite.records.find import spare_records
    from suite.report.judged import JudgedRun
    from suite.report.verdicts.files import check_endings
    from suite.report.verdicts.github import annotation_lines, silenced, summary_file

    check_endings(report)
    if cases and not again:
        raise SuiteError("--cases goes with --again, which runs them")
    spare_records("--report", report)
    summary = summary_file() if github else None
    recorded, baselines = read_run(run), find_baselines(baseline)
    if again:
        recorded = _timed_again(recorded, baselines, run, roots_of(cases))
    verdicts = judge(recorded, baselines)
    judged = JudgedRun(run=recorded, verdicts=verdicts, strict=strict)
    with gather() as writing:  # before anything is printed, which may fail; what it finds is told after the verdicts
        writing(lambda: _write(run, judged, report, summary))
        with silenced(click.echo) if github and not as_json else nullcontext():
            print_verdicts(verdicts, steps=_steps(judged, run, baseline), strict=strict, as_json=as_json)
    for line in annotation_lines(judged) if github else ():
        click.echo(line, err=as_json)
    return exit_code(verdicts, strict=strict)


def _write(run: Path, judged: JudgedRun, report: Sequence[Path], summary: Path | None) -> None:
    """Write the verdicts to the files that were asked for, and keep them with the run."""
    from suite.records import write_verdicts
    from suite.report.verdicts.files import write_report
    from suite.report.verdicts.github import append_summary

    for file in report:
        write_report(file, judged)
    if summary is not None:
        append_summary(summary, judged)
    write_verdicts(run, [verdict.row() for verdict in judged.verdicts])


def _steps(judged: JudgedRun, folder: Path, baseline: Path) -> list[Step]:
    """Return what may be done next; a run is accepted whole, and into no other run's folder."""
    from suite.records.manifest import MANIFEST_FILE
    from suite.report.verdicts.onward import after_compare

    return after_compare(
        folder,
        judged.verdicts,
        baseline=None if baseline == BASELINES else baseline,
        acceptable=judged.run.manifest.complete and not (baseline / MANIFEST_FILE).exists(),
        strict=judged.strict,
    )


def _timed_again(run: RunRecord, baselines: Mapping[str, RunRecord], folder: Path, roots: Sequence[Path]) -> RunRecord:
    """Time once more what looks slower or faster than it should at first sight, and keep that with the run.

    What was timed once more before and cannot be now, as on another machine, is kept, too.
    """
    from suite.judge import Outcome, judge_times
    from suite.records import write_again
    from suite.workflow import check_roots, timed_again

    check_roots(run, roots)
    once = replace(run, again=run.again.iloc[:0])
    otherwise = [
        verdict for verdict in judge_times(once, baselines) if verdict.outcome in {Outcome.REGRESSED, Outcome.IMPROVED}
    ]
    timed = timed_again(once, otherwise, roots) if otherwise else once
    if not len(timed.again):
        return run
    whole = replace(timed, again=_renewed(run.again, timed.again))
    write_again(folder, whole.again)
    return whole


def _renewed(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return what was timed now, and before it what was timed earlier of other cells."""
    import pandas as pd

    from suite.records.schema import AGAIN, CELL

    then, new = (pd.MultiIndex.from_frame(rows[list(CELL)].astype(str)) for rows in (before, now))
    return pd.concat([before[~then.isin(new)], now]).astype(AGAIN.columns)


@main.command()
@RUN
@click.option("--reason", required=True, help="Why this run is to be trusted from now on.")
@click.option("--who", help="Who accepts it. Default: the login name.")
@click.option("--drop", is_flag=True, help="Let cells or seeds go that this run lacks, and a damaged baseline.")
@baseline_option("Folder of baselines.")
@verb
def accept(run: Path, reason: str, who: str | None, drop: bool, baseline: Path) -> int:
    """Make a run the baseline.

    \b
    Example: suite accept results/runs/NAME --reason "torch 2.13 changed the sum's order"
    """
    from suite.records import accept as accept_run
    from suite.records import read_run
    from suite.report.escape import plain

    for place in accept_run(read_run(run), baseline, reason=reason, who=who, drop=drop):
        click.echo(f"accepted as {plain(str(place))}")
    return 0
