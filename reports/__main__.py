"""`python -m reports`: commands on a saved report."""

from __future__ import annotations

from reports.cli.main import leave, main

if __name__ == "__main__":
    leave(main())
