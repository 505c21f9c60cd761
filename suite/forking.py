"""What the server of workers does better than the library's own: it bears with a system that refuses a process.

That one ends in a traceback, and nobody hears any more of the workers that it forked. Nothing but the server imports
this.
"""

from __future__ import annotations

import os
from time import monotonic, sleep

PATIENCE_SECONDS = 0.5
MOMENT_SECONDS = 0.01

FORK = os.fork
"""As the system has it."""


def fork() -> int:
    """Fork; where the system refuses, wait a while for others to end, and then end without a word."""
    end = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return FORK()
        except BlockingIOError:
            if monotonic() >= end:
                os._exit(1)
            sleep(MOMENT_SECONDS)


os.fork = fork
