"""The targets.toml of a running lab, which `pytest --target lab` reads."""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING

from core.files import write_file
from lab.state import DEAD_LETTER, QUEUE, Lab

if TYPE_CHECKING:
    from pathlib import Path

# The lab's processes log every few seconds, so these limits are shorter than a live system's. The
# limits on the age of an upload are the runbook's.
THRESHOLDS = {
    "log_silence_max": "10 s",
    "worker_settle": "2 s",
    "lock_wait_max": "2 s",
}


SETTLED_SECONDS = 3.1
"""Uptime of a worker that is older than `worker_settle` for `ps` too, which counts full seconds."""


def path(lab: Lab) -> Path:
    """Return the path of the lab's targets.toml."""
    return lab.directory / "targets.toml"


def write(lab: Lab) -> None:
    """Write targets.toml, readable by the owner only; without a broker it has no queue."""
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
    if not lab.broker:
        del tables["queue"]
    text = "# Written by `python -m lab up`; `python -m lab down` deletes it.\n"
    for name, values in tables.items():
        text += f"\n[targets.lab{'.' + name if name else ''}]\n"
        # TOML writes strings, lists and booleans as JSON does.
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    write_file(path(lab), text, 0o600)


def _service_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # In a container, the user may be a number without a name.
        return str(os.geteuid())
