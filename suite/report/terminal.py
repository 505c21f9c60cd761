"""Verdicts as lines for a terminal: what failed first, then what could not be judged, then the count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from suite.judge import Outcome, Verdict, exit_code
from suite.report.escape import plain

SHOWN_FIRST = (
    Outcome.ERROR,
    Outcome.BROKEN,
    Outcome.REGRESSED,
    Outcome.MISSING,
    Outcome.INCONCLUSIVE,
    Outcome.INCOMPARABLE,
    Outcome.CHANGED,
    Outcome.IMPROVED,
    Outcome.SKIPPED,
)
"""Worst first; ``pass`` is counted, not listed."""

CLOSING = {
    0: "everything judged, nothing regressed",
    1: "something regressed, or an expectation is broken",
    3: "nothing regressed, but something could not be judged",
}


def verdict_lines(verdicts: Sequence[Verdict], *, strict: bool = False) -> Iterator[str]:
    """Give a line for each verdict that is no pass, worst first, and a closing line."""
    for outcome in SHOWN_FIRST:
        matching = [verdict for verdict in verdicts if verdict.outcome is outcome]
        yield from _alike(matching)
    counts = Counter(verdict.outcome.word for verdict in verdicts)
    order = ["pass", *(outcome.word for outcome in SHOWN_FIRST)]
    told = ", ".join(f"{counts[word]} {word}" for word in order if counts[word])
    yield f"{told or 'no verdicts'}: {CLOSING[exit_code(verdicts, strict=strict)]}"


def _alike(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Give verdicts that say the same of many cells as one line."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.aspect, verdict.sentence), []).append(verdict)
    for (aspect, sentence), group in groups.items():
        first = group[0]
        more = len(group) - 1
        cells = first.label + (f" and {more} more cell{'s' * (more > 1)}" if more else "")
        yield f"{first.outcome.word:<12} {aspect:<11} {plain(cells)}: {plain(sentence)}"
