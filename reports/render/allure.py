"""A check's result, and a run, in Allure's terms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from allure_commons.model2 import Attachment, Label, Parameter, StatusDetails, TestResult
from allure_commons.model2 import TestStepResult as Step
from allure_commons.types import AttachmentType
from allure_commons.utils import md5, uuid4

from core.language import mark, tr
from core.outcome import Observation
from core.text import clean
from reports.model.attribution import NO_FAILURE, attribute, categories, reason
from reports.model.report import Report, Result, state_word, titles_of
from reports.render.first_steps import first_steps, verify_command
from reports.render.markdown import coded, escaped, fenced
from reports.render.verdict_words import items_affected, where_to_look
from reports.runbook.document import Runbook

Attach = Callable[[str, str, AttachmentType], Attachment]
"""Store a named text of a type; return the reference to it."""

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
"""Severity by role: a symptom is worse than a cause."""

ROLES = {
    "symptom": mark("a symptom, its failure is what users suffer from"),
    "cause": mark("a cause, its failure is a reason and not yet a symptom"),
}

STEP_MAX = 200
"""Characters of an observation that stand in a step's name; its attachment has all of it."""

CI_SYSTEMS = {
    "GITHUB_ACTIONS": {
        "name": "GitHub Actions",
        "type": "github",
        "url": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",
        "buildOrder": "{GITHUB_RUN_NUMBER}",
        "buildName": "{GITHUB_WORKFLOW} #{GITHUB_RUN_NUMBER}",
        "buildUrl": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    },
    "GITLAB_CI": {
        "name": "GitLab CI",
        "type": "gitlab",
        "url": "{CI_PROJECT_URL}",
        "buildOrder": "{CI_PIPELINE_IID}",
        "buildName": "{CI_JOB_NAME} #{CI_PIPELINE_IID}",
        "buildUrl": "{CI_JOB_URL}",
    },
    "JENKINS_URL": {
        "name": "Jenkins",
        "type": "jenkins",
        "url": "{JENKINS_URL}",
        "buildOrder": "{BUILD_NUMBER}",
        "buildName": "{JOB_NAME} #{BUILD_NUMBER}",
        "buildUrl": "{BUILD_URL}",
    },
}
"""The names of a run in each CI system, by the variable that only this system sets."""

SOURCES = (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/blob/{GITHUB_SHA}/",
    "{CI_PROJECT_URL}/-/blob/{CI_COMMIT_SHA}/",
)
"""Address at which a CI system shows the files of the commit that it runs."""


def describe(
    test: TestResult, result: Result, runbook: Runbook, target: str, attach: Attach
) -> None:
    """Add to Allure's result of a check all that is known when the check has ended.

    The target is a parameter: a failure on staging is no news of what passed on live.
    """
    outcome = result.outcome
    _, _, case = outcome.check.partition("[")
    parameters = {"target": target} | ({"case": case.removesuffix("]")} if case else {})
    titles = {step.number: f"{step.number}. {step.title}" for step in titles_of(runbook)}
    feature = titles.get(result.verification, tr("Beside the runbook"))
    labels = {
        "epic": runbook.title,
        "feature": feature,
        "parentSuite": runbook.title,
        "suite": feature,
        "severity": SEVERITIES[result.role],
        "role": result.role,
        "component": result.component,
        "check": outcome.check,
        "check_status": outcome.status,
    }
    test.name = outcome.expected or outcome.check
    test.titlePath = [runbook.title, feature]
    test.description = f"`{outcome.check}`: {tr(ROLES[result.role])}"
    test.testCaseId = md5(test.fullName)
    test.historyId = md5("\n".join([test.fullName, *(v for _, v in sorted(parameters.items()))]))
    test.parameters = [Parameter(name=key, value=value) for key, value in parameters.items()]
    test.labels = [label for label in test.labels if label.name not in labels]
    test.labels += [Label(name=key, value=value) for key, value in labels.items()]
    test.status = STATUSES[outcome.status]
    message, details = reason(outcome)
    passed = outcome.status == "passed"
    test.statusDetails = None if passed else StatusDetails(message=message, trace=details)
    test.steps += _steps(outcome.observations, test.start, attach)


def explain(test: TestResult, result: Result, report: Report, verdict: Attachment) -> None:
    """Add to a check that does not hold its explanation by the whole run, and the verdict."""
    attribution = attribute(result, report.diagnosis)
    if attribution is None:
        return
    test.labels.append(Label(name="defect", value=attribution.category))
    if attribution.cause:
        test.labels.append(Label(name="hypothesis", value=attribution.cause.id))
    message, details = reason(result.outcome)
    # Categories of Allure 2 know a defect by its trace.
    why = f"{attribution.why}\nDefect: {attribution.category}\n\n{report.headline}"
    trace = "\n\n".join(filter(None, [details, why]))
    test.statusDetails = StatusDetails(message=message, trace=trace)
    test.description = f"{verdict_and_actions(report)}\n\n---\n\n{test.description}"
    test.attachments.append(verdict)


