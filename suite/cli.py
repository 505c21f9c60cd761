"""argv -> the verbs -> exit code.

Torch, pandas and all that they bring are imported by the verbs that need them, when they do.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from suite.errors import SuiteError

if TYPE_CHECKING:
    from suite.discover import Collection
    from suite.judge import Verdict
    from suite.report.judged import JudgedRun
    from suite.report.onward import Step
    from suite.trial import RunRecord
    from suite.workflow import Task

COULD_NOT_RUN = 2
INTERRUPTED = 130
BASELINES = Path("results/baselines")
RUNS = Path("results/runs")

CASES = click.option(
    "--cases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of case files, or one file; may be given again. Default: the documented cases.",
)
BASELINE = click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    default=BASELINES,
    show_default=True,
    help="Folder of baselines, or a run folder to compare with.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
STRICT = click.option("--strict", is_flag=True, help="Fail on other bits within tolerance, too.")
THREADS = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of one operation."
)
RUN = click.argument("run", type=click.Path(path_type=Path))


def verb(function: Callable[..., int]) -> Callable[..., None]:
    """Exit with the code that the verb returns; a fault is one line on stderr and exit code 2, Ctrl-C is 130."""

    @wraps(function)
    def exit_with_code(*args: Any, **options: Any) -> None:
        try:
            sys.exit(function(*args, **options))
        except SuiteError as error:
            for fault in error.faults:
                _complain(fault)
            sys.exit(COULD_NOT_RUN)
        except KeyboardInterrupt:
            _complain("interrupted")
            sys.exit(INTERRUPTED)

    return exit_with_code


def _complain(line: str, file: IO[Any] | None = None) -> None:
    from suite.report.escape import plain

    click.echo(f"suite: {plain(line)}", file=file, err=True)


class WrongWordsError(click.ClickException):
    """Words on the command line that no verb understands."""

    exit_code = COULD_NOT_RUN

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it as every other fault is told."""
        _complain(self.message, file)


