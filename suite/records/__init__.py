"""The run folder: its schema, atomic writing, resuming; and the baselines, which are run folders too."""

from suite.records.baseline import accept, find_baselines
from suite.records.folder import read_run, write_again, write_verdicts
from suite.records.recorder import Recorder, sole_recorder
from suite.records.rows import in_memory

__all__ = [
    "Recorder",
    "accept",
    "find_baselines",
    "in_memory",
    "read_run",
    "sole_recorder",
    "write_again",
    "write_verdicts",
]
