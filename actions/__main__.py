"""`python -m actions`: run a corrective action of a saved report."""

from __future__ import annotations

import sys

from actions.command_line import main

if __name__ == "__main__":
    sys.exit(main())