class Verbs(click.Group):
    """The commands; what they cannot read of the command line is told in one line, too."""

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        """Read the words before the verb."""
        with _in_one_line():
            return super().make_context(*given, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the verb and the words after it, and do it."""
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "suite"
        message = " ".join(error.format_message().split()).rstrip(".")
        raise WrongWordsError(f"{message}; see: {command} --help") from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="suite")
def main() -> None:
    """Tell whether small PyTorch networks still converge as their documents say.

    \b
    Exit codes: 0 everything judged, nothing regressed; 1 something regressed or
    an expectation is broken; 2 it could not run; 3 something could not be judged.

    \b
    Example: suite run && suite compare results/runs/NAME
    """


@main.command("list")
@click.option("--claims", is_flag=True, help="Print claim, case and what is expected; fail if a claim has no case.")
@CASES
@JSON
@verb
def list_cases(claims: bool, cases: tuple[Path, ...], as_json: bool) -> int:
    """List the cases, under the document that they follow.

    \b
    Example: suite list --claims
    """
    from suite.catalogue import Listing, catalogued
    from suite.report.listing import case_lines, claim_lines

    listing = Listing.CLAIMS if claims else Listing.CASES
    rows = catalogued(listing, _roots(cases), lambda: _rows(cases, claims=claims))
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for line in (claim_lines if claims else case_lines)(rows):
            click.echo(line)
    return 0


def _rows(cases: Sequence[Path], *, claims: bool) -> list[dict[str, object]]:
    from suite.report.claims import case_rows, claim_rows

    collection = _collection(cases)
    return claim_rows(collection) if claims else case_rows(collection)


def _collection(cases: Sequence[Path]) -> Collection:
    from suite.discover import discover

    return discover(_roots(cases))


def _roots(cases: Sequence[Path]) -> list[Path]:
    from suite.discover import documented

    return list(cases) or [documented()]


@main.command()
@click.argument("case", nargs=-1)
@CASES
@click.option("--seeds", help="How many, as 100, or first and end, as 20:120. Default: 100.")
@click.option("--device", default="auto", show_default=True, help="Torch devices, as cpu,cuda; auto: all that is here.")
@click.option("--dtype", default="all", show_default=True, help="float64,float32,bfloat16,float16 or all.")
@click.option(
    "--mode",
    help="eager, ensemble, compiled. Default: all seeds as an ensemble, and the first eagerly: the reference, timed.",
)
@click.option(
    "--engine",
    metavar="[inline|processes|dask://HOST:PORT]",
    default="inline",
    show_default=True,
    help="Where: one after the other, on all cores, or on a Dask scheduler's workers; what is timed runs here, alone.",
)
@THREADS
@click.option("--tf32", is_flag=True, help="Allow reduced-precision matrix products on CUDA.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: a new one in results/runs.")
@click.option("--resume", is_flag=True, help="Complete the run in --out.")
@JSON
@verb
def run(as_json: bool, **options: Any) -> int:
    """Train cases over seeds, devices and dtypes, and judge what they expect.

    CASE is a name or a shell pattern, as relu, square_*, guide/*. The run's folder is printed last.

    \b
    Example: suite run 'guide/*' --seeds 100 --device cpu --dtype float32,float64
    """
    from suite.judge import exit_code, judge_expectations
    from suite.records import read_run, write_verdicts
    from suite.report.onward import after_run
    from suite.workflow import execute

    task = _task(**options)
    try:
        with _progress(task) as watch:
            folder = execute(task, watch)
    except KeyboardInterrupt:
        _complain(f"interrupted; complete it with: {_resume_command(task.folder)}")
        return INTERRUPTED
    verdicts = judge_expectations(read_run(folder))
    write_verdicts(folder, [verdict.row() for verdict in verdicts])
    _print(verdicts, steps=after_run(folder), as_json=as_json)
    click.echo(str(folder), err=as_json)
    return exit_code(verdicts)


def _task(
    *,
    case: Sequence[str],
    cases: Sequence[Path],
    seeds: str | None,
    device: str,
    dtype: str,
    mode: str | None,
    engine: str,
    threads: int,
    tf32: bool,
    out: Path | None,
    resume: bool,
) -> Task:
    """Read the options of a run, every fault of theirs at once."""
    from suite.engine import call_workers, parse_engine
    from suite.errors import gather
    from suite.machine import Settings
    from suite.plan import DTYPES, MODES, make_plan, parse_choice, parse_devices, parse_seeds
    from suite.train.suited import suited
    from suite.workflow import Task, new_folder

    if resume and out is None:
        raise SuiteError("--resume needs --out, the folder of the run to complete")
    with gather() as reading:
        chosen_seeds = reading(lambda: None if seeds is None else parse_seeds(seeds))
        chosen_dtypes = reading(lambda: parse_choice("--dtype", dtype, DTYPES))
        chosen_modes = reading(lambda: None if mode is None else parse_choice("--mode", mode, MODES))
        chosen_engine = reading(lambda: parse_engine(engine))
        call_workers(chosen_engine)
        devices = reading(lambda: parse_devices(device))
        collection = reading(lambda: _collection(cases))
        selected = reading(lambda: collection.select(case)) if collection else ()
    plan = make_plan(
        selected, seeds=chosen_seeds, devices=devices[0], dtypes=chosen_dtypes, modes=chosen_modes, skipped=devices[1]
    )
    plan, notes = suited(plan)
    for note in notes:
        _complain(note)
    return Task(
        collection=collection,
        plan=plan,
        notes=notes,
        settings=Settings(threads=threads, tf32=tf32),
        engine=chosen_engine,
        folder=out or new_folder(),
        resume=resume,
    )


def _progress(task: Task) -> Any:
    from suite.report.progress import progress

    return progress(task.plan)


def _resume_command(folder: Path) -> str:
    """Return the command that was given, made to complete what it began, or to begin it if it had not come to that."""
    from suite.records.manifest import MANIFEST_FILE

    words = [word for word in sys.argv[2:] if word != "--resume"]
    given = any(word == "--out" or word.startswith("--out=") for word in words)
    place = [] if given else ["--out", str(folder)]
    resume = ["--resume"] if (folder / MANIFEST_FILE).exists() else []
    return shlex.join(["suite", "run", *place, *resume, *words])


def _print(
    verdicts: Sequence[Verdict], *, steps: Sequence[Step] = (), strict: bool = False, as_json: bool = False
) -> None:
    from suite.report.files import verdict_json
    from suite.report.terminal import show, terminal

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
@click.option("--github", is_flag=True, help="Annotate the case files and add to the job's summary, on GitHub.")
@STRICT
@JSON
@verb
def compare(
    run: Path, baseline: Path, report: tuple[Path, ...], again: bool, github: bool, strict: bool, as_json: bool
) -> int:
    """Judge a run against a baseline: expectations, losses and times, apart.

    \b
    Example: suite compare results/runs/NAME --report verdicts.md
    """
    from suite.judge import exit_code
    from suite.records import find_baselines, read_run, write_verdicts
    from suite.report.files import check_endings, write_report
    from suite.report.github import annotation_lines, append_summary, silenced, summary_file
    from suite.report.judged import JudgedRun

    check_endings(report)
    summary = summary_file() if github else None
    recorded, baselines = read_run(run), find_baselines(baseline)
    verdicts = _compared(recorded, baselines, again=again)
    judged = JudgedRun(run=recorded, verdicts=verdicts, strict=strict)
    with silenced(click.echo) if github and not as_json else nullcontext():
        _print(verdicts, steps=_steps(judged, run, baseline), strict=strict, as_json=as_json)
    for file in report:
        write_report(file, judged)
    if summary:
        append_summary(summary, judged)
        for line in annotation_lines(judged):
            click.echo(line, err=as_json)
    write_verdicts(run, [verdict.row() for verdict in verdicts])
    return exit_code(verdicts, strict=strict)


def _steps(judged: JudgedRun, folder: Path, baseline: Path) -> list[Step]:
    """Return what may be done next; a run is accepted whole, and into no other run's folder."""
    from suite.records.manifest import MANIFEST_FILE
    from suite.report.onward import after_compare

    return after_compare(
        folder,
        judged.verdicts,
        baseline=None if baseline == BASELINES else baseline,
        acceptable=judged.run.manifest.complete and not (baseline / MANIFEST_FILE).exists(),
        strict=judged.strict,
    )


def _compared(run: RunRecord, baselines: Mapping[str, RunRecord], *, again: bool) -> list[Verdict]:
    """Judge a run; with ``again``, by a second time of what looks slower or faster."""
    from suite.judge import Aspect, Outcome, judge

    verdicts = judge(run, baselines)
    otherwise = [v for v in verdicts if v.aspect is Aspect.TIME and v.outcome in {Outcome.REGRESSED, Outcome.IMPROVED}]
    if not (again and otherwise):
        return verdicts
    from suite.workflow import timed_again

    return judge(run, baselines, timed_again(run, otherwise))


@main.command()
@RUN
@click.option("--reason", required=True, help="Why this run is to be trusted from now on.")
@click.option("--who", help="Who accepts it. Default: the login name.")
@click.option("--drop", is_flag=True, help="Let cells go that the present baseline holds and this run does not.")
@BASELINE
@verb
def accept(run: Path, reason: str, who: str | None, drop: bool, baseline: Path) -> int:
    """Make a run the baseline.

    \b
    Example: suite accept results/runs/NAME --reason "torch 2.13 changed the sum's order"
    """
    from suite.records import accept as accept_run
    from suite.records import read_run

    for place in accept_run(read_run(run), baseline, reason=reason, who=who, drop=drop):
        click.echo(f"accepted as {place}")
    return 0


@main.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--form", type=click.Choice(["markdown", "csv"]), default="markdown", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write to FILE instead of the screen.")
@JSON
@verb
def table(runs: tuple[Path, ...], form: str, out: Path | None, as_json: bool) -> int:
    """Put runs side by side: device against device, dtype against dtype, paired by seed.

    \b
    Example: suite table results/runs/CPU results/runs/CUDA --form csv --out table.csv
    """
    from suite.records import read_run
    from suite.report.table import as_markdown, json_text, tabulate_runs

    rows = tabulate_runs([read_run(folder) for folder in runs])
    if as_json:
        text = json_text(rows)
    else:
        text = as_markdown(rows) if form == "markdown" else rows.to_csv(index=False).rstrip("\n")
    if out is None:
        click.echo(text)
        return 0
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"--out {out}: cannot be written: {error.strerror}") from error
    return 0


@main.command()
@click.argument("case")
@CASES
@BASELINE
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Where runs are kept.")
@JSON
@verb
def show(case: str, cases: tuple[Path, ...], baseline: Path, runs: Path, as_json: bool) -> int:
    """Show one case: where it comes from, how it is trained, what is expected of it, and how it last came out.

    CASE is a name, or a shell pattern that one case matches. What cannot be read of the records is named, and makes
    the exit code 2; the rest is shown all the same.

    \b
    Example: suite show relu
    """
    from suite.report.portrait import portray
    from suite.report.remember import remember
    from suite.report.show import portrait_json, portrait_lines

    collection = _collection(cases)
    chosen = collection.only(case)
    records, faults = remember(chosen, baseline=baseline, runs=runs)
    for fault in faults:
        _complain(fault)
    portrait = portray(chosen, collection)
    for line in [portrait_json(portrait, records)] if as_json else portrait_lines(portrait, records):
        click.echo(line)
    return COULD_NOT_RUN if faults else 0


@main.command()
@click.argument("place", nargs=-1, type=click.Path(path_type=Path))
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Name or shell pattern; may be given again.")
@click.option("--device", default="", help="Devices, as cpu,cuda:0. Default: all.")
@click.option("--dtype", default="", help="float64,float32,bfloat16,float16. Default: all.")
@JSON
@verb
def history(place: tuple[Path, ...], cases: tuple[str, ...], device: str, dtype: str, as_json: bool) -> int:
    """Show how cases came out in run after run, and where that changed for good.

    PLACE is a run, a baseline, or a folder that holds some, up to three folders deep. Default: results/baselines and
    results/runs. What cannot be read is named, and makes the exit code 2; the others are shown all the same.

    \b
    Example: suite history --case relu --dtype float32
    """
    from suite.records.find import find_runs, look_through
    from suite.report.history import chosen, ordered, points_of
    from suite.report.timeline import history_json, history_lines

    folders = find_runs(place or [kept for kept in (BASELINES, RUNS) if kept.is_dir()])
    kept = look_through(folders, points_of)
    for line in (*kept.notes, *kept.faults):
        _complain(line)
    if not kept.found:
        raise SuiteError("there is no run to show; name a folder of runs, or train some with: suite run")
    shown = chosen(ordered(kept.found), cases=cases, devices=_words(device), dtypes=_words(dtype))
    for line in [history_json(shown)] if as_json else history_lines(shown):
        click.echo(line)
    return COULD_NOT_RUN if kept.faults else 0


def _words(given: str) -> list[str]:
    return [word.strip() for word in given.split(",") if word.strip()]


@main.command()
@click.argument("planted", metavar="[FAULT]...", nargs=-1)
@click.option("--seeds", default="30", show_default=True, help="How many, as 30, or first and end, as 20:50.")
@click.option(
    "--repeats", type=click.IntRange(min=0), default=4, show_default=True, help="Of the run with nothing planted."
)
@JSON
@verb
def audit(planted: tuple[str, ...], seeds: str, repeats: int, as_json: bool) -> int:
    """Plant faults in torch, one after the other, and show which the gate catches here.

    FAULT is a name or a shell pattern, as relu_leaks, momentum_*, unchanged. Exits with 1 if a fault within reach
    is missed, too many stages are named wrongly, or a run without a fault is flagged.

    \b
    Example: suite audit 'momentum_*' unchanged
    """
    from suite.audit.audit import audit as examine
    from suite.audit.audit import choose, exit_code
    from suite.audit.table import as_table, json_text, outcome, summary
    from suite.errors import gather
    from suite.plan import parse_seeds

    with gather() as reading:
        chosen_seeds = reading(lambda: parse_seeds(seeds))
        chosen = reading(lambda: choose(planted))
        collection = reading(lambda: _collection(()))
    findings = examine(
        collection,
        chosen,
        seeds=chosen_seeds,
        repeats=repeats,
        watch=lambda finding: click.echo(f"{finding.planted.name}: {outcome(finding)}", err=True),
    )
    if as_json:
        click.echo(json_text(findings))
    else:
        click.echo(f"{as_table(findings)}\n{summary(findings)}")
    return exit_code(findings)


@main.command()
@click.argument("python_a")
@click.argument("python_b")
@click.argument("case", nargs=-1)
@CASES
@click.option("--seeds", default="20", show_default=True, help="How many, as 20, or first and end, as 20:120.")
@click.option("--device", default="cpu", show_default=True, help="Torch devices, as cpu,cuda:0.")
@click.option("--dtype", default="float32", show_default=True, help="float64,float32,bfloat16,float16 or all.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Pairs of times a cell.")
@THREADS
@click.option("--out", type=click.Path(path_type=Path), help="Write versus.md and versus.csv to this folder.")
@STRICT
@JSON
@verb
def versus(
    python_a: str, python_b: str, rounds: int, out: Path | None, strict: bool, as_json: bool, **options: Any
) -> int:
    """Compare two Python environments in one sitting: losses, stages and times.

    PYTHON_A is the baseline. Each is a command, with settings before it and arguments behind, if need be. The other
    environment needs torch and NumPy, and nothing of the suite.

    \b
    Example: suite versus /envs/torch28/bin/python "ATEN_CPU_CAPABILITY=default python3"
    """
    from suite.errors import gather
    from suite.judge import exit_code
    from suite.versus.judged import judge_sitting
    from suite.versus.report import json_text, lines, write
    from suite.versus.side import parse_environment
    from suite.versus.sitting import sit

    with gather() as reading:
        ours = reading(lambda: parse_environment("A", python_a))
        theirs = reading(lambda: parse_environment("B", python_b))
        task = reading(lambda: _sitting_task(**options))
    sitting = sit((ours, theirs), task, rounds=rounds, say=_complain)
    judged = judge_sitting(sitting)
    shown = [json_text(sitting, judged, strict=strict)] if as_json else lines(sitting, judged, strict=strict)
    for line in shown:
        click.echo(line)
    if out is not None:
        write(out, sitting, judged, strict=strict)
    return exit_code(judged.verdicts, strict=strict)


def _sitting_task(
    *, case: Sequence[str], cases: Sequence[Path], seeds: str, device: str, dtype: str, threads: int
) -> Task:
    """Read what both sides are to train, every fault at once; whether a device is there, their workers tell."""
    from suite.engine import Engine
    from suite.errors import gather
    from suite.machine import Settings
    from suite.plan import DTYPES, make_plan, parse_choice, parse_seeds
    from suite.workflow import Task

    with gather() as reading:
        chosen_seeds = reading(lambda: parse_seeds(seeds))
        dtypes = reading(lambda: parse_choice("--dtype", dtype, DTYPES))
        collection = reading(lambda: _collection(cases))
        selected = reading(lambda: collection.select(case)) if collection else ()
    devices = tuple(dict.fromkeys(word.strip() for word in device.split(",")))
    return Task(
        collection=collection,
        plan=make_plan(selected, seeds=chosen_seeds, devices=devices, dtypes=dtypes),
        settings=Settings(threads=threads),
        engine=Engine.INLINE,
        folder=Path("versus"),
    )
