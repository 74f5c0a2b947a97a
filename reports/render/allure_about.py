"""What Allure shows of a run as a whole: categories of defects, environment, executor."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from core.text import clean
from reports.model.attribution import NO_FAILURE, categories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.model.report import Report

EXECUTORS: tuple[tuple[str, str, str, Mapping[str, str]], ...] = (
    (
        "GITHUB_ACTIONS",
        "GitHub Actions",
        "github",
        {
            "url": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",
            "buildOrder": "{GITHUB_RUN_NUMBER}",
            "buildName": "{GITHUB_WORKFLOW} #{GITHUB_RUN_NUMBER}",
            "buildUrl": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
        },
    ),
    (
        "GITLAB_CI",
        "GitLab CI",
        "gitlab",
        {
            "url": "{CI_PROJECT_URL}",
            "buildOrder": "{CI_PIPELINE_IID}",
            "buildName": "{CI_JOB_NAME} #{CI_PIPELINE_IID}",
            "buildUrl": "{CI_JOB_URL}",
        },
    ),
    (
        "JENKINS_URL",
        "Jenkins",
        "jenkins",
        {
            "url": "{JENKINS_URL}",
            "buildOrder": "{BUILD_NUMBER}",
            "buildName": "{JOB_NAME} #{BUILD_NUMBER}",
            "buildUrl": "{BUILD_URL}",
        },
    ),
)
"""CI systems: the variable that gives one away, its name, its type, and what it calls the run."""

SOURCES = {
    "GITHUB_ACTIONS": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/blob/{GITHUB_SHA}/",
    "GITLAB_CI": "{CI_PROJECT_URL}/-/blob/{CI_COMMIT_SHA}/",
}
"""Where a CI system shows the files of the commit that it runs."""

OPTIONS = {"groupBy": ["epic", "feature"], "defaultSortBy": "name,asc"}
"""How Allure 3 lays the results out: by verification, in the runbook's order."""


def about_files(report: Report, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the text of the files that say something of the whole run, by name.

    categories.json is what Allure 2 reads; Allure 3 takes its categories from a configuration,
    `allure generate --config=DIR/allurerc.json DIR`.
    """
    return {
        "categories.json": _json(old_categories(categories(report))),
        "allurerc.json": _json(configuration(report)),
        "environment.properties": properties(environment(report)),
        "executor.json": _json(executor(f"{report.runbook} on {report.target.name}", environ)),
    }


def old_categories(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return Allure 2's categories: it knows a defect by its texts, and the first that fits counts.

    The trace of each defect has one line "Defect: CATEGORY".
    """
    return [
        {
            "name": name,
            "matchedStatuses": [_status(name)],
            # Allure 2 wants the whole text to match, Allure 3 a part of it.
            "traceRegex": rf"[\s\S]*\bDefect: {_literal(name)}(\n[\s\S]*)?",
        }
        for name in names
    ]


def configuration(report: Report) -> dict[str, Any]:
    """Return Allure 3's configuration for these results: its categories go by label."""
    return {
        "name": f"{report.runbook} on {report.target.name}. {report.headline}",
        "categories": {
            "rules": [
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
                for name in categories(report)
            ]
        },
        "plugins": {"awesome": {"options": OPTIONS}},
    }


def environment(report: Report) -> dict[str, str]:
    """Return what the run looked at and what it found, name by name."""
    places = {s.component.capitalize(): s.place for s in report.coverage if s.place}
    return {
        "Verdict": report.headline,
        "State": report.state,
        "Target": report.target.name,
        "Environment": report.target.environment,
        "Runbook": report.runbook,
        "Started": report.started,
        "Seen": ", ".join(
            f"{s.component} {s.observed}/{s.selected}" for s in report.coverage if s.place
        ),
        **places,
    }


def executor(name_of_report: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return who ran it: the CI system whose variables are set, else a plain run."""
    told: dict[str, Any] = {"reportName": name_of_report}
    for sign, name, kind, facts in EXECUTORS:
        if environ.get(sign):
            filled = {key: _filled(pattern, environ) for key, pattern in facts.items()}
            told |= {"name": name, "type": kind, **{k: v for k, v in filled.items() if v}}
            break
    else:
        told |= {"name": "pytest", "type": "local"}
    order = str(told.pop("buildOrder", ""))
    return told | ({"buildOrder": int(order)} if re.fullmatch(r"[0-9]{1,15}", order) else {})


def source_address(path: str, environ: Mapping[str, str]) -> str:
    """Return where a CI system shows the project's file `path`; empty outside of one."""
    found = (_filled(where, environ) for sign, where in SOURCES.items() if environ.get(sign))
    place = next(found, "")
    return f"{place}{path}" if place else ""


def properties(values: Mapping[str, str]) -> str:
    """Return values as a Java properties file, in ASCII: Allure 2 reads it as Latin-1."""
    return "".join(f"{_escaped(k, key=True)}={_escaped(v)}\n" for k, v in values.items())


def _status(category: str) -> str:
    return "broken" if category in NO_FAILURE.values() else "failed"


def _literal(text: str) -> str:
    """Return a regular expression for the text that JavaScript and Java read alike."""
    return re.sub(r"([][\\^$.|?*+(){}/-])", r"\\\1", text)


def _filled(pattern: str, environ: Mapping[str, str]) -> str:
    """Return the pattern with variables in place of their names; empty where one is not set."""
    names = re.findall(r"\{(\w+)\}", pattern)
    if not all(environ.get(name) for name in names):
        return ""
    return clean(re.sub(r"\{(\w+)\}", lambda found: environ[found[1]], pattern))


def _escaped(text: str, *, key: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", " ")
    if key:
        text = re.sub(r"([ :=#!])", r"\\\1", text)
    units = text.encode("utf-16-be", errors="replace")
    codes = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(chr(code) if 31 < code < 127 else f"\\u{code:04x}" for code in codes)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
