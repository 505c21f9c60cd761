"""Verdicts as Markdown, for a job's summary on GitHub or a page of its own: headline, what fails, a matrix, details."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tabulate import tabulate

from suite.judge import Aspect, Outcome, Verdict
from suite.judge.verdict import ALL
from suite.report.escape import markdown
from suite.report.ranking import Group, closing, counted, fails, grouped, rank

MOST_FAILURES = 50
"""Rows of the table of what fails; there are more in the details."""
LONGEST = 1000
"""Characters of a name or a sentence that are shown."""
MOST_BYTES = 1_000_000
"""GitHub shows no summary of more than 1 MiB (2**20 bytes)."""

CUT = "Cut here: GitHub shows no summary of more than 1 MiB. All verdicts: `suite compare RUN --report verdicts.json`."
PASSED = "✓"
"""Stands in the matrix for a cell that passes in every aspect."""
NAMES = ("verdict", "aspect", "cell", "stage", "sentence")


def verdict_markdown(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """Return the verdicts as Markdown of at most 1,000,000 bytes: the worst first, the details folded."""
    head = f"**{closing(verdicts, strict=strict)}**: {_passed(verdicts)} of {len(verdicts)} verdicts pass"
    blocks = [
        f"{head} ({counted(verdicts)}).",
        *_not_run(verdicts),
        *_failures([verdict for verdict in verdicts if fails(verdict, strict=strict)]),
        *_matrix(verdicts),
        *(block for aspect in Aspect for block in _details(aspect, verdicts)),
    ]
    return within("\n\n".join(blocks) + "\n", MOST_BYTES)


def _not_run(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Say how much of the baseline was not run."""
    for verdict in verdicts:
        if verdict.tells_what_was_not_run:
            yield f"On {_shown(verdict.device)}, {_shown(verdict.sentence)}."


def _passed(verdicts: Sequence[Verdict]) -> int:
    return sum(verdict.outcome is Outcome.PASS for verdict in verdicts)


def _failures(failing: Sequence[Verdict]) -> Iterator[str]:
    """Give the table of what fails, worst first, and how much of it is left out."""
    if failing:
        worst = sorted(failing, key=lambda verdict: rank(verdict.outcome))
        yield "### Regressed or broken"
        yield _table(NAMES, [_row(Group(verdicts=(verdict,))) for verdict in worst[:MOST_FAILURES]])
        if len(worst) > MOST_FAILURES:
            yield f"… and {len(worst) - MOST_FAILURES} more, in the details below."


def _row(group: Group) -> list[str]:
    verdict = group.first
    return [verdict.outcome.word, verdict.aspect, _shown(group.cells), verdict.stage, _shown(verdict.sentence)]


def _shown(text: str) -> str:
    return markdown(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _matrix(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Give a table of cases against devices and dtypes: the worst of all that was judged of each cell."""
    worst: dict[tuple[str, str, str], Outcome] = {}
    for verdict in verdicts:
        if verdict.case != ALL:
            key, outcome = (verdict.case, verdict.device, verdict.dtype), _in_matrix(verdict)
            worst[key] = min(outcome, worst.get(key, outcome), key=rank)
    if not worst:
        return
    columns = dict.fromkeys((device, dtype) for _, device, dtype in worst)
    rows = [
        [_shown(case), *(_symbol(worst.get((case, *column))) for column in columns)]
        for case in dict.fromkeys(case for case, _, _ in worst)
    ]
    yield "### Every cell"
    yield f"The worst of its aspects; {PASSED} where all pass. Times of another machine are left out."
    yield _table(["case", *(_shown(" ".join(column)) for column in columns)], rows)


def _in_matrix(verdict: Verdict) -> Outcome:
    """Return the outcome as the matrix shows it: times of another machine are no fault of either."""
    return Outcome.PASS if verdict.outcome.code and not verdict.code else verdict.outcome


def _symbol(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome is Outcome.PASS:
        return PASSED
    return f"**{outcome.word}**" if outcome.code == 1 else outcome.word


def _details(aspect: Aspect, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Give all verdicts of an aspect, folded; those that say the same share a row."""
    found = [verdict for verdict in verdicts if verdict.aspect is aspect]
    if found:
        yield f"<details><summary>{aspect}: {counted(found)}</summary>"
        yield _table(NAMES, [_row(group) for group in grouped(found)])
        yield "</details>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that is not padded: one long sentence would make every row as long."""
    return tabulate(rows, names, tablefmt="github", stralign=None, disable_numparse=True)


def within(text: str, most: int) -> str:
    """Return text of at most ``most`` bytes: whole lines, and, where some are left out, a sentence that says so."""
    if len(text.encode()) <= most:
        return text
    end = f"\n</details>\n\n{CUT}\n"
    room, kept = most - len(end.encode()), list[str]()
    for line in text.splitlines(keepends=True):
        room -= len(line.encode())
        if room < 0:
            break
        kept.append(line)
    unfolded = "".join(kept).count("<details>") == "".join(kept).count("</details>")
    return "".join(kept) + (f"\n{CUT}\n" if unfolded else end)
