"""This process's standard output."""

from __future__ import annotations

import os
import sys


def discard_output() -> None:
    """Send what is still printed nowhere: its reader, such as `head`, has stopped.

    Python would report the closed pipe once more at its exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
