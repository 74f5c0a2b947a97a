"""Where one lab keeps its things, and what every process of it needs to know (lab.json)."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from core.files import write_file
from lab.errors import LabError

QUEUE = "process_upload"
DEAD_LETTER = "process_upload.dead"


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    api: int
    postgres: int
    amqp: int
    management: int
    epmd: int
    distribution: int


@dataclass(frozen=True)
class Passwords:
    """Made anew for each `up`; they open nothing but this lab."""

    superuser: str
    owner: str
    checks: str
    token: str
    """Bearer token of operations: may look at every upload."""
    user_token: str
    """Bearer token of an ordinary user: sees its own uploads only."""
    cookie: str


@dataclass(frozen=True)
class Lab:
    """One running lab. Frozen: what changes while it runs is asked from the supervisor."""

    directory: Path
    ports: Ports
    passwords: Passwords = field(repr=False)
    broker: bool
    """Whether jobs travel through RabbitMQ; otherwise the worker polls the job_queue table."""
    storage_kind: str
    """"tmpfs" (its own small file system) or "directory"."""
    drops_capabilities: bool
    """Whether API and worker obey mode bits although they run as root."""

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
        """Read-only: what a monitor may have."""
        return self.dsn_as("veza_checks", self.passwords.checks)

    @property
    def owner_dsn(self) -> str:
        return self.dsn_as("veza", self.passwords.owner)

    @property
    def superuser_dsn(self) -> str:
        return self.dsn_as("postgres", self.passwords.superuser)

    @property
    def worker_pattern(self) -> str:
        """Extended regular expression that only this lab's worker matches."""
        return f"lab[.]job_worker --dir {escape_ere(str(self.directory))}$"

    def dsn_as(self, user: str, password: str, database: str = "veza") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.ports.postgres}/{database}"

    def amqp_url_as(self, user: str, password: str) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{self.ports.amqp}/{quote('/', safe='')}"

    def management_url_as(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.ports.management}"

    def save(self) -> None:
        """Write lab.json, readable by the owner only, all or nothing."""
        values = asdict(self) | {"directory": str(self.directory)}
        write_file(self.directory / "lab.json", json.dumps(values, indent=1), 0o600)


def escape_ere(text: str) -> str:
    """`text` as an extended regular expression that matches just it (grep -E, Python's re)."""
    return "".join(f"\\{char}" if char in r"\.^$*+?()[]{}|" else char for char in text)


def default_directory() -> Path:
    """VEZA_LAB_DIR, else a directory of this user's cache."""
    given = os.environ.get("VEZA_LAB_DIR")
    if given:
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(cache).expanduser() / "veza-lab").absolute()


def load(directory: Path) -> Lab:
    """The lab of `directory`. Raises LabError when there is none."""
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
    """A lab with free ports and fresh passwords; nothing is started or written."""
    return Lab(
        directory=directory,
        ports=Ports(*_free_ports(6)),
        passwords=Passwords(*(secrets.token_hex(12) for _ in range(6))),
        broker=broker,
        storage_kind=storage_kind,
        drops_capabilities=drops_capabilities,
    )


def _free_ports(count: int) -> list[int]:
    # All are held open together so that no two are the same.
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
