"""The targets.toml of a running lab, which `pytest --target lab` reads."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from core.files import write_file
from lab import accounts
from lab.variants import STANDARD

if TYPE_CHECKING:
    from lab.state import Lab
    from lab.variants import Variant

# The lab's processes log every few seconds, so these limits are shorter than a live system's. The
# limits on the age of an upload are the runbook's.
THRESHOLDS: dict[str, object] = {
    "log_silence_max": "10 s",
    "worker_settle": "1 s",
    "lock_wait_max": "2 s",
}

BUDGET = "100 s"
"""Longer than the default: the lab's own processes have the processors of the machine too."""

SETTLED_SECONDS = 2.1
"""Uptime of a worker that is older than `worker_settle` for `ps` too, which counts full seconds."""


def path(lab: Lab) -> Path:
    """Return the path of the lab's targets.toml."""
    return lab.directory / "targets.toml"


def write(lab: Lab) -> None:
    """Write targets.toml as an operator of the variant would; readable by the owner only."""
    names = _different_names(lab.variant)
    worker_log = {"log_files": [f"{lab.worker_logs}/*.log"]} if lab.has_worker_log else {}
    tables: dict[str, dict[str, object]] = {
        "": {
            "environment": "lab",
            "allow_writes": True,
            "budget": BUDGET,
            **({} if lab.broker else {"queue": False}),
        },
        "api": {"url": lab.api_url, "token": lab.passwords.token, **names["api"]},
        "database": {"dsn": lab.dsn, **names["database"]},
        **({"queue": _queue(lab)} if lab.broker else {}),
        "storage": {
            "hosts": ["local://"],
            "path": str(lab.uploads),
            "service_user": _service_user(),
        },
        "logs": {"hosts": ["local://"], "files": [f"{lab.app_logs}/*.log"]},
        "worker": {
            "hosts": ["local://"],
            "pattern": lab.worker_pattern,
            "count": len(lab.workers),
            **worker_log,
        },
        "canary": names["canary"],
        "login": _login(lab),
        "actions": _actions(lab),
        "thresholds": THRESHOLDS | names["thresholds"],
    }
    text = "# Written by `python -m lab up`; `python -m lab down` deletes it.\n"
    for name, values in tables.items():
        if not values:
            continue
        text += f"\n[targets.lab{'.' + name if name else ''}]\n"
        # TOML writes strings, lists and booleans as JSON does.
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    write_file(path(lab), text, 0o600)


def _different_names(variant: Variant) -> dict[str, dict[str, object]]:
    """Return the values that an operator has to write: those that are not the default."""
    standard = _names(STANDARD)
    return {
        table: {key: value for key, value in values.items() if value != standard[table][key]}
        for table, values in _names(variant).items()
    }


def _names(variant: Variant) -> dict[str, dict[str, object]]:
    routes = variant.routes
    return {
        "api": {"status_path": routes.status, "track_path": routes.track},
        "database": {
            "uploads_table": variant.uploads_table,
            "jobs_table": variant.jobs_table,
            "job_type": variant.job_type,
        },
        "canary": {
            "upload_path": routes.upload,
            "delete_path": routes.delete,
            "file_field": variant.file_field,
        },
        "thresholds": {"worker_starts_max": variant.workers},
    }


def _queue(lab: Lab) -> dict[str, object]:
    management = {"management_url": lab.management_url} if lab.rabbitmq.management else {}
    return {
        "url": lab.amqp_url,
        **management,
        "name": lab.rabbitmq.queue,
        "message": "job_id",
        "dead_letter": lab.rabbitmq.dead_letter,
    }


def _login(lab: Lab) -> dict[str, object]:
    """Return the routes, the account of the checks, the tables, and the lab's own log lines."""
    variant, login = lab.variant, lab.variant.login

    def words(message: str) -> str:
        return variant.messages.get(message, message)

    return {
        "path": login.path,
        "me_path": login.me,
        "logout_path": login.logout,
        "account": accounts.CHECKS_ACCOUNT,
        "password": lab.passwords.login,
        "account_field": login.email_field,
        "token_pointer": f"{'/data' if variant.has_envelope else ''}/{login.token}",
        "users_table": login.users_table,
        "status_column": login.status,
        "attempts_table": login.attempts_table,
        "outcome_column": login.outcome,
        "time_column": login.at,
        "crash_lines": f"pani.*{login.path}",
        "limited_lines": words("login rate limited"),
        "refused_token_lines": words("token refused"),
        "time_max": "1500 ms",
    }


def _actions(lab: Lab) -> dict[str, object]:
    """Return the rights of the corrective actions: the application's own."""
    broker = {"broker_url": lab.app_amqp_url} if lab.broker else {}
    return {"hosts": ["local://"], "dsn": lab.owner_dsn, **broker}


def _service_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # In a container, the user may be a number without a name.
        return str(os.geteuid())
