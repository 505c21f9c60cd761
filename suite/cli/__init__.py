"""argv -> the verbs -> exit code.

Torch, pandas and all that they bring are imported by the verbs that need them, when they do.
"""

from suite.cli import training  # the order of the imports is that of the verbs

from suite.cli import judging, showing, proving  # isort: skip
from suite.cli.common import main

__all__ = ["judging", "main", "proving", "showing", "training"]
