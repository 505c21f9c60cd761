"""argv -> the verbs -> exit code.

Torch, pandas and all that they bring are imported by the verbs that need them, when they do.
"""

from suite.cli import judging, proving, showing, training
from suite.cli.common import main

__all__ = ["judging", "main", "proving", "showing", "training"]