def verdict_and_actions(report: Report) -> str:
    """Return the headline and the first actions in Markdown: what a check's page begins with."""
    blocks = [f"**{escaped(report.headline)}**"]
    impact = items_affected(report)
    if impact:
        blocks.append(escaped(f"{impact}."))
    steps = first_steps(report)
    places = [] if steps else where_to_look(report)
    if steps or places:
        blocks.append(tr("Do this:"))
    for step in steps:
        warning = f" ({tr('changes the system')})" if step.dangerous else ""
        blocks.append(f"{step.number}\\. {escaped(step.title)}{warning}")
        blocks += [fenced(command.text, "sh") for command in step.commands]
    blocks += [f"- {escaped(place)}" for place in places]
    blocks.append(tr("Then verify: {command}", command=coded(verify_command(report))))
    return "\n\n".join(blocks)


def unreported(nodeid: str, report: Report) -> TestResult:
    """Return Allure's result, not described yet, of a check that left none."""
    path, _, function = nodeid.partition("::")
    package = path.removesuffix(".py").replace("/", ".")
    begun = round(datetime.fromisoformat(report.started).timestamp() * 1000)
    return TestResult(
        uuid=uuid4(),
        # As allure-pytest forms it: its test plans select by this.
        fullName=f"{package}#{function.partition('[')[0]}",
        start=begun,
        stop=begun,
    )


def _steps(observations: Iterable[Observation], start: int, attach: Attach) -> list[Step]:
    """Return a step for each observation: one after another, for just when is not known."""
    steps = []
    for observation in observations:
        title = re.sub(r"\s+", " ", f"{observation.name}: {observation.seen}")
        stop = start + round(observation.seconds * 1000)
        step = Step(name=clean(title, STEP_MAX), status="passed", start=start, stop=stop)
        text = json.dumps(
            {"seen": observation.seen, "data": observation.data}, ensure_ascii=False, indent=1
        )
        step.attachments.append(attach(observation.name, text, AttachmentType.JSON))
        steps.append(step)
        start = stop
    return steps


def files_of(report: Report, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the text of the files on the whole run by their names.

    Allure 2 takes its categories from categories.json; Allure 3 from a configuration,
    allurerc.json.
    """
    name = tr("{runbook} on {target}", runbook=report.runbook, target=report.target.name)
    return {
        "categories.json": _json(old_categories(categories(report))),
        "allurerc.json": _json(configuration(f"{name}. {report.headline}", categories(report))),
        "environment.properties": properties(environment(report)),
        "executor.json": _json({"reportName": name, **executor(environ)}),
    }


def old_categories(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return Allure 2's categories: the trace of each defect has one line "Defect: CATEGORY"."""
    return [
        {
            "name": name,
            "matchedStatuses": [_status(name)],
            # Allure 2 wants the whole text to match, Allure 3 a part of it.
            "traceRegex": rf"[\s\S]*\bDefect: {_literal(name)}(\n[\s\S]*)?",
        }
        for name in names
    ]


def configuration(title: str, names: Sequence[str]) -> dict[str, Any]:
    """Return Allure 3's configuration: categories by label, checks by verification in order."""
    rules = [
        {
            "name": name,
            "matchers": {
                "statuses": [_status(name)],
                "labels": {"defect": f"^{_literal(name)}$"},
            },
            # Each check says something else: by message, each would be a group of one.
            "groupByMessage": False,
            "expand": True,
        }
        for name in names
    ]
    options = {"groupBy": ["epic", "feature"], "defaultSortBy": "name,asc"}
    return {
        "name": title,
        "categories": {"rules": rules},
        "plugins": {"awesome": {"options": options}},
    }


def environment(report: Report) -> dict[str, str]:
    """Return what the run looked at and what it found, name by name."""
    places = {s.component: s.place for s in report.coverage if s.place}
    return {
        "Verdict": report.headline,
        "State": state_word(report.state),
        "Target": report.target.name,
        "Environment": report.target.environment,
        "Runbook": report.runbook,
        "Started": report.started,
        "Coverage": ", ".join(
            f"{s.component} {s.observed}/{s.selected}" for s in report.coverage if s.place
        ),
        **{component.capitalize(): place for component, place in places.items()},
    }


def properties(values: Mapping[str, str]) -> str:
    """Return values as a Java properties file in ASCII, whose escapes are those of JSON."""
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in values.items())


def executor(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return who ran it: the CI system whose variables are set, else a plain run."""
    facts = next((facts for sign, facts in CI_SYSTEMS.items() if environ.get(sign)), None)
    if facts is None:
        return {"name": "pytest", "type": "local"}
    fields: dict[str, Any] = {key: _filled(pattern, environ) for key, pattern in facts.items()}
    order = fields.pop("buildOrder")
    if re.fullmatch(r"[0-9]{1,15}", order):
        fields["buildOrder"] = int(order)
    return {key: value for key, value in fields.items() if value}


def source_address(path: str, environ: Mapping[str, str]) -> str:
    """Return where a CI system shows the project's file `path`; empty outside of one."""
    places = (_filled(pattern, environ) for pattern in SOURCES)
    return next((f"{place}{path}" for place in places if place), "")


def _status(category: str) -> str:
    return "broken" if category in {tr(one) for one in NO_FAILURE.values()} else "failed"


def _literal(text: str) -> str:
    """Return a regular expression for the text that JavaScript and Java read alike."""
    return re.sub(r"([][\\^$.|?*+(){}/-])", r"\\\1", text)


def _filled(pattern: str, environ: Mapping[str, str]) -> str:
    """Return the pattern with variables in place of their names; empty where one is not set."""
    try:
        return clean(pattern.format_map(environ))
    except KeyError:
        return ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
