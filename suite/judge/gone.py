"""Cases of a baseline that a run does not know: gone, if it looked where they lay; else nothing is known of them.

A run that looks at one file of a folder is an everyday thing, and no fault: which cases it did not look for is noted,
and asks for no exit code. A case is gone for certain if the run's roots hold the case's own: the root that ends in its
folder or its file, or, where none of the baseline's does, each of them. A root is called by its path from the working
folder, or from the top if it lies elsewhere, so that two are taken for one if the shorter is the longer's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from suite.discover import DOCUMENTED
from suite.judge.verdict import ALL, Aspect, Judgement, Outcome, Verdict, verdict_of
from suite.trial import DeclaredCase, Manifest, device_type, key_of

MOST_NAMED = 5
"""Cases that are named where several were not looked for."""


def disappeared(run: Manifest, baseline: Manifest, kind: str) -> Iterator[Verdict]:
    """Name the cells of a baseline on one type of device whose case is gone, and note cases that were not looked for.

    Nothing is noted of a baseline with which the run shares no cell, since that is of other cases altogether.
    """
    cells = [cell for cell in baseline.cells if device_type(cell.device) == kind]
    unknown = {case.name: case for case in baseline.cases if case.name not in run.known_cases}
    gone = {name for name, case in unknown.items() if is_gone(case, baseline.roots, run.roots)}
    for cell in cells:
        if cell.case in gone:
            told = Judgement(outcome=Outcome.MISSING, sentence="the baseline has it, but the case disappeared")
            yield verdict_of(cell, Aspect.LOSS, told)
    left = list(dict.fromkeys(cell.case for cell in cells if cell.case in unknown.keys() - gone))
    if left and set(map(key_of, cells)) & set(map(key_of, run.cells)):
        yield _note(left, baseline, run, kind)


def is_gone(case: DeclaredCase, then: Sequence[str], now: Sequence[str]) -> bool:
    """Tell whether a case that was found under ``then``, and is not under ``now``, must be gone."""
    named = [root for root in then if PurePath(root).name == case.folder or _ends(root, case.source)]
    own = named or then
    return set(then) == set(now) or (bool(own) and all(any(_is_same(root, here) for here in now) for root in own))


def _is_same(one: str, other: str) -> bool:
    """Tell whether two roots are one, perhaps called from two working folders."""
    if one == other or DOCUMENTED in {one, other}:
        return one == other
    return _ends(one, other) or _ends(other, one)


def _ends(whole: str, end: str) -> bool:
    """Tell whether a path ends in another, which is not the working folder itself."""
    parts = PurePath(end).parts
    return bool(parts) and PurePath(whole).parts[-len(parts) :] == parts


def _note(names: Sequence[str], baseline: Manifest, run: Manifest, kind: str) -> Verdict:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    there, here = (", ".join(manifest.roots) for manifest in (baseline, run))
    told = f"the baseline has {', '.join(names[:MOST_NAMED])}{more} from {there}; this run looked in {here} only"
    return Verdict(
        case=ALL, device=kind, dtype=ALL, mode=ALL, aspect=Aspect.LOSS, outcome=Outcome.SKIPPED, sentence=told
    )
