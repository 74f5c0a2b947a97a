#!/usr/bin/env python3
"""Print Kubernetes manifests for a targets file: a CronJob and a volume claim for each target.

    python deploy/kubernetes/jobs.py targets.toml --image registry.example/veza-checks:X.Y.Z

Prints YAML for `kubectl apply -f -`. Needs only the standard library and connects to nothing.
Each job gets only the secrets that its own target names, from the Secret veza-checks-TARGET:
"env:NAME" becomes the environment variable NAME, "file:PATH" the file PATH beside targets.toml.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import tomllib
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

FOLDER = "/etc/veza-checks"
OUT = "/var/lib/veza-checks"
USER = 10001
NAME_MAX = 52
"""Characters of a CronJob's name; Kubernetes appends eleven more for the names of its jobs."""

OPTIONAL_KEYS = ("ALERT_URLS", "HEARTBEAT_URL", "PUSHGATEWAY_URL")
"""Optional keys of a target's Secret, which deploy/run reads."""

DEADLINE = 60
"""Seconds beyond the interval after which Kubernetes ends a job that did not end by itself."""

RESERVE = 20
"""Seconds before the next start at which deploy/run has ended its looks at an unhealthy target."""


class TargetsError(ValueError):
    """The targets file gives no valid manifests; `str()` is one sentence with the reason."""


def job_name(target: str) -> str:
    """Return the name of a target's objects; raises TargetsError when it is too long."""
    name = "veza-checks-" + re.sub(r"[^a-z0-9-]+", "-", target.lower()).strip("-")
    if len(name) > NAME_MAX:
        raise TargetsError(f"the target {target} needs a name of at most {NAME_MAX - 12} letters")
    return name


def secrets_of(table: object) -> tuple[list[str], list[str]]:
    """Return the variables and the files that a target's table names, each once and sorted.

    Those of `[actions]` are left out: a scheduled run has no use for rights to change anything.
    Raises TargetsError for a file outside the folder of the targets file, and for two of one key.
    """
    references: set[str] = set()
    pending = [table]
    if isinstance(table, dict):
        pending = [value for name, value in table.items() if name != "actions"]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, str) and value.startswith(("env:", "file:")):
            references.add(value)
    names = sorted(text[4:] for text in references if text.startswith("env:"))
    files = sorted(text[5:] for text in references if text.startswith("file:"))
    for path in files:
        if path.startswith("/") or ".." in PurePosixPath(path).parts or not path:
            raise TargetsError(f"file:{path} must lie beside the targets file, as file:live/token")
    keys = {f"env:{name}": name for name in names} | {
        f"file:{path}": key_of(path) for path in files
    }
    for one, other in itertools.combinations(keys, 2):
        if keys[one] == keys[other]:
            raise TargetsError(
                f"{one} and {other} would have one key in the Secret, {keys[one]}; rename one"
            )
    return names, files


def key_of(path: str) -> str:
    """Return a file's key in a Secret; a key cannot contain a slash."""
    return path.replace("/", ".")


def minutes(target: str, every: int) -> str:
    """Return a crontab's minutes, every `every` minutes; the first one depends on the target."""
    return f"{zlib.crc32(target.encode()) % every}-59/{every}"


def objects(target: str, table: object, image: str, every: int) -> list[dict[str, Any]]:
    """Return a target's PersistentVolumeClaim and CronJob; raises TargetsError."""
    name = job_name(target)
    labels = {"app.kubernetes.io/name": "veza-checks", "app.kubernetes.io/instance": name}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "256Mi"}},
        },
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "schedule": f"{minutes(target, every)} * * * *",
            "concurrencyPolicy": "Forbid",
            # Skip a run that is this late: the next one comes soon.
            "startingDeadlineSeconds": 120,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    # No retry: a failed run is a result, and the next run checks again.
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": max(every * 60 + DEADLINE, 300),
                    "ttlSecondsAfterFinished": 86400,
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": pod(target, table, image, every),
                    },
                },
            },
        },
    }
    return [claim, job]


def pod(target: str, table: object, image: str, every: int) -> dict[str, Any]:
    """Return the pod of one run: not root, no capabilities, a read-only root, its own secrets."""
    names, files = secrets_of(table)
    secret = job_name(target)
    environment = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
        for name in names
    ]
    environment += [
        {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": secret, "key": name, "optional": True}},
        }
        for name in OPTIONAL_KEYS
    ]
    environment.append({"name": "VEZA_LOOK_UNTIL", "value": str(every * 60 - RESERVE)})
    sources: list[dict[str, Any]] = [{"configMap": {"name": "veza-checks-targets"}}]
    if files:
        items = [{"key": key_of(path), "path": path} for path in files]
        sources.append({"secret": {"name": secret, "items": items}})
    container = {
        "name": "checks",
        "image": image,
        "args": [target],
        "env": environment,
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "configuration", "mountPath": FOLDER, "readOnly": True},
            {"name": "out", "mountPath": OUT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
    }
    return {
        "restartPolicy": "Never",
        # The checks do not use the Kubernetes API.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "configuration", "projected": {"sources": sources, "defaultMode": 0o440}},
            {"name": "out", "persistentVolumeClaim": {"claimName": secret}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def manifests(targets: dict[str, Any], image: str, every: int) -> list[dict[str, Any]]:
    """Return the objects of all targets, in the file's order; raises TargetsError."""
    if not targets:
        raise TargetsError("the file has no [targets.NAME] table")
    owners: dict[str, str] = {}
    result: list[dict[str, Any]] = []
    for target, table in targets.items():
        if not isinstance(table, dict):
            raise TargetsError(f"targets.{target} is not a table")
        other = owners.setdefault(job_name(target), target)
        if other != target:
            raise TargetsError(
                f"the targets {other} and {target} would both have the name {job_name(target)}"
            )
        result += objects(target, table, image, every)
    return result


def yaml(value: object, indent: int = 0) -> str:
    """Return `value` as block YAML; texts are written as JSON strings, which are valid YAML."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{key}:{_nested(item, indent)}" for key, item in value.items())
    if isinstance(value, list) and value:
        texts = (yaml(item, indent + 1) for item in value)
        return "".join(f"{pad}- {text[len(pad) + 2 :]}" for text in texts)
    return f"{pad}{json.dumps(value)}\n"


def _nested(value: object, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + yaml(value, indent + 1)
    return f" {json.dumps(value)}\n"


def main() -> int:
    """Print the manifests and return 0; print one sentence and return 2 for an invalid file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", type=Path, metavar="TARGETS_FILE", help="the targets file")
    parser.add_argument(
        "--image", required=True, help="the image built with deploy/docker/Dockerfile"
    )
    parser.add_argument(
        "--every",
        type=int,
        default=5,
        choices=(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30),
        help="minutes from run to run (default: %(default)s)",
    )
    options = parser.parse_args()
    try:
        tables = tomllib.loads(options.targets.read_text(encoding="utf-8")).get("targets", {})
        documents = manifests(tables, options.image, options.every)
    except OSError as exc:
        print(f"{parser.prog}: {options.targets} cannot be read: {exc.strerror}", file=sys.stderr)
        return 2
    except tomllib.TOMLDecodeError as exc:
        print(f"{parser.prog}: {options.targets} is not valid TOML: {exc}", file=sys.stderr)
        return 2
    except ValueError as exc:
        print(f"{parser.prog}: {options.targets}: {exc}", file=sys.stderr)
        return 2
    sys.stdout.write("".join(f"---\n{yaml(document)}" for document in documents))
    return 0


if __name__ == "__main__":
    sys.exit(main())
