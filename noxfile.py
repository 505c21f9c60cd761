"""The sessions of this project; what follows ``--`` is passed on: ``nox -s bench -- relu --seeds 20``."""

from __future__ import annotations

import os
import re
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ("tests", "lint", "types")

PROJECT = nox.project.load_toml("pyproject.toml")
PINNED = ("-c", "constraints.txt")
OLDER = ("-c", "constraints-older.txt")
"""An older torch, to hold the pinned one against."""
HELD = "results/versus-torch-2.8.0-2.13.0"
"""Where the table goes that says how the two compare."""
TORTURED = "results/torture.md"
"""Where the table goes that says what was tried to lose or break a run."""
FUZZED = "results/fuzz.md"
"""Where the table goes that says how much a fuzzer made up."""
WORKFLOWS = (".github/workflows/gate.yml",)

README = Path("README.md")
PASTED = re.compile(r"(?P<begin><!-- (?P<file>results/\S+\.md) -->)\n.*?\n(?P<end><!-- end -->)", flags=re.DOTALL)
"""A table in the README, between the name of the file that it is from and its end."""
BROWSERS = ("chromium", "google-chrome", "chrome")
SNAPSHOT = ("--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,1580")

JUDGED = (0, 1, 3)
"""Exit codes of ``suite run`` that leave a whole run behind, for ``suite compare`` to judge."""


@nox.session
def bench(session: nox.Session) -> None:
    """Train every case, compare with the baseline, print the tables, write the page; fails as `suite compare` does."""
    install(session)
    ours, training = parted(session.posargs)
    training += placed(ours.cases)
    session.run("suite", "run", "--engine", ours.engine, "--out", ours.out, *training, success_codes=JUDGED)
    try:
        session.run("suite", "compare", ours.out, "--again", *comparing(ours))
    finally:
        session.run("suite", "table", ours.out)
        session.run("suite", "report", ours.out, *(comparing(ours)[:2] if ours.baseline else []), success_codes=JUDGED)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests and measure what they cover; a part of the tests owes no coverage."""
    install(session, "test")
    session.run("coverage", "erase")
    # Not by pytest-cov: the package is a pytest plugin, and would be imported before measuring began.
    session.run("coverage", "run", "-m", "pytest", "-n", "2", "--dist", "loadfile", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", *(["--fail-under=0"] if session.posargs else []))


@nox.session
def perf(session: nox.Session) -> None:
    """Measure, side by side: seeds by every mode and by JAX, start-up, and a million trials; prints tables."""
    install(session, "test", "perf")
    session.run("pytest", "-m", "perf", "tests/benchmarks", "--write-tables", "results/perf", *session.posargs)


@nox.session
def torture(session: nox.Session) -> None:
    """Kill runs, fill disks, crowd a folder, damage files, and repeat for long; arguments go to pytest."""
    install(session, "test")
    session.run("pytest", "-m", "torture", "tests/torture", "--torture-table", TORTURED, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Give readers what atheris makes up, on Linux: `nox -s fuzz -- --fuzz-minutes 60`."""
    install(session, "test", "fuzz")
    given = ("--torture-table", FUZZED, *session.posargs)
    session.run("pytest", "-m", "torture", "tests/torture/test_fuzz.py", *given)


@nox.session
def versus(session: nox.Session) -> None:
    """Hold bench's torch against an older one, in one sitting; arguments go to `suite versus`."""
    suite = installed(session)
    session.install(*OLDER, "torch", "numpy")
    pythons = (f"{session.bin}/python", f"{Path(suite).parent}/python")
    given = ("--dtype", "float32,float64", "--out", HELD, *session.posargs)
    session.run(suite, "versus", *pythons, *given, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, imports between rooms, and the workflow; arguments go to `ruff check`."""
    session.install(*PINNED, *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    session.run("zizmor", "--offline", *WORKFLOWS)


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, in the package, the cases, the tests and this file."""
    install(session, "test", "types")
    session.run("mypy", *session.posargs)


@nox.session(venv_backend="none")
def accept(session: nox.Session) -> None:
    """Make a run the baseline: `nox -s accept -- RUN --reason TEXT`."""
    session.run(installed(session), "accept", *session.posargs, external=True)


@nox.session(venv_backend="none")
def table(session: nox.Session) -> None:
    """Put runs side by side: `nox -s table -- RUN [RUN ...]`."""
    session.run(installed(session), "table", *session.posargs, external=True)


@nox.session(venv_backend="none")
def readme(session: nox.Session) -> None:
    """Train what the README shows, and put its picture and its tables into it; needs a browser."""
    suite, run = installed(session), f"results/runs/readme-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None) or session.error(f"none of {BROWSERS} is here")
    session.run(suite, "run", "relu", "--out", run, external=True)
    session.run(suite, "table", run, "--out", "results/relu.md", external=True)
    session.run(suite, "report", run, success_codes=JUDGED, external=True)
    page = (Path(run) / "page.html").absolute().as_uri()
    session.run(browser, *SNAPSHOT, "--screenshot=results/page.png", page, external=True)
    README.write_text(pasted(README.read_text(encoding="utf-8")), encoding="utf-8")


@nox.session(venv_backend="none")
def audit(session: nox.Session) -> None:
    """Plant faults in torch and show which the gate catches here: `nox -s audit -- 'momentum_*'`."""
    session.run(installed(session), "audit", *session.posargs, external=True)


def install(session: nox.Session, *groups: str) -> None:
    """Install the package from this folder, with the named dependency groups, at the pinned versions."""
    session.install(*PINNED, "-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


def installed(session: nox.Session) -> str:
    """Return the `suite` command of bench's environment: a gigabyte of torch is enough once."""
    scripts = session.cache_dir.parent / "bench" / ("Scripts" if os.name == "nt" else "bin")
    command = scripts / ("suite.exe" if os.name == "nt" else "suite")
    if not command.exists():
        session.error("bench's environment is not there yet; make it with: nox -s bench --install-only")
    return str(command)


def pasted(text: str) -> str:
    """Put each table that a text names into it: what stands between a file's name and the mark of its end."""

    def renewed(found: re.Match[str]) -> str:
        table = Path(found["file"]).read_text(encoding="utf-8").strip()
        return f"{found['begin']}\n\n{table}\n\n{found['end']}"

    return PASTED.sub(renewed, text)


def parted(arguments: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Part bench's arguments into what it keeps for itself and `suite compare`, and the rest, for `suite run`."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--out", default=f"results/runs/bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    parser.add_argument("--baseline")
    parser.add_argument("--cases", action="append", default=[])
    parser.add_argument("--report", action="append", default=[])
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--github", action="store_true")
    parser.add_argument("--engine", default="processes")
    return parser.parse_known_args(arguments)


def placed(cases: Sequence[str]) -> list[str]:
    """Return the options that name folders of cases."""
    return [word for folder in cases for word in ("--cases", folder)]


def comparing(ours: Namespace) -> list[str]:
    """Return the options for `suite compare`."""
    baseline = ["--baseline", ours.baseline] if ours.baseline else []
    reports = [word for file in ours.report for word in ("--report", file)]
    flags = {"--strict": ours.strict, "--github": ours.github}
    return [*baseline, *placed(ours.cases), *reports, *(flag for flag, given in flags.items() if given)]
