"""A run's Allure results: one file a check, made from the report alone.

allure-pytest writes its own while the checks run, before anything is known of their causes, from
each process on its own: what a process had not written yet when it crashed is lost, and the text of
every exception is written as it came. These are written once, when the run is over.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from reports.model.attribution import attribute, reason
from reports.model.report_json import to_json
from reports.render.allure_about import about_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.outcome import Observation
    from reports.model.report import Report, Result

STATUSES = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "unreachable": "broken",
    "error": "broken",
    "missing": "broken",
}
"""Allure's "failed" is "the target is bad", its "broken" is "could not look"."""

SEVERITIES = {"symptom": "critical", "cause": "normal"}
"""What users suffer from comes before the reason for it."""

ROLES = {
    "symptom": "a symptom, its failure is what users suffer from",
    "cause": "a cause, its failure is a reason and not yet a symptom",
}

STEP_MAX = 200
"""Characters of an observation that stand in a step's name; its attachment has all of it."""


@dataclass(frozen=True)
class Span:
    """When a check ran, in seconds since 1970, and in which process."""

    start: float
    stop: float
    process: str = ""


@dataclass(frozen=True)
class Run:
    """What the report does not say of a run.

    `id` is unique among runs. `nodeids` and `spans` are by check, `started` is when a check began
    that left no span, `verdict` the report as plain text, `link` the runbook's address, `machine`
    the name of the host that looked, `environ` the variables that a CI system sets.
    """

    id: str
    started: float
    verdict: str
    link: str = ""
    machine: str = ""
    nodeids: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


def allure_files(report: Report, run: Run) -> dict[str, str]:
    """Return the text of each file by its name, attachments before what refers to them."""
    files: dict[str, str] = {}
    verdict = _attachment("Verdict", run.verdict, "txt", "text/plain", files, run)
    whole = _attachment("report.json", to_json(report), "json", "application/json", files, run)
    results = [_result(result, report, run, files) for result in report.results]
    for result in results:
        files[f"{result['uuid']}-result.json"] = _json(result)
    now = round((run.started + report.seconds) * 1000)
    files[f"{_uuid(run, 'globals')}-globals.json"] = _json(
        {
            "attachments": [{**verdict, "timestamp": now}, {**whole, "timestamp": now}],
            "errors": [{"message": problem, "timestamp": now} for problem in report.problems],
        }
    )
    return {**files, **about_files(report, run.environ)}


def _result(result: Result, report: Report, run: Run, files: dict[str, str]) -> dict[str, Any]:
    """Return a check as Allure's result; what it attaches is added to `files`."""
    outcome = result.outcome
    name, parameters = _named(outcome.check, report.target.name)
    full_name = full_name_of(run.nodeids.get(outcome.check, ""), name)
    span = run.spans.get(outcome.check) or Span(run.started, run.started, outcome.process)
    status = STATUSES[outcome.status]
    told = {
        "uuid": _uuid(run, outcome.check),
        "name": outcome.expected or outcome.check,
        "fullName": full_name,
        "testCaseId": _digest(full_name),
        "historyId": history_id(full_name, parameters),
        "titlePath": [report.runbook, _feature(result, report)],
        "description": f"`{outcome.check}`: {ROLES.get(result.role, result.role)}",
        "status": status,
        "stage": "finished",
        "start": _milliseconds(span.start),
        "stop": _milliseconds(span.stop),
        "labels": _labels(result, report, run, span),
        "links": [{"type": "runbook", "name": report.runbook, "url": run.link}] if run.link else [],
        "parameters": [{"name": key, "value": value} for key, value in parameters.items()],
        "steps": _steps(outcome.observations, span, files, run),
    }
    if status != "passed":
        told["statusDetails"] = _details(result, report)
    if status in ("failed", "broken"):
        verdict = _attachment("Verdict", run.verdict, "txt", "text/plain", files, run)
        told["attachments"] = [verdict]
    return told


