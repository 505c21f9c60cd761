"""The run folder: its schema, atomic writing, resuming; and the baselines, which are run folders too."""

from suite.records.baseline import accept, find_baselines
from suite.records.folder import Recorder, in_memory, read_run, sole_recorder, write_again, write_verdicts

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
