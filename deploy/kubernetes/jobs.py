#!/usr/bin/env python3
"""Kubernetes manifests from a targets file: for each target one CronJob and the disk it writes to.

    python deploy/kubernetes/jobs.py targets.toml --image registry.example/veza-checks:0.1.0

Prints YAML for `kubectl apply -f -`. Needs the standard library only, and connects to nothing.
Each job gets just the secrets that its own target names, from its Secret veza-checks-TARGET:
NAME of "env:NAME" as an environment variable, PATH of "file:PATH" as a file beside targets.toml.
"""

from __future__ import annotations

import argparse
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
"""Characters of a CronJob's name: Kubernetes appends eleven to those of its jobs."""

TOLD = ("ALERT_URLS", "HEARTBEAT_URL", "PUSHGATEWAY_URL")
"""Keys of a target's Secret that deploy/run uses where they are there."""

DEADLINE = 300
"""Seconds after which Kubernetes ends a run whose own budget did not."""


class TargetsError(ValueError):
    """The targets file cannot become jobs; `str()` says why in one sentence."""


def job_name(target: str) -> str:
    """Return the name of a target's objects; raises TargetsError where it makes none."""
    name = "veza-checks-" + re.sub(r"[^a-z0-9-]+", "-", target.lower()).strip("-")
    if len(name) > NAME_MAX:
        raise TargetsError(f"the target {target} needs a name of at most {NAME_MAX - 12} letters")
    return name


def secrets_of(table: object) -> tuple[list[str], list[str]]:
    """Return the variables and the files that a target's table names, each once and sorted."""
    found: set[str] = set()
    pending = [table]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, str) and value.startswith(("env:", "file:")):
            found.add(value)
    names = sorted(text[4:] for text in found if text.startswith("env:"))
    files = sorted(text[5:] for text in found if text.startswith("file:"))
    for path in files:
        if path.startswith("/") or ".." in PurePosixPath(path).parts or not path:
            raise TargetsError(f"file:{path} must lie beside the targets file, as file:live/token")
    return names, files


def key_of(path: str) -> str:
    """Return the key that a file has in a Secret, where no slash may be."""
    return path.replace("/", ".")


def minutes(target: str, every: int) -> str:
    """Return the minutes of a crontab: every `every`, from one that differs between targets."""
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
            # A run that comes late says nothing of its time; the next one is near.
            "startingDeadlineSeconds": 120,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    # A failed run is a verdict: the next run looks again, not a retry.
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": DEADLINE,
                    "ttlSecondsAfterFinished": 86400,
                    "template": {"metadata": {"labels": labels}, "spec": pod(target, table, image)},
                },
            },
        },
    }
    return [claim, job]


def pod(target: str, table: object, image: str) -> dict[str, Any]:
    """Return the pod of one run: not root, no right, a read-only root, its own secrets."""
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
        for name in TOLD
    ]
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
        # The checks do not ask Kubernetes anything.
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
    found: list[dict[str, Any]] = []
    for target, table in targets.items():
        if not isinstance(table, dict):
            raise TargetsError(f"targets.{target} is no table")
        other = owners.setdefault(job_name(target), target)
        if other != target:
            raise TargetsError(f"the targets {other} and {target} would both be {job_name(target)}")
        found += objects(target, table, image, every)
    return found


def yaml(value: object, indent: int = 0) -> str:
    """Return `value` as block YAML: texts as JSON writes them, which YAML reads alike."""
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
    """Print the manifests; exit status 2 and one sentence where that cannot be."""
    said = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(description=said)
    parser.add_argument("targets", type=Path, metavar="TARGETS_FILE")
    parser.add_argument("--image", required=True, help="the image made by deploy/docker/Dockerfile")
    parser.add_argument(
        "--every", type=int, default=5, choices=(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30), help="min"
    )
    options = parser.parse_args()
    try:
        tables = tomllib.loads(options.targets.read_text(encoding="utf-8")).get("targets", {})
        made = manifests(tables, options.image, options.every)
    except (OSError, ValueError) as exc:
        print(f"{parser.prog}: {options.targets}: {exc}", file=sys.stderr)
        return 2
    sys.stdout.write("".join(f"---\n{yaml(one)}" for one in made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
