"""A command of a shipped runbook has the names of the target, not those of the standard one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.target.model import Api, Database, Target
from fixtures.target.summary import summary_of
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.evidence_file import load_evidence
from reports.model.build import remedies_for
from reports.model.bundle import RUNBOOKS, load_bundle
from reports.runbook.conditions import facts_of
from reports.runbook.markdown import load_runbook
from reports.runbook.placeholders import with_routes
from reports.runbook.run_rules import SQL
from tests import made

TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?!pg_)([a-z]\w*)")
"""A table that is named in a statement; the server's own have the same names everywhere."""

OF_A_VHOST = re.compile(
    r"rabbitmqctl (?!-p <vhost> )[^|;]*\b(list_(queues|consumers|bindings|exchanges|channels"
    r"|permissions|vhost_limits)|purge_queue|delete_queue|set_permissions|clear_policy)\b"
)
"""A command about one virtual host that leaves it to rabbitmqctl, which then takes `/`."""

NAMES = (
    Database.model_fields["job_type"].default,
    *(Api.model_fields[key].default for key in ("ready_path", "worker_health_path")),
)

TARGET = {
    "name": "prod",
    "environment": "live",
    "api": {"url": "https://api.example", "token": "x", "ready_path": "/-/ready"},
    "database": {
        "dsn": "postgresql://db.example/music",
        "uploads_table": "ops.upload_now",
        "jobs_table": "ops.job_now",
        "job_type": "transcode",
    },
    "queue": {"url": "amqp://mq.example/music", "name": "media.transcode"},
    "logs": {"files": ["/srv/log/api.txt"]},
    "worker": {"log_files": ["/srv/log/transcoder.txt"]},
    "thresholds": {"stuck_after": "40 s", "processing_max": "20 s"},
}


def documents() -> list[Path]:
    """The shipped runbooks, in each language."""
    return sorted(RUNBOOKS.glob("*/runbook*.md"))


def commands_of(document: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of each command of a runbook, and of its causes outside it."""
    runbook = load_runbook(document)
    commands = [command for part in runbook.verifications for command in part.commands]
    for group in runbook.actions:
        commands += [command for step in group.steps for command in step.commands]
    yield from ((command.language, command.text) for command in commands)
    for cause in load_evidence(document.with_name("evidence.toml")).outside:
        for text in cause.look:
            yield ("sql" if text.startswith("SELECT ") else "bash"), text


@pytest.mark.parametrize(
    "document", documents(), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_command_has_placeholders_for_what_targets_name_otherwise(document: Path) -> None:
    """Tables, the type of the jobs, routes, and the virtual host of the broker."""
    for language, text in commands_of(document):
        assert language not in SQL or not TABLE.search(text), text
        assert not OF_A_VHOST.search(text), text
        assert not any(name in text for name in NAMES), text


def looks_at(check: str, **tables: object) -> list[str]:
    """Return the commands that look at what failed, where the cause is not clear."""
    target = Target.model_validate(TARGET | tables)
    values = {"upload_id": "u1", **summary_of(target).placeholders}
    bundle = load_bundle(RUNBOOKS / "upload_stuck")
    remedies = remedies_for(
        diagnose(bundle.evidence, []), bundle, values, facts_of([], {}, []), frozenset({check})
    )
    return [command.text for one in remedies for step in one.steps for command in step.commands]


def test_what_looks_at_a_failure_has_the_names_and_limits_of_the_target() -> None:
    """Also where nobody knows the cause: its tables, job type, virtual host and thresholds."""
    [jobs] = looks_at("database/jobs_start_promptly")
    assert 'FROM "ops"."job_now"\n WHERE type = \'transcode\' AND status IN' in jobs
    [stuck] = looks_at("signal/no_upload_is_stuck")
    [overdue] = looks_at("signal/no_upload_overstays_processing")
    assert "\"ops\".\"upload_now\"\n WHERE status IN ('uploading', 'pending')" in stuck
    assert "now() - interval '40 seconds'" in stuck
    assert "now() - interval '20 seconds'" in overdue
    assert looks_at("queue/queue_exists")[0].startswith("rabbitmqctl -p music list_queues ")
    assert looks_at("logs/no_recent_processing_errors")[0].endswith(
        "/srv/log/api.txt /srv/log/transcoder.txt | tail -n 50"
    )


def test_an_unknown_cause_in_a_component_is_looked_at_where_it_failed() -> None:
    """Old statuses are seen in the API's answer and the row, not in whether the API is ready."""
    values = {"upload_id": "u1", **summary_of(Target.model_validate(TARGET)).placeholders}
    bundle = load_bundle(RUNBOOKS / "upload_stuck")
    outcomes = [
        result.outcome for result in made.report(["upload_status/api_agrees_with_database"]).results
    ]
    diagnosis = diagnose(bundle.evidence, outcomes)
    [remedy] = remedies_for(diagnosis, bundle, with_routes(values), facts_of(outcomes, {}, []))
    [status, row] = [command.text for step in remedy.steps for command in step.commands]
    assert status.startswith('curl -sS -m 5 -H "Authorization: Bearer ${API_TOKEN:?api.token}"')
    assert "/u1" in status
    assert 'FROM "ops"."upload_now"\n WHERE id = \'u1\'' in row


def test_a_target_that_names_nothing_has_the_standard_names() -> None:
    """Then the placeholders have the defaults of the target file."""
    plain = {"dsn": "postgresql://db.example/veza"}
    assert (
        "\"job_queue\"\n WHERE type = 'process_upload'"
        in (looks_at("database/jobs_start_promptly", database=plain)[0])
    )
    stuck = looks_at("signal/no_upload_is_stuck", database=plain, thresholds={})[0]
    assert '"uploads"' in stuck
    assert "interval '600 seconds'" in stuck
    queue = {"url": "amqp://mq.example", "name": "uploads"}
    assert "-p / list_queues" in looks_at("queue/queue_exists", queue=queue)[0]
