"""RabbitMQ as a private node with its own ports, data, cookie, users and management plugin."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lab.errors import LabError
from lab.processes import spawn

if TYPE_CHECKING:
    from lab.state import Lab

# Debian's wrapper in /usr/sbin runs as root or rabbitmq only; its script here runs as any user.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")

NO_BUSY_WAIT = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Flags with which Erlang's threads sleep while they wait, and do not spin.

Beside ten busy processes `rabbitmqctl version` took 112 s with the defaults and 12 s so.
"""
# Statistics are refreshed every second instead of every five, so that figures lag less.
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
collect_statistics_interval = 1000
management.sample_retention_policies.global.minute = 1
management.sample_retention_policies.basic.minute = 1
management.sample_retention_policies.detailed.minute = 1
load_definitions = {definitions}
loopback_users = none
log.file.level = warning
log.file.rotation.size = 4194304
log.file.rotation.count = 1
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 50MB
"""
APPLICATION = "veza"
ADMINISTRATOR = "veza_lab"
"""The lab's own user: it must keep its rights when the application loses them."""


def is_installed() -> bool:
    """Return whether rabbitmq-server is on this machine."""
    return (SCRIPTS / "rabbitmq-server").exists()


def prepare(lab: Lab) -> None:
    """Write the node's configuration, its cookie, and the definitions that it loads at start."""
    home = lab.directory / "rabbitmq"
    for name in ("data", "log"):
        (home / name).mkdir(parents=True)
    (home / "plugins").write_text("[rabbitmq_management].\n")
    cookie = home / ".erlang.cookie"
    cookie.write_text(lab.passwords.cookie)
    cookie.chmod(0o400)
    definitions = home / "definitions.json"
    definitions.write_text(json.dumps(_definitions(lab), indent=1))
    (home / "rabbitmq.conf").write_text(
        CONFIGURATION.format(
            amqp=lab.ports.amqp, management=lab.ports.management, definitions=definitions
        )
    )


def _definitions(lab: Lab) -> dict[str, Any]:
    names = lab.rabbitmq

    def permission(user: str, pattern: str) -> dict[str, str]:
        return {"user": user, "vhost": names.vhost} | rights(pattern)

    return {
        "vhosts": [{"name": names.vhost}],
        "users": [
            {
                "name": ADMINISTRATOR,
                "password_hash": _hash(lab.passwords.superuser),
                "tags": "administrator",
            },
            {
                "name": APPLICATION,
                "password_hash": _hash(lab.passwords.owner),
                "tags": "administrator",
            },
            {
                "name": "veza_checks",
                "password_hash": _hash(lab.passwords.checks),
                "tags": "monitoring",
            },
        ],
        "permissions": [
            permission(ADMINISTRATOR, ".*"),
            permission(APPLICATION, ".*"),
            # A passive declaration needs no permission but access to the virtual host.
            permission("veza_checks", "^$"),
        ],
        "queues": [
            {
                "name": name,
                "vhost": names.vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": arguments,
            }
            for name, arguments in queues(lab).items()
        ],
    }


def rights(pattern: str) -> dict[str, str]:
    """Return the rights on all resources that a pattern matches."""
    return {"configure": pattern, "write": pattern, "read": pattern}


def queues(lab: Lab) -> dict[str, dict[str, str]]:
    """Return the queues of the application, each with the arguments of its declaration."""
    names = lab.rabbitmq
    return {names.queue: names.queue_arguments, names.dead_letter: names.type_argument}


def _hash(password: str) -> str:
    """Return RabbitMQ's salted hash of a password: base64(salt + sha256(salt + password))."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def environment(lab: Lab) -> dict[str, str]:
    """Return the environment in which node and rabbitmqctl find each other, and no other node."""
    home = lab.directory / "rabbitmq"
    return os.environ | {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(lab.ports.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "veza@localhost",
        "RABBITMQ_DIST_PORT": str(lab.ports.distribution),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        # The shell script then execs the Erlang VM, which so becomes a direct child process.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1} "
            f"{NO_BUSY_WAIT} +S 2:2"
        ),
        "RABBITMQ_CTL_ERL_ARGS": f"{NO_BUSY_WAIT} +S 1:1",
    }


def start_epmd(lab: Lab) -> subprocess.Popen[bytes]:
    """Start Erlang's port mapper in the foreground, on a port of its own."""
    return spawn(
        ["epmd", "-port", str(lab.ports.epmd), "-address", "127.0.0.1"],
        log=lab.directory / "log" / "epmd.out",
    )


def start(lab: Lab) -> subprocess.Popen[bytes]:
    """Start the node; it takes about eight seconds to be ready."""
    return spawn(
        [str(SCRIPTS / "rabbitmq-server")],
        log=lab.directory / "log" / "rabbitmq.out",
        env=environment(lab),
    )


def is_ready(lab: Lab) -> bool:
    """Return whether the management API answers and both queues exist."""
    try:
        names = {queue["name"] for queue in manage(lab, "GET", path_of(lab, "queues"))}
    except LabError:
        return False
    return set(queues(lab)) <= names


def path_of(lab: Lab, kind: str, *names: str) -> str:
    """Return the management API's path of the resources of a kind, or of one, in the vhost."""
    parts = [quote(name, safe="") for name in (lab.rabbitmq.vhost, *names)]
    return "/".join(["/api", kind, *parts])


def control(lab: Lab, *arguments: str) -> str:
    """Run rabbitmqctl against this node and return its output; raises LabError."""
    done = subprocess.run(
        [str(SCRIPTS / "rabbitmqctl"), "--quiet", *arguments],
        env=environment(lab),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd="/",
    )
    if done.returncode != 0:
        raise LabError(f"rabbitmqctl {arguments[0]} failed: {(done.stderr or done.stdout)[:300]}")
    return done.stdout


def set_message_ttl(lab: Lab, milliseconds: int) -> None:
    """Set a policy that lets the messages of the upload queue expire; 0 deletes it."""
    path = path_of(lab, "policies", "message-ttl")
    if milliseconds:
        pattern = f"^{re.escape(lab.rabbitmq.queue)}$"
        definition = {"message-ttl": milliseconds}
        body = {"pattern": pattern, "definition": definition, "apply-to": "queues"}
        manage(lab, "PUT", path, body)
    elif manage(lab, "GET", path_of(lab, "policies")):
        manage(lab, "DELETE", path)


def reports_acknowledgements(lab: Lab) -> bool:
    """Return whether the management API, whose figures lag, counts an acknowledged upload job."""
    return bool(upload_queue(lab).get("message_stats", {}).get("ack"))


def upload_queue(lab: Lab) -> dict[str, Any]:
    """Return what the management API knows of the upload queue."""
    return dict(manage(lab, "GET", path_of(lab, "queues", lab.rabbitmq.queue)))


def manage(lab: Lab, method: str, path: str, body: object = None) -> Any:
    """Call the management API as administrator and return the decoded answer, None when empty.

    Raises LabError.
    """
    login = f"{ADMINISTRATOR}:{lab.passwords.superuser}"
    credentials = base64.b64encode(login.encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{lab.ports.management}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own address
            text = answer.read()
    except (OSError, ValueError) as exc:
        raise LabError(f"management API, {method} {path}: {exc}") from exc
    return json.loads(text) if text else None
