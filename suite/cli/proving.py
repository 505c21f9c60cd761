"""The verbs that show how far the gate can be trusted, and that ask where a stored baseline cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from suite.cli.common import CASES, JSON, STRICT, THREADS, collection_of, complain, main, verb
from suite.errors import SuiteError

if TYPE_CHECKING:
    from suite.workflow import Task


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
        collection = reading(lambda: collection_of(()))
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

    PYTHON_A is the baseline. Each is a command, with settings before it and arguments behind, if need be. Both need
    Python 3.11 or newer, torch and NumPy; the other environment needs nothing of the suite.

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
    sitting = sit((ours, theirs), task, rounds=rounds, say=complain)
    judged = judge_sitting(sitting)
    shown = [json_text(sitting, judged, strict=strict)] if as_json else lines(sitting, judged, strict=strict)
    for line in shown:
        click.echo(line)
    if out is not None:
        write(out, sitting, judged, strict=strict)
    return exit_code(judged.verdicts, strict=strict)


def _named_devices(text: str) -> tuple[str, ...]:
    """Read torch device strings, which both sides are to have: "auto" may be others on each."""
    from suite.plan import AUTO

    devices = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    if AUTO in devices:
        raise SuiteError(f'--device "{AUTO}" may be other devices on each side; name them, as cpu,cuda')
    return devices


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
        collection = reading(lambda: collection_of(cases))
        selected = reading(lambda: collection.select(case)) if collection else ()
        devices = reading(lambda: _named_devices(device))
    return Task(
        collection=collection,
        plan=make_plan(selected, seeds=chosen_seeds, devices=devices, dtypes=dtypes),
        settings=Settings(threads=threads),
        engine=Engine.INLINE,
        folder=Path("versus"),
    )
