"""Print shell variables for bench/runbook_commands.sh: addresses and paths of the running lab."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys


def main() -> None:
    """Print one `export NAME=value` line per variable."""
    lab = json.loads(_output(sys.executable, "-m", "lab", "status", "--json"))
    broker = lab["broker"]
    if broker is None:
        sys.exit("the runbook's commands need a lab with RabbitMQ: python -m lab setup")
    query = "SELECT id FROM uploads ORDER BY created_at DESC LIMIT 1"
    values = {
        "api_url": lab["api"]["url"],
        "token": lab["api"]["token"],
        "dsn": lab["database"]["dsn"],
        "management_url": broker["management_url"],
        "upload_dir": lab["storage"]["path"],
        "log_files": lab["logs"]["application"],
        "worker_log_files": lab["logs"]["worker"],
        "upload_id": _output("psql", "-XAtc", query, lab["database"]["dsn"]).strip(),
        # For rabbitmqctl, to connect to this node and to no other.
        "RABBITMQ_NODENAME": broker["node"],
        "ERL_EPMD_PORT": str(broker["epmd_port"]),
        "HOME": broker["home"],
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
