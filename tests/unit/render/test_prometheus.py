"""Metrics of a report, the alert rules and the dashboard, by Prometheus's own tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reports.model.report import Report
from reports.render.prometheus import render
from tests import made, saved_runs

RULES = made.ROOT / "deploy/prometheus/rules.yml"
DASHBOARDS = sorted((made.ROOT / "deploy/grafana").glob("*.json"))
VEZAS_OWN = {
    "veza_file_uploads_total",
    "veza_upload_processing_duration_seconds_sum",
    "veza_upload_processing_duration_seconds_count",
}


@pytest.fixture
def promtool() -> str:
    """Prometheus's promtool; where VEZA_REQUIRE_PROMTOOL is set it must be there."""
    path = shutil.which("promtool")
    if path is None:
        assert not os.environ.get("VEZA_REQUIRE_PROMTOOL"), "promtool is required here"
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return path


def run(*command: str, given: str = "") -> None:
    """Run a command that must succeed and say nothing of a problem."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def samples(report: Report) -> dict[tuple[str, ...], float]:
    """The series of a report: name and sorted labels but target and runbook, and value."""
    values = {}
    for family in text_string_to_metric_families(render(report)):
        for sample in family.samples:
            where = [sample.labels.pop(name) for name in ("target", "runbook")]
            assert where == [report.target.name, report.runbook_name]
            labels = [f"{k}={v}" for k, v in sorted(sample.labels.items())]
            assert (sample.name, *labels) not in values, "a series is there twice"
            values[(sample.name, *labels)] = sample.value
    return values


@pytest.mark.parametrize(
    "report",
    [made.recovered(), made.incident(), made.report(none=True)],
    ids=["healthy", "incident", "unknown"],
)
def test_promtool_finds_no_fault_with_the_metrics(promtool: str, report: Report) -> None:
    """`promtool check metrics` is clean for every state."""
    run(promtool, "check", "metrics", given=render(report))


def test_a_run_is_told_in_full() -> None:
    """State, time, duration, each check, each hypothesis and each figure have their series."""
    values = samples(made.incident())
    assert values[("veza_checks_run_timestamp_seconds",)] == 1772445600
    assert values[("veza_checks_run_duration_seconds",)] == 1.5
    assert values[("veza_checks_run_state", "state=incident")] == 1
    assert values[("veza_checks_run_state", "state=at_risk")] == 0
    check = ("veza_checks_check_status", "check=worker/process_is_running")
    assert values[(*check, "status=failed", "verification=3")] == 1
    assert values[(*check, "status=passed", "verification=3")] == 0
    cause = ("hypothesis=job_worker_down", "scope=runbook")
    assert values[("veza_checks_hypothesis_probability", *cause)] > 0.9
    assert values[("veza_checks_hypothesis_named", *cause)] == 1
    assert values[("veza_checks_uploads_stuck",)] == 2
    assert values[("veza_checks_oldest_stuck_seconds",)] == 2820
    assert values[("veza_checks_backlog",)] == 10
    assert values[("veza_checks_consumers",)] == 0


def test_each_check_has_exactly_one_status() -> None:
    """Of the series of one check exactly one is 1."""
    sums: dict[str, float] = {}
    for series, value in samples(made.incident()).items():
        if series[0] == "veza_checks_check_status":
            sums[series[1]] = sums.get(series[1], 0) + value
    assert set(sums.values()) == {1.0}
    assert len(sums) == len(made.bundle().evidence.checks)


def test_one_prefix() -> None:
    """Every metric begins with that of the checks."""
    names = {series[0] for series in samples(made.incident())}
    assert all(name.startswith("veza_checks_") for name in names)


def test_no_hypothesis_is_named_where_the_cause_lies_outside() -> None:
    """The text of a page has the causes that the verdict names."""
    values = samples(saved_runs.load("outside"))
    named = {
        series[1:]
        for series, value in values.items()
        if series[0] == "veza_checks_hypothesis_named" and value == 1
    }
    assert {scope for _, scope in named} == {"scope=outside"}


def test_a_metric_has_the_same_help_in_every_language() -> None:
    """A Prometheus of targets in two languages would have two texts for one metric."""
    report = made.incident()
    kinds = tuple(replace(one, english=one.meaning) for one in report.layout.figures)
    french = replace(
        report,
        layout=replace(report.layout, figures=kinds),
        figures=tuple(replace(one, meaning="autre chose") for one in report.figures),
    )
    assert render(french) == render(report)


def test_what_was_not_observed_has_no_series() -> None:
    """An absent figure is absent and not 0, and without an observation there is no probability."""
    names = {series[0] for series in samples(made.incident())}
    assert "veza_checks_processing_seconds" not in names
    assert "veza_checks_disk_free_ratio" not in names
    names = {series[0] for series in samples(made.report(none=True))}
    assert "veza_checks_uploads_stuck" not in names
    assert "veza_checks_hypothesis_probability" not in names


def test_hostile_names_stay_within_their_label() -> None:
    """A quote and a line break in a target's name cannot forge a series."""
    name = 'live"} 1\nveza_checks_uploads_stuck{x="\\'
    report = made.incident()
    values = samples(replace(report, target=replace(report.target, name=name)))
    assert values[("veza_checks_uploads_stuck",)] == 2


def test_the_rules_are_valid_and_pass_their_tests(promtool: str) -> None:
    """`promtool check rules` and `promtool test rules` are content."""
    run(promtool, "check", "rules", str(RULES))
    run(promtool, "test", "rules", str(RULES.with_name("rules_test.yml")))


def test_every_alert_is_tested() -> None:
    """Each alert of the rules fires in one of their unit tests."""
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    tested = RULES.with_name("rules_test.yml").read_text()
    fired = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n", tested))
    assert alerts == fired


def test_the_rules_hold_the_runbooks_alerts() -> None:
    """An alert that the runbook's prose shows is in the rules, with the same expression."""
    rules = " ".join(RULES.read_text().split())
    prose = (made.ROOT / "runbooks/upload_stuck/runbook.md").read_text()
    shown = re.findall(r"- alert: (\w+)\s+expr: \|\s+(.+?)\s+for:", prose, re.DOTALL)
    assert len(shown) == 2
    for name, expression in shown:
        assert f"alert: {name} expr: | {' '.join(expression.split())} for:" in rules


def expressions(value: Any) -> Iterator[str]:
    """Every PromQL expression of a dashboard."""
    if isinstance(value, dict):
        if "expr" in value:
            yield value["expr"]
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


@pytest.fixture
def queries() -> list[str]:
    """The expressions of all dashboards, with their variables filled in."""
    texts = [one for path in DASHBOARDS for one in expressions(json.loads(path.read_text()))]
    assert len(texts) > 10
    return [one.replace("$target", "live").replace("$__rate_interval", "5m") for one in texts]


def test_the_dashboards_queries_are_promql(
    promtool: str, queries: list[str], tmp_path: Path
) -> None:
    """Prometheus can parse each query of the dashboard."""
    rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(promtool, "check", "rules", str(path))


def test_dashboard_and_rules_ask_for_metrics_that_exist(queries: list[str]) -> None:
    """No query asks for a metric that neither Veza nor the checks have."""
    figures = [f"veza_checks_{figure.id}" for figure in made.incident().figures]
    known = {series[0] for series in samples(made.incident())} | set(figures) | VEZAS_OWN
    asked = set(re.findall(r"\bveza_[a-z_]+", " ".join([*queries, RULES.read_text()])))
    assert asked - known == set()
