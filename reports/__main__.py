"""`python -m reports`: what can be done with a report.json after the run, without any target."""

from __future__ import annotations

from reports.cli.main import leave, main

if __name__ == "__main__":
    leave(main())
