"""targets.toml of a running lab: what a monitor of this Veza would be told."""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING

from core.files import write_file
from lab.state import DEAD_LETTER, QUEUE, Lab

if TYPE_CHECKING:
    from pathlib import Path

# Shorter than on live wherever a process speaks every few seconds, so that its silence shows within
# seconds too. What is about uploads' ages keeps the runbook's own numbers.
THRESHOLDS = {
    "log_silence_max": "10 s",
    "worker_settle": "2 s",
    "lock_wait_max": "2 s",
}


SETTLED_SECONDS = 3.1
"""Uptime at which the worker is past `worker_settle` for ps too, which counts whole seconds."""


def path(lab: Lab) -> Path:
    return lab.directory / "targets.toml"


def write(lab: Lab, *, queue: bool = True) -> None:
    """Write it, readable by the owner only. `queue` False leaves the broker out."""
    tables: dict[str, dict[str, object]] = {
        "": {"environment": "lab", "allow_writes": True},
        "api": {"url": lab.api_url, "token": lab.passwords.token},
        "database": {"dsn": lab.dsn},
        "queue": {
            "url": lab.amqp_url,
            "management_url": lab.management_url,
            "name": QUEUE,
            "dead_letter": DEAD_LETTER,
        },
        "storage": {
            "hosts": ["local://"],
            "path": str(lab.uploads),
            "service_user": _service_user(),
        },
        "logs": {"hosts": ["local://"], "files": [f"{lab.app_logs}/*.log"]},
        "worker": {
            "hosts": ["local://"],
            "pattern": lab.worker_pattern,
            "log_files": [f"{lab.worker_logs}/*.log"],
        },
        "thresholds": dict(THRESHOLDS),
    }
    if not (lab.broker and queue):
        del tables["queue"]
    text = "# Written by `python -m lab up`; gone with the lab.\n"
    for name, values in tables.items():
        text += f"\n[targets.lab{'.' + name if name else ''}]\n"
        # JSON's strings, lists and booleans are TOML's.
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    write_file(path(lab), text, 0o600)


def _service_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # A container may run as a number without a name.
        return str(os.geteuid())
