"""Command line of the lab: setup, up, status, variants, faults, inject, heal, bench, down."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.output import discard_output
from core.units import format_duration
from lab import lifecycle
from lab.errors import LabError
from lab.install import COMMAND, setup
from lab.state import default_directory, refuse_of_another_user
from lab.variants import VARIANTS, get_variant


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 on success, 1 on failure. Wrong arguments exit with 2."""
    parsed = _parser().parse_args(arguments)
    try:
        if "dir" in parsed:
            refuse_of_another_user(parsed.dir)
        return int(parsed.act(parsed))
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        discard_output()
        return 0
    except KeyboardInterrupt:
        print("lab: interrupted; to end the lab: python -m lab down", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="A small, real Veza on loopback: PostgreSQL, RabbitMQ, API, job worker.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser("setup", help="install what is missing (RabbitMQ, through apt)")
    command.set_defaults(act=_setup)

    command = commands.add_parser("up", help="start the lab and wait until an upload completes")
    _add_directory(command)
    command.add_argument(
        "--owner", type=int, metavar="PID", help="end the lab when this process ends"
    )
    command.add_argument(
        "--no-broker",
        action="store_true",
        help="start no RabbitMQ; the worker polls the job_queue table",
    )
    command.add_argument(
        "--variant",
        metavar="NAME",
        help="the platform to start (default: standard); see: python -m lab variants",
    )
    command.set_defaults(act=_up)

    command = commands.add_parser("variants", help="list the platforms that a lab can be")
    command.set_defaults(act=_variants)

    command = commands.add_parser("status", help="print URLs, paths and process ids")
    _add_directory(command)
    command.add_argument("--json", action="store_true", help="print all of it as JSON")
    command.set_defaults(act=_status)

    command = commands.add_parser(
        "faults", help="list the faults and the hypothesis that each makes true"
    )
    command.add_argument("--json", action="store_true", help="print them as JSON")
    command.set_defaults(act=_faults)

    command = commands.add_parser("inject", help="inject faults and wait until they take effect")
    _add_directory(command)
    command.add_argument("names", nargs="+", metavar="FAULT", help="see: python -m lab faults")
    command.set_defaults(act=_inject)

    command = commands.add_parser("heal", help="undo every fault and wait until the lab is healthy")
    _add_directory(command)
    command.set_defaults(act=_heal)

    command = commands.add_parser(
        "bench", help="inject every fault, run the checks, and score the diagnosis"
    )
    _add_directory(command)
    command.add_argument(
        "--fault",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="inject only these; a+b injects two at once (default: all faults, controls, pairs and "
        "triples)",
    )
    command.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="repeat all trials N times (default: 1)"
    )
    command.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="start a lab of this variant for the bench; can be given again, `all` means each "
        "(default: the running lab, else the standard variant)",
    )
    command.add_argument(
        "--runbook",
        choices=("upload_stuck", "login_fails"),
        default="upload_stuck",
        help="the runbook whose checks and faults are scored (default: upload_stuck)",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the trials to this file")
    command.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep each trial's report as DIR/VARIANT/FAULTS/ROUND/report.json",
    )
    command.set_defaults(act=_bench)

    command = commands.add_parser("down", help="end the lab and delete its files")
    _add_directory(command)
    command.set_defaults(act=_down)
    return parser


def _add_directory(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dir",
        type=lambda text: Path(text).expanduser().absolute(),
        default=default_directory(),
        metavar="DIR",
        help="the lab's directory; labs in different directories run side by side "
        "(default: %(default)s)",
    )


def _setup(_: argparse.Namespace) -> int:
    print(setup())
    return 0


def _up(parsed: argparse.Namespace) -> int:
    started_at = time.monotonic()
    was_running = lifecycle.is_running(parsed.dir)
    variant = get_variant(parsed.variant) if parsed.variant else None
    lab = lifecycle.up(parsed.dir, variant=variant, owner=parsed.owner, broker=not parsed.no_broker)
    if was_running:
        print("The lab was up already.")
    else:
        print(f"The lab is up after {_since(started_at)}.")
    if not lab.broker and lab.variant.broker:
        reason = "--no-broker" if parsed.no_broker else f"install it with: {COMMAND}"
        print(f"It runs without RabbitMQ, from the job_queue table ({reason}).")
    print(lifecycle.as_text(lifecycle.describe(parsed.dir)))
    return 0


def _variants(_: argparse.Namespace) -> int:
    for variant in VARIANTS.values():
        print(f"{variant.name:<10} {variant.description}")
    return 0


def _status(parsed: argparse.Namespace) -> int:
    description = lifecycle.describe(parsed.dir)
    text = json.dumps(description, indent=2) if parsed.json else lifecycle.as_text(description)
    print(text)
    return 0


def _faults(parsed: argparse.Namespace) -> int:
    # Imported here, so that `status` and `down` start quickly.
    from lab.faults import FAULTS, PAIRS, TRIPLES

    rows = [
        {
            "name": fault.name,
            "kind": fault.kind.value,
            "runbooks": fault.runbooks,
            "truth": sorted(fault.truth),
            "outside_cause": fault.cause,
            "description": fault.description,
            "needs": sorted(need.value for need in fault.needs),
        }
        for fault in FAULTS.values()
    ]
    if parsed.json:
        print(json.dumps({"faults": rows, "pairs": PAIRS, "triples": TRIPLES}, indent=2))
        return 0
    for row in rows:
        truth = ", ".join(row["truth"]) or f"{row['kind']} {row['outside_cause']}"
        print(f"{row['name']:<26} {truth:<30} {row['description']}")
    return 0


def _inject(parsed: argparse.Namespace) -> int:
    from lab import faults

    started_at = time.monotonic()
    faults.inject(parsed.dir, parsed.names)
    print(f"{', '.join(parsed.names)}: injected in {_since(started_at)}.")
    return 0


def _heal(parsed: argparse.Namespace) -> int:
    from lab import faults

    started_at = time.monotonic()
    faults.heal(parsed.dir)
    print(f"The lab is healthy again after {_since(started_at)}.")
    return 0


def _bench(parsed: argparse.Namespace) -> int:
    from lab.bench import bench

    signal.signal(signal.SIGTERM, _end)
    variants = (
        list(VARIANTS.values())
        if "all" in parsed.variant
        else [get_variant(name) for name in parsed.variant]
    )
    runs = bench(
        parsed.dir,
        parsed.fault,
        parsed.repeat,
        parsed.json,
        variants,
        parsed.keep,
        parsed.runbook,
    )
    return 1 if runs.failures else 0


def _end(number: int, _frame: object) -> None:
    """End the process with what it would leave: its lab, and the folder of that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _down(parsed: argparse.Namespace) -> int:
    print("The lab is down." if lifecycle.down(parsed.dir) else f"No lab was up in {parsed.dir}.")
    return 0


def _since(started_at: float) -> str:
    return format_duration(time.monotonic() - started_at)
