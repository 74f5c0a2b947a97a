"""The command line of the lab's own processes: `python -m MODULE --dir DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lab.state import load

if TYPE_CHECKING:
    from lab.state import Lab


def argument_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a module's arguments, which has `--dir`."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--dir", type=Path, required=True, help="the lab's directory")
    return parser


def load_lab(module: str, description: str | None) -> Lab:
    """Return the lab that a module's only argument names; raises LabError when there is none."""
    return load(argument_parser(module, description).parse_args().dir)
