"""The steps of the corrective actions that a short report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.runbook.placeholders import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.runbook.document import Step

STEPS_MAX = 3


def first_steps(remedies: Iterable[Iterable[Step]]) -> list[Step]:
    """Return the first steps to show: of several causes in turn, those first that can be pasted."""
    groups = [list(steps) for steps in remedies]
    order = {id(step): place for place, step in enumerate(step for g in groups for step in g)}
    ready = [[step for step in group if _is_ready(step)] or group for group in groups]
    chosen: list[Step] = []
    while any(ready) and len(chosen) < STEPS_MAX:
        for group in ready:
            if group and len(chosen) < STEPS_MAX:
                chosen.append(group.pop(0))
    return sorted(chosen, key=lambda step: order[id(step)])


def _is_ready(step: Step) -> bool:
    return bool(step.commands) and any(not placeholders(one.text) for one in step.commands)
