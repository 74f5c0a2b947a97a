"""Command line of the lab: setup, up, status, faults, inject, heal, down."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import lifecycle
from lab.errors import LabError
from lab.install import COMMAND, setup
from lab.state import default_directory

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when done, 1 when it cannot be done, 2 for wrong arguments."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.act(parsed))
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing is left to flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("lab: interrupted; what was begun may go on: python -m lab down", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="A small but real Veza on loopback: PostgreSQL, RabbitMQ, API, job worker.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser("setup", help="install what is missing (RabbitMQ, through apt)")
    command.set_defaults(act=_setup)

    command = commands.add_parser(
        "up", help="start the lab and wait until an upload has gone through"
    )
    _add_directory(command)
    command.add_argument("--owner", type=int, metavar="PID", help="end with this process")
    command.add_argument(
        "--no-broker", action="store_true", help="run from the job_queue table, without RabbitMQ"
    )
    command.set_defaults(act=_up)

    command = commands.add_parser("status", help="where everything is")
    _add_directory(command)
    command.add_argument("--json", action="store_true", help="everything, for programs")
    command.set_defaults(act=_status)

    command = commands.add_parser("faults", help="what can be broken, and what that makes true")
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(act=_faults)

    command = commands.add_parser("inject", help="break the lab and wait until that shows")
    _add_directory(command)
    command.add_argument("names", nargs="+", metavar="FAULT", help="see: python -m lab faults")
    command.set_defaults(act=_inject)

    command = commands.add_parser("heal", help="undo every fault and wait until the lab is well")
    _add_directory(command)
    command.set_defaults(act=_heal)

    command = commands.add_parser("bench", help="break it in every way and score the diagnosis")
    _add_directory(command)
    command.add_argument(
        "--fault",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these; a+b is two at once (default: every fault, control and pair)",
    )
    command.add_argument("--repeat", type=int, default=1, metavar="N", help="default: 1")
    command.add_argument("--json", type=Path, metavar="FILE", help="write each trial there")
    command.set_defaults(act=_bench)

    command = commands.add_parser("down", help="end the lab and what it left behind")
    _add_directory(command)
    command.set_defaults(act=_down)
    return parser


def _add_directory(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dir",
        type=lambda text: Path(text).expanduser().absolute(),
        default=default_directory(),
        metavar="DIR",
        help="the lab's directory; two labs run side by side in two of them (default: %(default)s)",
    )


def _setup(_: argparse.Namespace) -> int:
    print(setup())
    return 0


def _up(parsed: argparse.Namespace) -> int:
    began = time.monotonic()
    was_running = lifecycle.is_running(parsed.dir)
    lab = lifecycle.up(parsed.dir, owner=parsed.owner, broker=not parsed.no_broker)
    if was_running:
        print("The lab was up already.")
    else:
        print(f"The lab is up after {time.monotonic() - began:.1f} s.")
    if not lab.broker:
        reason = "as asked" if parsed.no_broker else f"install it with: {COMMAND}"
        print(f"It runs without RabbitMQ, from the job_queue table ({reason}).")
    print(lifecycle.as_text(lifecycle.describe(parsed.dir)))
    return 0


def _status(parsed: argparse.Namespace) -> int:
    description = lifecycle.describe(parsed.dir)
    print(lifecycle.as_json(description) if parsed.json else lifecycle.as_text(description))
    return 0


def _faults(parsed: argparse.Namespace) -> int:
    # Imported when needed: `status` and `down` shall be quick.
    from lab.faults import FAULTS, PAIRS

    listed = [
        {
            "name": fault.name,
            "kind": fault.kind.value,
            "truth": sorted(fault.truth),
            "description": fault.description,
            "needs": sorted(need.value for need in fault.needs),
        }
        for fault in FAULTS.values()
    ]
    if parsed.json:
        print(json.dumps({"faults": listed, "pairs": PAIRS}, indent=2))
        return 0
    for fault in listed:
        meaning = ", ".join(fault["truth"]) or str(fault["kind"])
        print(f"{fault['name']:<24} {meaning:<28} {fault['description']}")
    return 0


def _inject(parsed: argparse.Namespace) -> int:
    from lab import faults

    began = time.monotonic()
    faults.inject(parsed.dir, parsed.names)
    print(f"{', '.join(parsed.names)}: injected in {time.monotonic() - began:.1f} s.")
    return 0


def _heal(parsed: argparse.Namespace) -> int:
    from lab import faults

    began = time.monotonic()
    faults.heal(parsed.dir)
    print(f"The lab is healthy again after {time.monotonic() - began:.1f} s.")
    return 0


def _bench(parsed: argparse.Namespace) -> int:
    from lab.bench import bench

    bench(parsed.dir, parsed.fault, parsed.repeat, parsed.json)
    return 0


def _down(parsed: argparse.Namespace) -> int:
    print("The lab is down." if lifecycle.down(parsed.dir) else f"No lab was up in {parsed.dir}.")
    return 0
