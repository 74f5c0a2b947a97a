"""`python -m actions`: run a corrective action of a saved report."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        # Here, so that Ctrl-C is no traceback while Python still reads the modules either.
        from actions.command_line import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
