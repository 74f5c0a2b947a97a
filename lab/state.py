"""The configuration of one lab: ports, passwords, paths and URLs, saved as lab.json."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from core.files import write_file
from lab.errors import LabError
from lab.variants import Broker, Variant, get_variant

QUEUE = Broker().queue
"""The upload queue of the standard variant."""

LOAD_GENERATOR = "trickle"
"""The load generator's name in `status --json`, which other programs read."""
WORKER = "worker"
"""The name of the first worker process; further ones are "worker-2" and so on."""


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
    login: str
    """Password of every user of the lab."""
    signing_key: str
    """Signs the tokens of logins."""


@dataclass(frozen=True)
class Lab:
    """The configuration of a running lab; the supervisor knows its processes."""

    directory: Path
    ports: Ports
    passwords: Passwords = field(repr=False)
    variant: Variant
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

    def stored_file(self, upload: str, name: str) -> Path:
        """Return the path of an upload's file; `name` is safe (see lab.processing.stored_name)."""
        return self.uploads / self.variant.stored_name.format(upload=upload, name=name)

    def delete_stored_file(self, upload: str, name: str) -> None:
        """Delete an upload's file, and its directory where it has one of its own."""
        path = self.stored_file(upload, name)
        if path.parent == self.uploads:
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path.parent, ignore_errors=True)

    @property
    def app_logs(self) -> Path:
        return self.directory / "log" / "veza-backend-api"

    @property
    def worker_logs(self) -> Path:
        return self.directory / "log" / "veza-worker"

    @property
    def api_log(self) -> Path:
        return self.app_logs / "api.log"

    def worker_log_files(self, worker: str) -> tuple[Path, ...]:
        """Return the files that a worker logs to."""
        suffix = worker.removeprefix(WORKER)
        names = (name.format(suffix=suffix) for name in self.variant.worker_logs)
        return tuple(self.directory / "log" / name for name in names)

    @property
    def has_worker_log(self) -> bool:
        """True where workers have a log of their own."""
        return any(path.parent == self.worker_logs for path in self.worker_log_files(WORKER))

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of the worker processes: "worker", "worker-2"."""
        return (WORKER, *(f"{WORKER}-{number}" for number in range(2, self.variant.workers + 1)))

    @property
    def rabbitmq(self) -> Broker:
        """The names in RabbitMQ; raises LabError where the variant has no broker."""
        if self.variant.broker is None:
            raise LabError(f"the variant {self.variant.name} has no broker")
        return self.variant.broker

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
        return self.dsn_as("veza_checks", self.passwords.checks) + self.variant.dsn_options

    @property
    def owner_dsn(self) -> str:
        return self.dsn_as("veza", self.passwords.owner)

    @property
    def superuser_dsn(self) -> str:
        return self.dsn_as("postgres", self.passwords.superuser)

    @property
    def worker_pattern(self) -> str:
        """Extended regular expression that matches this lab's workers and no other process."""
        name = f"( --name {WORKER}-[0-9]+)?" if len(self.workers) > 1 else ""
        return f"lab[.]job_worker{name} --dir {escape_ere(str(self.directory))}$"

    def dsn_as(self, user: str, password: str, database: str = "veza") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.ports.postgres}/{database}"

    def amqp_url_as(self, user: str, password: str) -> str:
        vhost = quote(self.rabbitmq.vhost, safe="")
        return f"amqp://{user}:{password}@127.0.0.1:{self.ports.amqp}/{vhost}"

    def management_url_as(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.ports.management}"

    def save(self) -> None:
        """Write lab.json atomically, readable by the owner only."""
        values = {
            "directory": str(self.directory),
            "ports": asdict(self.ports),
            "passwords": asdict(self.passwords),
            "variant": self.variant.name,
            "broker": self.broker,
            "storage_kind": self.storage_kind,
            "drops_capabilities": self.drops_capabilities,
        }
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


def refuse_of_another_user(directory: Path) -> None:
    """Raise LabError for a directory that this user may not read."""
    try:
        os.scandir(directory).close()
    except PermissionError:
        raise LabError(
            f"the lab in {directory} belongs to another user; "
            "set VEZA_LAB_DIR to a folder of your own"
        ) from None
    except OSError:
        return  # it is not there, or no directory: the commands say so


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
                "variant": get_variant(values["variant"]),
            }
        )
    except FileNotFoundError:
        raise LabError(f"no lab in {directory}; start one with: python -m lab up") from None
    except PermissionError:
        raise LabError(f"the lab in {directory} belongs to another user") from None
    except (ValueError, TypeError, KeyError) as exc:
        raise LabError(f"{directory}/lab.json is damaged ({exc}); run: python -m lab down") from exc


def new_lab(
    directory: Path,
    *,
    variant: Variant,
    broker: bool,
    storage_kind: str,
    drops_capabilities: bool,
) -> Lab:
    """Return a lab with ports of its own and new passwords; starts and writes nothing."""
    return Lab(
        directory=directory,
        ports=Ports(*_reserve_ports(6)),
        passwords=Passwords(*(secrets.token_hex(12) for _ in range(8))),
        variant=variant,
        broker=broker and variant.broker is not None,
        storage_kind=storage_kind,
        drops_capabilities=drops_capabilities,
    )


_reserved: list[socket.socket] = []
"""Sockets that are bound and never listen: they keep the ports of labs until this process ends."""


def _reserve_ports(count: int) -> list[int]:
    """Return ports on which a server can listen, and which nobody gets who takes any free one.

    Otherwise a client's connection could get the port of a service that starts, or is down.
    """
    for _ in range(count):
        reserved = socket.socket()
        # Servers set it too: two sockets may then have one port while at most one listens.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        _reserved.append(reserved)
    return [reserved.getsockname()[1] for reserved in _reserved[-count:]]
