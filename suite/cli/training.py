"""The verb that trains."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli.common import CASES, JSON, THREADS, collection_of, complain, main, verb
from suite.cli.ending import code_of, stop_if_told
from suite.cli.judging import print_verdicts
from suite.errors import SuiteError

if TYPE_CHECKING:
    from suite.discover import Collection
    from suite.plan import Plan
    from suite.workflow import Task


DEVICES = (
    "Torch devices, as cpu,cuda:1; auto: cpu, and cuda where it is here, its first card. Name a device whose absence "
    "must fail."
)


@main.command()
@click.argument("case", nargs=-1)
@CASES
@click.option("--seeds", help="How many, as 100, or first and end, as 20:120. Default: 100.")
@click.option("--device", default="auto", show_default=True, help=DEVICES)
@click.option("--dtype", default="all", show_default=True, help="float64,float32,bfloat16,float16 or all.")
@click.option(
    "--mode",
    help="eager,ensemble,compiled or all. Default: all seeds as an ensemble, the first eagerly: the reference, timed.",
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
@click.option(
    "--cell-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop what trains a cell's seeds together after so long; that cell is an error, and the others go on.",
)
@click.option("--cell-memory", metavar="BYTES", help="Memory that training a cell may take, as 2GiB; likewise.")
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
    task = _task(**options)
    try:
        return _trained(task, as_json=as_json)
    except KeyboardInterrupt as stop:
        complain(f"interrupted; complete it with: {_resume_command(task.folder)}")
        return code_of(stop)


def _trained(task: Task, *, as_json: bool) -> int:
    """Train what a run still lacks, judge it, and print its verdicts."""
    from suite.judge import exit_code, judge_expectations
    from suite.records import read_run, write_verdicts
    from suite.report.escape import plain
    from suite.report.verdicts.onward import after_run
    from suite.workflow import execute

    with _progress(task) as watch:
        # What a case's code computed while it caught Ctrl-C may be otherwise, and is not recorded.
        folder = execute(task, watch, check=stop_if_told)
    verdicts = judge_expectations(read_run(folder))
    write_verdicts(folder, [verdict.row() for verdict in verdicts])
    print_verdicts(verdicts, steps=after_run(folder), as_json=as_json)
    click.echo(plain(str(folder)), err=as_json)
    return exit_code(verdicts)


def _task(
    *,
    engine: str,
    cell_timeout: float | None,
    cell_memory: str | None,
    threads: int,
    tf32: bool,
    out: Path | None,
    resume: bool,
    **planned: Any,
) -> Task:
    """Read the options of a run, every fault of theirs at once."""
    from suite.engine import call_workers, parse_engine, tried
    from suite.errors import gather
    from suite.limits import UNLIMITED, parse_limits
    from suite.machine import Settings
    from suite.train.suited import suited
    from suite.workflow import Task, new_folder

    if resume and out is None:
        raise SuiteError("--resume needs --out, the folder of the run to complete")
    with gather() as reading:
        chosen_engine = reading(lambda: parse_engine(engine))
        limits = reading(lambda: parse_limits(cell_timeout, cell_memory)) or UNLIMITED
        call_workers(chosen_engine, limits)
        found = reading(lambda: _planned(**planned, rehearsed=not limits))
    collection, plan = found
    plan, notes = suited(tried(plan, limits) if limits else plan)
    for note in notes:
        complain(note)
    return Task(
        collection=collection,
        plan=plan,
        notes=notes,
        settings=Settings(threads=threads, tf32=tf32),
        engine=chosen_engine,
        limits=limits,
        folder=out or new_folder(),
        resume=resume,
    )


def _planned(
    *,
    case: Sequence[str],
    cases: Sequence[Path],
    seeds: str | None,
    device: str,
    dtype: str,
    mode: str | None,
    rehearsed: bool,
) -> tuple[Collection, Plan]:
    """Find the cases that are asked for, and cross them with seeds, devices, dtypes and modes."""
    from suite.errors import gather
    from suite.plan import DTYPES, MODES, make_plan, parse_choice, parse_devices, parse_seeds

    with gather() as reading:
        chosen_seeds = reading(lambda: None if seeds is None else parse_seeds(seeds))
        dtypes = reading(lambda: parse_choice("--dtype", dtype, DTYPES))
        modes = reading(lambda: None if mode is None else parse_choice("--mode", mode, MODES))
        devices = reading(lambda: parse_devices(device))
        collection = reading(lambda: collection_of(cases, rehearsed=rehearsed))
        selected = reading(lambda: collection.select(case)) if collection else ()
    plan = make_plan(selected, seeds=chosen_seeds, devices=devices[0], dtypes=dtypes, modes=modes, skipped=devices[1])
    return collection, plan


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
