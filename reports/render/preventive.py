"""The preventive actions of a runbook that are in place, as far as a run has seen it.

No check is about them: a runbook's own preventive.py says what it reads of what its checks have
observed in any case. What they cannot show stays open, with the reason.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from core.frozen import frozen
from core.language import tr
from core.outcome import OBSERVED
from core.text import titled
from reports.model.bundle import RUNBOOKS, folder_of
from reports.model.report import Report
from reports.render.markdown import escaped
from reports.runbook.document import RunbookError

if TYPE_CHECKING:
    Look = Callable[[Report], "Seen"]

NAME = "preventive.py"

_BOX = re.compile(r"^(\s*[-*] )\[ \] (.+)$", re.MULTILINE)


@frozen
class Seen:
    """State of a preventive action: it is in place, or the reason why it stays open."""

    in_place: bool
    text: str


def box(title: str, report: Report, group: str = "") -> str:
    """Return a preventive action as a box in Markdown: ticked with its evidence, or open."""
    state = look(title, report)
    name = titled(group, title) if group else title
    if state.in_place:
        return "[x] " + titled(escaped(name), escaped(state.text))
    return f"[ ] {escaped(name)} ({escaped(state.text)})"


def ticked(template: str, report: Report) -> str:
    """Return a post-mortem's template with the boxes ticked that are seen to be in place."""

    def tick(match: re.Match[str]) -> str:
        state = look(match[2], report)
        if not state.in_place:
            return match[0]
        text = titled(match[2], escaped(state.text))
        return f"{match[1]}[x] {text}"

    return _BOX.sub(tick, template)


def look(title: str, report: Report) -> Seen:
    """Return what a report shows of a preventive action with this title, English or French."""
    for pattern, find in _looks_of(report):
        if re.search(pattern, title, re.IGNORECASE):
            return find(report)
    return Seen(False, tr("not looked at: no check of the run shows it"))


def _looks_of(report: Report) -> Sequence[tuple[str, Look]]:
    try:
        return _load(folder_of(report).name)
    except RunbookError:
        return ()


@cache
def _load(runbook: str) -> Sequence[tuple[str, Look]]:
    """Return `LOOKS` of its preventive.py: patterns of titles, and what looks for each."""
    path = RUNBOOKS / runbook / NAME
    spec = importlib.util.spec_from_file_location(f"runbooks.{runbook}.preventive", path)
    if not path.exists() or spec is None or spec.loader is None:
        return ()
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    looks: Sequence[tuple[str, Look]] = module.LOOKS
    return looks


def not_looked_at(report: Report, check: str) -> Seen:
    """Return that a check has not recorded what would show it, and why not."""
    outcome = report.outcome(check)
    if outcome is None or outcome.status in OBSERVED or not outcome.seen:
        return Seen(False, tr("not looked at: {check} has not recorded it", check=check))
    # The reason for a skip may be that the target has no such feature.
    if outcome.status == "skipped":
        return Seen(False, tr("open: {reason}", reason=outcome.seen))
    return Seen(False, tr("not looked at: {reason}", reason=outcome.seen))


def data_of(report: Report, check: str, observation: str) -> dict[str, Any]:
    """Return the data of an observation of a check; empty where it was not made."""
    outcome = report.outcome(check)
    candidates = (
        one.data for one in (outcome.observations if outcome else ()) if one.name == observation
    )
    data = next(candidates, None)
    return data if isinstance(data, dict) else {}


def texts_of(value: Any) -> list[str]:
    # A report may have been edited: anything may stand here.
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
