"""What tests of the page need: a run that left pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suite.discover import discover, documented
from suite.engine import Engine
from suite.machine import Settings
from suite.plan import make_plan
from suite.trial import RunRecord
from suite.workflow import Task, unrecorded


@pytest.fixture(scope="session")
def trained() -> RunRecord:
    """Train two documented cases in two dtypes: one that dies for half of the seeds, and one that fits a curve."""
    collection = discover([documented()])
    cases = collection.select(["relu", "graph_n2"])
    plan = make_plan(cases, seeds=range(16), dtypes=("float32", "bfloat16"))
    task = Task(collection=collection, plan=plan, settings=Settings(), engine=Engine.INLINE, folder=Path("a-run"))
    run = unrecorded(task)
    return replace(run, manifest=replace(run.manifest, complete=True))
