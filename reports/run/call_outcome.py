"""Turn a pytest call report into an Outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from core.language import tr
from core.outcome import STATUSES, Outcome, Status, check_id
from core.secrets import Redactor
from reports.run.collector import sentence_of


def outcome_of(
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    setup_seconds: float,
    redact: Redactor,
) -> Outcome | None:
    """Return the outcome that this phase (setup, call or teardown) settles, or None.

    A setup or a teardown that passed settles none.
    """
    if call.excinfo is None:
        if call.when != "call":
            return None
        status: Status = "passed"
        seen = ""
    else:
        status, seen = _verdict(call, report)
    observations = item.config.hook.pytest_check_observations(item=item) or ()
    seconds = item.config.hook.pytest_check_seconds(item=item)
    if seconds is None:
        seconds = setup_seconds + (call.duration if call.when == "call" else 0.0)
    function = getattr(item, "function", None)
    outcome = Outcome(
        check=check_id(item.nodeid),
        status=status,
        expected=sentence_of(getattr(function, "__doc__", None), item.name),
        seen=seen,
        observations=tuple(observations),
        seconds=round(seconds, 4),
    )
    # Its check and status are ours and stay as they are.
    return replace(redact.within(outcome), check=outcome.check, status=outcome.status)


def _verdict(call: pytest.CallInfo[None], report: pytest.TestReport) -> tuple[Status, str]:
    """Return status and sentence of an exception; an unknown exception is an error."""
    assert call.excinfo is not None
    error = call.excinfo.value
    text = str(error)
    if report.skipped:
        return "skipped", text
    stated = getattr(error, "check_status", None)
    if stated in STATUSES:
        return cast("Status", stated), text
    if isinstance(error, AssertionError) and call.when == "call":
        # Where pytest rewrites assertions it appends the expression.
        return "failed", text.partition("\nassert ")[0] or _source(call)
    last = call.excinfo.traceback[-1]
    return "error", tr(
        "{error} in {phase}: {message}\nat {path}:{line}",
        error=type(error).__name__,
        phase=call.when,
        message=text or tr("no message"),
        path=last.path,
        line=last.lineno + 1,
    )


def _source(call: pytest.CallInfo[None]) -> str:
    """Return the assertion itself, for a check without an assert message."""
    assert call.excinfo is not None
    return str(call.excinfo.traceback[-1].statement).strip()
