"""Permission to run a command: the annotation `<!-- run: ... -->` after its code block.

    <!-- run: on=worker effect=restart verify=worker/process_is_running -->
    <!-- run: on=database effect=rows verify=database/stuck_uploads_have_a_job,signal/... -->

`on` is where it runs: a host of the component, the database or the queue. `effect` is what it
changes there. `verify` names the checks that show its success. Without the annotation, a command
is for people only. `python -m actions` reads it; a report does not.
"""

from __future__ import annotations

import re

from core.frozen import frozen
from core.language import mark, tr
from core.text import listed

EFFECTS = {
    "worker": (mark("restart"), mark("signal")),
    "storage": (mark("permissions"),),
    "database": (mark("rows"),),
    "queue": (mark("publish"),),
}
"""The effects that a command may have, by the place where it runs."""

IN_SQL = ("database", "queue")
"""The places of statements; a command of any other place is one of a shell."""

SQL = ("sql", "postgresql", "psql")
SHELL = ("bash", "sh", "shell")

_KEYS = ("on", "effect", "verify")
_CHECK = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")


@frozen
class RunRule:
    """The place where a command may run, its effect there, and the checks that verify it."""

    on: str
    effect: str
    verify: tuple[str, ...]


def parse_rule(text: str, language: str) -> RunRule:
    """Return the rule of a command in this language; raises ValueError with a sentence."""
    pairs = [part.partition("=") for part in text.split()]
    values = {key: value for key, _, value in pairs}
    for key in values:
        if key not in _KEYS:
            raise ValueError(
                tr('"run:" has no key "{key}"; it has {keys}', key=key[:40], keys=listed(_KEYS))
            )
    if len(values) < len(pairs) or set(values) != set(_KEYS):
        raise ValueError(tr('"run:" needs {keys}, each once', keys=listed(_KEYS)))
    on, effect, verify = (values[key] for key in _KEYS)
    if on not in EFFECTS:
        raise ValueError(
            tr('"on={on}" in "run:": write {places}', on=on[:40], places=listed([*EFFECTS], "or"))
        )
    if effect not in EFFECTS[on]:
        raise ValueError(
            tr(
                '"effect={effect}" in "run:": with on={on} write {effects}',
                effect=effect[:40],
                on=on,
                effects=listed(EFFECTS[on], "or"),
            )
        )
    checks = tuple(verify.split(","))
    if not all(map(_CHECK.fullmatch, checks)):
        raise ValueError(tr('"verify=" in "run:": write module/check, or several with commas'))
    languages = SQL if on in IN_SQL else SHELL
    if language.lower() not in languages:
        raise ValueError(
            tr(
                '"run:" with on={on} needs a code block in {languages}',
                on=on,
                languages=listed(languages, "or"),
            )
        )
    return RunRule(on, effect, checks)
