"""Command line entry point: `python -m lab`."""

import sys

try:
    from lab.cli import main
except ModuleNotFoundError as exc:
    sys.exit(
        f"lab: {exc.name} is not installed for {sys.executable}: "
        "tox -e demo, then . .tox/demo/bin/activate"
    )

sys.exit(main())
