"""The target as reports show it: names and places, never a secret."""

from __future__ import annotations

from dataclasses import field

from core.frozen import frozen

JOURNALD = "journald:"
"""The beginning of a log that is no file but what a systemd unit wrote to the journal."""

BEARER = "Authorization: Bearer {token}"
"""The header of a request that has a token, where the target names no other one."""


@frozen
class TargetSummary:
    """A target's facts in a report.

    `components` has the place of each component that a target can have, None where this one leaves
    it out. `placeholders` has what the runbook's commands call things, by the placeholder's name.
    `runbook_document` is the path of the team's own document, None for ours; `runbook_name` is the
    runbook of a run that names none, None for the project's default. `limits` has the
    largest value of a figure that the target accepts, `minimums` the smallest, by the figure's id.
    `worker_hosts` are the kinds of the hosts of the worker: local, ssh, docker, podman, kubectl.
    `command` runs all checks against this target again, as the run was started.
    `language` is the code of the language that the target asks for, if any. `absent` has the
    components that the system does not have at all, rather than the target leaving them out.
    """

    name: str
    environment: str
    components: dict[str, str | None]
    placeholders: dict[str, str] = field(default_factory=dict)
    runbook_document: str | None = None
    runbook_name: str | None = None
    limits: dict[str, float] = field(default_factory=dict)
    minimums: dict[str, float] = field(default_factory=dict)
    worker_hosts: tuple[str, ...] = ()
    command: str = ""
    language: str | None = None
    absent: tuple[str, ...] = ()
