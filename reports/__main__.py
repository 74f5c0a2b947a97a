"""`python -m reports`: commands on a saved report."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        # Here, so that Ctrl-C is no traceback while Python still reads the modules either.
        from reports.cli.main import leave, main

        leave(main())
    except KeyboardInterrupt:
        sys.exit(130)
