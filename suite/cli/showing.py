"""The verbs that show cases, runs and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from suite.cli.common import (
    BASELINE,
    BASELINES,
    CASES,
    COULD_NOT_RUN,
    JSON,
    KEPT,
    RUNS,
    STRICT,
    check_named,
    collection_of,
    complain,
    main,
    roots_of,
    verb,
)
from suite.errors import SuiteError


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
    from suite.report.cases.listing import case_lines, claim_lines
    from suite.report.escape import as_json as in_json

    listing = Listing.CLAIMS if claims else Listing.CASES
    rows = catalogued(listing, roots_of(cases), lambda: _rows(cases, claims=claims))
    if as_json:
        click.echo(in_json(rows))
    else:
        for line in (claim_lines if claims else case_lines)(rows):
            click.echo(line)
    return 0


def _rows(cases: Sequence[Path], *, claims: bool) -> list[dict[str, object]]:
    from suite.report.cases.claims import case_rows, claim_rows

    collection = collection_of(cases)
    return claim_rows(collection) if claims else case_rows(collection)


@main.command()
@RUNS
@click.option("--scaling", is_flag=True, help="A step's time by number of seeds: from how many on a device wins.")
@click.option(
    "--form", type=click.Choice(["markdown", "csv"]), default="markdown", show_default=True, help="How it is written."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to FILE instead of the screen.")
@JSON
@verb
def table(runs: tuple[Path, ...], scaling: bool, form: str, out: Path | None, as_json: bool) -> int:
    """Put runs side by side: device against device, dtype against dtype, paired by seed.

    It is to be read, and no gate: whatever it finds, the exit code is 0.

    \b
    Example: suite table results/runs/CPU results/runs/CUDA --form csv --out table.csv
    """
    from suite.records import read_run
    from suite.records.atomic import replace_text
    from suite.records.find import spare_records
    from suite.report import scaling as growth
    from suite.report import table as tables

    spare_records("--out", [out] if out else [])
    recorded = [read_run(folder) for folder in runs]
    kind = growth if scaling else tables
    rows = kind.rows_of(recorded)
    if as_json:
        text = tables.json_text(rows)
    elif form == "csv":
        text = tables.as_csv(rows).rstrip("\n")
    else:
        text = tables.as_markdown(rows, kind.COLUMNS, kind.WORDS)
    if out is None:
        click.echo(text)
    else:
        replace_text(out, text + "\n")
    return 0


@main.command()
@RUNS
@BASELINE
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write. Default: page.html in the first run's folder."
)
@STRICT
@verb
def report(runs: tuple[Path, ...], baseline: Path, out: Path | None, strict: bool) -> int:
    """Write runs and what was judged of them as one page, which opens from disk.

    Exits as `suite compare` does. The file's name is printed last.

    \b
    Example: suite report results/runs/CPU results/runs/CUDA --out page.html
    """
    from suite.judge import exit_code, judge
    from suite.records import find_baselines, read_run
    from suite.records.find import spare_records
    from suite.report.escape import plain
    from suite.report.judged import JudgedRun
    from suite.report.page.page import write_page

    file = out or runs[0] / "page.html"
    spare_records("--out", [file])
    baselines = find_baselines(baseline)
    recorded = [read_run(folder) for folder in runs]
    judged = [JudgedRun(run=run, verdicts=judge(run, baselines), strict=strict) for run in recorded]
    write_page(file, judged)
    click.echo(plain(str(file)))
    return exit_code([verdict for side in judged for verdict in side.verdicts], strict=strict)


@main.command()
@click.argument("case")
@CASES
@BASELINE
@click.option("--runs", type=click.Path(path_type=Path), default=KEPT, show_default=True, help="Where runs are kept.")
@JSON
@verb
def show(case: str, cases: tuple[Path, ...], baseline: Path, runs: Path, as_json: bool) -> int:
    """Show one case: where it comes from, how it is trained, what is expected of it, and how it last came out.

    CASE is a name, or a shell pattern that one case matches. What cannot be read of the records is named, and makes
    the exit code 2; the rest is shown all the same.

    \b
    Example: suite show relu
    """
    from suite.report.cases.portrait import portray
    from suite.report.cases.remember import remember
    from suite.report.cases.show import portrait_json, portrait_lines

    check_named(baseline=baseline, runs=runs)
    collection = collection_of(cases)
    chosen = collection.only(case)
    records, faults = remember(chosen, baseline=baseline, runs=runs)
    for fault in faults:
        complain(fault)
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

    PLACE is a run, a baseline, or a folder that holds some, up to three folders deep, where no link is followed.
    Default: results/baselines and results/runs. What cannot be read is named, and makes the exit code 2; the others
    are shown all the same.

    \b
    Example: suite history --case relu --dtype float32
    """
    from suite.records.find import find_runs, look_through
    from suite.report.history.series import chosen, ordered, points_of
    from suite.report.history.timeline import history_json, history_lines

    sought = find_runs(place or [kept for kept in (BASELINES, KEPT) if kept.is_dir()])
    kept = look_through(sought.found, points_of)
    faults = (*sought.faults, *kept.faults)
    for line in (*kept.notes, *faults):
        complain(line)
    if not kept.found:
        raise SuiteError("there is no run to show; name a folder of runs, or train some with: suite run")
    shown = chosen(ordered(kept.found), cases=cases, devices=_words(device), dtypes=_words(dtype))
    for line in [history_json(shown)] if as_json else history_lines(shown):
        click.echo(line)
    return COULD_NOT_RUN if faults else 0


def _words(given: str) -> list[str]:
    return [word.strip() for word in given.split(",") if word.strip()]
