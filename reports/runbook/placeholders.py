"""Fill the placeholders of a runbook's commands, such as `<upload_id>`, with observed values."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from core.text import CONTROL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.runbook.document import Step

MAX_VALUE = 200

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]{0,40})>")

# Secrets are never written into an action that a report shows.
_NEVER_FILLED = frozenset({"token", "password", "secret"})


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders in a text, each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace placeholders such as `<upload_id>` by their values.

    One without a value, and one that names a secret, stays visible. Values lose control characters
    and line breaks and are cut at 200 characters; they are not quoted for a shell.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _NEVER_FILLED:
            return match.group(0)
        value = re.sub(r"[\n\t]", " ", CONTROL.sub("", values.get(name, ""))).strip()
        return value[:MAX_VALUE] or match.group(0)

    return _PLACEHOLDER.sub(value_of, text)


def fill_step(step: Step, values: Mapping[str, str]) -> Step:
    """Return the step with its title, text and commands filled (`fill`)."""
    commands = tuple(replace(command, text=fill(command.text, values)) for command in step.commands)
    return replace(
        step, title=fill(step.title, values), text=fill(step.text, values), commands=commands
    )