def full_name_of(nodeid: str, name: str) -> str:
    """Return a check's name as allure-pytest forms it, so that its test plans select it.

    `name` stands in for a check whose node id is not known.
    """
    path, _, function = nodeid.partition("::")
    if not function:
        return name
    package = path.removesuffix(".py").replace("/", ".")
    return f"{package}#{function.split('::')[-1].partition('[')[0]}"


def history_id(full_name: str, parameters: Mapping[str, str]) -> str:
    """Return what a check is known by from run to run, on whatever machine it runs."""
    return _digest(full_name, *(parameters[name] for name in sorted(parameters)))


def _named(check: str, target: str) -> tuple[str, dict[str, str]]:
    """Return a check's id without its case, and what tells its results apart.

    The target is among that: a failure on staging is no news of what passed on live.
    """
    name, _, case = check.partition("[")
    return name, {"target": target, **({"case": case.removesuffix("]")} if case else {})}


def _feature(result: Result, report: Report) -> str:
    titles = {step.number: step.title for step in report.verifications}
    title = titles.get(result.verification, "Beside the runbook")
    return f"{result.verification}. {title}" if result.verification in titles else title


def _labels(result: Result, report: Report, run: Run, span: Span) -> list[dict[str, str]]:
    feature = _feature(result, report)
    labels = {
        "epic": report.runbook,
        "feature": feature,
        "parentSuite": report.runbook,
        "suite": feature,
        "severity": SEVERITIES.get(result.role, "normal"),
        "role": result.role,
        "component": result.component,
        "check": result.outcome.check,
        "check_status": result.outcome.status,
        "tag": result.role,
        "framework": "pytest",
        "language": "python",
        "host": run.machine,
        "thread": span.process or "main",
    }
    attribution = attribute(result, report.diagnosis)
    if attribution:
        labels["defect"] = attribution.category
        if attribution.cause:
            labels["hypothesis"] = attribution.cause.id
    return [{"name": name, "value": value} for name, value in labels.items() if value]


def _details(result: Result, report: Report) -> dict[str, str]:
    """Return the message and, in the trace's place, why: categories of Allure 2 read it there."""
    attribution = attribute(result, report.diagnosis)
    message, rest = reason(result.outcome)
    if not attribution:
        return {"message": message}
    why = f"{attribution.why}\nDefect: {attribution.category}\n\n{report.headline}"
    return {"message": message, "trace": "\n\n".join(filter(None, [rest, why]))}


def _steps(
    observations: tuple[Observation, ...], span: Span, files: dict[str, str], run: Run
) -> list[dict[str, Any]]:
    """Return what was seen, a step each; they began one after another, just when is not known."""
    steps = []
    start = span.start
    for one in observations:
        stop = min(start + one.seconds, max(span.stop, start))
        text = json.dumps(one.data, ensure_ascii=False, indent=1)
        attachment = _attachment(one.name, text, "json", "application/json", files, run)
        seen = _shortened(f"{one.name}: {one.seen}")
        step: dict[str, Any] = {
            "name": seen,
            "status": "passed",
            "stage": "finished",
            "start": _milliseconds(start),
            "stop": _milliseconds(stop),
            "attachments": [attachment],
        }
        if seen.endswith("…"):
            words = _attachment(f"{one.name}, seen", one.seen, "txt", "text/plain", files, run)
            step["attachments"].append(words)
        steps.append(step)
        start = stop
    return steps


def _attachment(
    name: str, text: str, extension: str, kind: str, files: dict[str, str], run: Run
) -> dict[str, str]:
    """Return a reference to an attachment and put it among the files.

    Each reference has a file of its own: Allure 3 finds a shared one only for the last of them.
    """
    source = f"{_uuid(run, f'attachment {len(files)}')}-attachment.{extension}"
    files[source] = text
    return {"name": name, "source": source, "type": kind}


def _shortened(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= STEP_MAX else f"{text[: STEP_MAX - 1]}…"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _digest(*parts: str) -> str:
    return md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()


def _uuid(run: Run, part: str) -> str:
    return str(uuid5(NAMESPACE_OID, f"{run.id}\n{part}"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
