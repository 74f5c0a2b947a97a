"""The configuration of one lab: ports, passwords, paths and URLs, saved as lab.json."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from core.files import write_file
from lab.errors import LabError

QUEUE = "process_upload"
DEAD_LETTER = "process_upload.dead"

LOAD_GENERATOR = "trickle"
"""The load generator's name in `status --json`, which other programs read."""
LOAD_GENERATOR_USER = UUID("7e2a0c1c-0000-4000-8000-000000000001")


@dataclass(frozen=True)
class Ports:
    """The TCP ports of a lab, on 127.0.0.1."""

    api: int
    postgres: int
    amqp: int
    management: int
    epmd: int
    distribution: int


@dataclass(frozen=True)
class Passwords:
    """Passwords and tokens of one lab; each `up` makes new ones."""

    superuser: str
    owner: str
    checks: str
    token: str
    """Bearer token of operations: may read every upload."""
    user_token: str
    """Bearer token of an ordinary user: may read its own uploads only."""
    cookie: str


@dataclass(frozen=True)
class Lab:
    """The configuration of a running lab; the supervisor knows its processes."""

    directory: Path
    ports: Ports
    passwords: Passwords = field(repr=False)
    broker: bool
    """True: jobs go through RabbitMQ; False: the worker polls the job_queue table."""
    storage_kind: str
    """"tmpfs" (a small file system of its own) or "directory"."""
    drops_capabilities: bool
    """True: API and worker obey file modes although they run as root."""

    @property
    def storage_root(self) -> Path:
        return self.directory / "storage"

    @property
    def uploads(self) -> Path:
        return self.storage_root / "uploads"

    @property
    def app_logs(self) -> Path:
        return self.directory / "log" / "veza-backend-api"

    @property
    def worker_logs(self) -> Path:
        return self.directory / "log" / "veza-worker"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def management_url(self) -> str:
        return self.management_url_as("veza_checks", self.passwords.checks)

    @property
    def amqp_url(self) -> str:
        return self.amqp_url_as("veza_checks", self.passwords.checks)

    @property
    def app_amqp_url(self) -> str:
        return self.amqp_url_as("veza", self.passwords.owner)

    @property
    def dsn(self) -> str:
        """Connection string of the monitor's read-only role."""
        return self.dsn_as("veza_checks", self.passwords.checks)

    @property
    def owner_dsn(self) -> str:
        return self.dsn_as("veza", self.passwords.owner)

    @property
    def superuser_dsn(self) -> str:
        return self.dsn_as("postgres", self.passwords.superuser)

    @property
    def worker_pattern(self) -> str:
        """Extended regular expression that matches this lab's worker and no other process."""
        return f"lab[.]job_worker --dir {escape_ere(str(self.directory))}$"

    def dsn_as(self, user: str, password: str, database: str = "veza") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.ports.postgres}/{database}"

    def amqp_url_as(self, user: str, password: str) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{self.ports.amqp}/{quote('/', safe='')}"

    def management_url_as(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.ports.management}"

    def save(self) -> None:
        """Write lab.json atomically, readable by the owner only."""
        values = asdict(self) | {"directory": str(self.directory)}
        write_file(self.directory / "lab.json", json.dumps(values, indent=1), 0o600)


def escape_ere(text: str) -> str:
    """Return an extended regular expression (grep -E, Python's re) that matches `text` only."""
    return "".join(f"\\{char}" if char in r"\.^$*+?()[]{}|" else char for char in text)


def default_directory() -> Path:
    """Return VEZA_LAB_DIR, or else veza-lab in the user's cache directory."""
    directory = os.environ.get("VEZA_LAB_DIR")
    if directory:
        return Path(directory).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(cache).expanduser() / "veza-lab").absolute()


def load(directory: Path) -> Lab:
    """Read the lab of `directory` from its lab.json; raises LabError when there is none."""
    try:
        values = json.loads((directory / "lab.json").read_text(encoding="utf-8"))
        return Lab(
            **values
            | {
                "directory": Path(values["directory"]),
                "ports": Ports(**values["ports"]),
                "passwords": Passwords(**values["passwords"]),
            }
        )
    except FileNotFoundError:
        raise LabError(f"no lab in {directory}; start one with: python -m lab up") from None
    except PermissionError:
        raise LabError(f"the lab in {directory} belongs to another user") from None
    except (ValueError, TypeError, KeyError) as exc:
        raise LabError(f"{directory}/lab.json is damaged ({exc}); run: python -m lab down") from exc


def new_lab(directory: Path, *, broker: bool, storage_kind: str, drops_capabilities: bool) -> Lab:
    """Return a lab with free ports and new passwords; starts and writes nothing."""
    return Lab(
        directory=directory,
        ports=Ports(*_free_ports(6)),
        passwords=Passwords(*(secrets.token_hex(12) for _ in range(6))),
        broker=broker,
        storage_kind=storage_kind,
        drops_capabilities=drops_capabilities,
    )


def _free_ports(count: int) -> list[int]:
    # All sockets are open at the same time, so that no port comes twice.
    sockets = [socket.socket() for _ in range(count)]
    try:
        for server in sockets:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in sockets]
    finally:
        for server in sockets:
            server.close()
