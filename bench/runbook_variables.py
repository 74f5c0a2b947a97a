"""Shell variables for bench/runbook_commands.sh: where everything of a running lab is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys


def main() -> None:
    """Print NAME=value lines for the lab whose status `python -m lab status --json` tells."""
    command = [sys.executable, "-m", "lab", "status", "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    broker = told["broker"]
    if broker is None:
        sys.exit(
            "the runbook's commands are timed against a lab with RabbitMQ: python -m lab setup"
        )
    query = "SELECT id FROM uploads ORDER BY created_at DESC LIMIT 1"
    newest = ["psql", "-XAtc", query, told["database"]["dsn"]]
    values = {
        "api_url": told["api"]["url"],
        "token": told["api"]["token"],
        "dsn": told["database"]["dsn"],
        "management_url": broker["management_url"],
        "upload_dir": told["storage"]["path"],
        "log_files": told["logs"]["application"],
        "worker_log_files": told["logs"]["worker"],
        "upload_id": subprocess.run(
            newest, check=True, capture_output=True, text=True
        ).stdout.strip(),
        # What rabbitmqctl needs to find this node and no other.
        "RABBITMQ_NODENAME": broker["node"],
        "ERL_EPMD_PORT": str(broker["epmd_port"]),
        "HOME": broker["home"],
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
