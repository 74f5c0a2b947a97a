"""The first steps of the corrective actions and how to verify them, for a short report."""

from __future__ import annotations

import shlex

from reports.model.report import Report
from reports.runbook.document import Step
from reports.runbook.placeholders import is_valid, placeholders

STEPS_MAX = 3
STEPS_OF_SEVERAL_MAX = 4
"""Two steps of each of two causes: the first of a cause is often one that only looks."""


def first_steps(report: Report) -> list[Step]:
    """Return the first steps to show: of several causes in turn, those first that can be pasted.

    A step that only runs the checks again is left out: `verify_command` says it.
    """
    groups = _steps_by_cause(report)
    order = {id(step): place for place, step in enumerate(step for g in groups for step in g)}
    ready = [[step for step in group if _is_ready(step)] or group for group in groups]
    chosen: list[Step] = []
    most = STEPS_MAX if len(groups) < 2 else STEPS_OF_SEVERAL_MAX
    while any(ready) and len(chosen) < most:
        for group in ready:
            if group and len(chosen) < most:
                chosen.append(group.pop(0))
    return sorted(chosen, key=lambda step: order[id(step)])


def count_steps(report: Report) -> int:
    """Return the number of all steps, without those that only run the checks again."""
    return sum(map(len, _steps_by_cause(report)))


def command_again(report: Report) -> str:
    """Return the command that runs the checks of a report's target again."""
    return report.target.command or f"pytest --target {shlex.quote(report.target.name)}"


def verify_command(report: Report) -> str:
    """Return the command that shows whether the actions have helped."""
    impact = report.layout.impact
    # The id is the target's: one that a shell acts on is no id that the option takes.
    known = report.affected and is_valid("id", report.affected[0].id)
    asks = known and impact and impact.option
    option = f" {impact.option}={report.affected[0].id}" if impact and asks else ""
    return command_again(report) + option


def actions_command(report: Report, folder: str) -> str:
    """Return the command that lists all steps of the report in this folder.

    It needs the targets file that the run was given.
    """
    again = report.target.command
    try:
        words = shlex.split(again) if again.startswith("pytest ") else []
    except ValueError:  # a saved report may have been edited
        words = []
    options = [word for word in words if word.startswith("--targets-file=")]
    return shlex.join(["python", "-m", "actions", folder, *options])


def _steps_by_cause(report: Report) -> list[list[Step]]:
    return [[one for one in remedy.steps if not _runs_checks(one)] for remedy in report.remedies]


def _runs_checks(step: Step) -> bool:
    return bool(step.commands) and all(one.text.startswith("pytest ") for one in step.commands)


def _is_ready(step: Step) -> bool:
    return bool(step.commands) and any(not placeholders(one.text) for one in step.commands)
