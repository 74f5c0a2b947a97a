"""One incident on PagerDuty, Opsgenie and Alertmanager: opened, updated and closed by one key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.receiver import Receiver
from reports.alerts.notify import Settings, notify
from reports.alerts.policy import Rule
from reports.history import store as history
from reports.model.report import Report
from reports.model.report_json import to_json
from tests import made
from tests.unit.alerts.services import Alertmanager, Opsgenie, PagerDuty

PAGERDUTY_KEY = "0123456789abcdef0123456789abcdef"
OPSGENIE_KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
KEY = "veza-checks-live-20260302T100000Z"


class World:
    """The three services on servers of their own, and a target whose runs are reported to them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.pagerduty, self.opsgenie = PagerDuty(PAGERDUTY_KEY), Opsgenie(OPSGENIE_KEY)
        self.alertmanager = Alertmanager()
        self.servers = [stack.enter_context(Receiver()) for _ in range(3)]
        answers = (self.pagerduty.answer, self.opsgenie.answer, self.alertmanager.answer)
        for server, answer in zip(self.servers, answers, strict=True):
            server.answer = answer
        one, two, three = (server.address for server in self.servers)
        self.addresses = (
            f"pagerduty://{PAGERDUTY_KEY}@restkey?api_url=http://{one}",
            f"opsgenie://{OPSGENIE_KEY}/#uploads/@ada?api_url=http://{two}&tags=veza",
            f"alertmanager://{three}",
        )
        self.path = folder / "live/report.json"

    def run(self, minute: int, report: Report, *addresses: str, **rule: Any) -> list[str]:
        """Report a run of that minute; returns the problems."""
        moment = datetime.fromisoformat(made.STARTED) + timedelta(minutes=minute)
        report = type(report)(**(vars(report) | {"started": moment.isoformat()}))
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(to_json(report), encoding="utf-8")
        history.record(self.path.with_name(history.NAME), report)
        settings = Settings(
            addresses or self.addresses,
            Rule(**({"confirm": 2, "of": 2, "remind_every": 900.0} | rule)),
            link_base="https://ops.example/veza",
        )
        return notify(report, self.path, settings, moment.timestamp())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The services, while a test runs."""
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def test_one_incident_is_opened_updated_and_closed_by_one_key(world: World) -> None:
    """Six bad runs and two good ones: one incident everywhere, with a reminder, and its end."""
    for minute in (0, 5, 10, 15, 20, 25):
        assert world.run(minute, made.incident()) == []
    (labels,) = world.alertmanager.firing()
    for minute in (30, 35):
        assert world.run(minute, made.recovered()) == []
    assert world.pagerduty.incidents == {KEY: ["trigger", "trigger", "resolve"]}
    assert world.opsgenie.alerts == {KEY: ["create", "create", "notes", "close"]}
    assert labels == {
        "alertname": "VezaChecksIncident",
        "severity": "page",
        "target": "live",
        "incident": KEY,
    }
    assert world.alertmanager.firing() == []
    assert {alert["labels"]["incident"] for post in world.alertmanager.posts for alert in post} == {
        KEY
    }


def test_each_service_gets_the_content_in_its_own_form(world: World) -> None:
    """Severity, summary, details and a link to the report."""
    for minute in (0, 5):
        world.run(minute, made.incident())
    headline = made.incident().headline.removeprefix("Incident: ")
    (event,) = world.pagerduty.events
    assert event["payload"]["summary"] == f"Veza live: incident: {headline}"
    assert event["payload"]["severity"] == "critical"
    assert event["payload"]["source"] == "live"
    assert "Do this:" in event["payload"]["custom_details"]["message"]
    assert event["links"] == [{"href": "https://ops.example/veza/live/upload_stuck/report.html"}]
    (content,) = world.opsgenie.contents
    assert content["message"].startswith("Veza live: incident: 2 uploads stuck")
    assert content["priority"] == "P1"
    assert content["responders"] == [
        {"type": "team", "name": "uploads"},
        {"type": "user", "username": "ada"},
    ]
    assert content["tags"] == ["veza"]
    ((alert,),) = world.alertmanager.posts
    assert alert["startsAt"] == "2026-03-02T10:00:00Z"
    assert alert["annotations"]["summary"] == f"Veza live: incident: {headline}"
    assert alert["generatorURL"] == "https://ops.example/veza/live/upload_stuck/report.html"


def test_a_risk_that_becomes_an_incident_stays_one(world: World) -> None:
    """The key is that of the first bad run; its severity rises, and the alert of the risk ends."""
    risk = made.report(["storage/disk_space_is_free"])
    assert risk.state == "at risk"
    for minute, report in ((0, risk), (5, risk), (10, made.incident()), (15, made.incident())):
        assert world.run(minute, report, at_risk=True) == []
    assert world.pagerduty.incidents == {KEY: ["trigger", "trigger"]}
    assert [e["payload"]["severity"] for e in world.pagerduty.events] == ["warning", "critical"]
    assert world.opsgenie.alerts == {KEY: ["create", "create", "priority", "message", "notes"]}
    assert [one["alertname"] for one in world.alertmanager.firing()] == ["VezaChecksIncident"]
    world.run(20, made.recovered(), at_risk=True)
    assert world.pagerduty.incidents[KEY][-1] == "resolve"
    assert world.opsgenie.alerts[KEY][-1] == "close"
    assert world.alertmanager.firing() == []


def test_a_state_that_was_unknown_keeps_its_key_when_it_is_an_incident(world: World) -> None:
    """What was opened as "cannot tell" is closed too."""
    unknown = made.report(none=True)
    for minute, report in (
        (0, unknown),
        (5, unknown),
        (10, made.incident()),
        (15, made.incident()),
    ):
        world.run(minute, report)
    world.run(20, made.recovered())
    assert world.pagerduty.incidents == {KEY: ["trigger", "trigger", "resolve"]}
    assert world.alertmanager.firing() == []


def test_the_next_incident_has_another_key(world: World) -> None:
    """An incident that is over is not opened again."""
    for minute, report in enumerate([made.incident(), made.recovered()] * 2):
        world.run(minute, report, confirm=1, of=1)
    assert world.pagerduty.incidents == {
        "veza-checks-live-20260302T100000Z": ["trigger", "resolve"],
        "veza-checks-live-20260302T100200Z": ["trigger", "resolve"],
    }


def test_what_was_not_delivered_stays_and_is_sent_later_in_order(world: World) -> None:
    """A service that is down for the whole incident gets it all when it is back."""
    server = world.servers[0]
    server.answer = lambda _: (503, "down")
    for minute in (0, 5):
        problems = world.run(minute, made.incident())
    where = f"destination 1 (pagerduty): {server.address}"
    assert problems == [f"not delivered, the next call tries again: {where}: it answered 503 down"]
    with closing(sqlite3.connect(world.path.with_name(history.NAME))) as other:
        assert other.execute("SELECT what, done FROM alert_messages").fetchall() == [("alert", 0)]
    assert world.opsgenie.alerts == {KEY: ["create"]}
    server.answer = world.pagerduty.answer
    assert world.run(10, made.recovered()) == []
    assert world.pagerduty.incidents == {KEY: ["trigger", "resolve"]}
    assert world.opsgenie.alerts == {KEY: ["create", "close"]}


def test_a_redirect_is_no_delivery(world: World) -> None:
    """A client that follows one drops the body of its POST."""
    for server in world.servers:
        server.answer = lambda _: (302, "")
    for minute in (0, 5):
        problems = world.run(minute, made.incident())
    assert len(problems) == 3
    why = "it answered 302 (a redirect): write the address that it leads to"
    assert all(problem.endswith(f": {why}") for problem in problems)
    assert all(request.method == "POST" for server in world.servers for request in server.requests)


def test_a_refusal_that_quotes_the_key_shows_none(world: World) -> None:
    """What a server answers is redacted."""
    address = world.addresses[0].replace(PAGERDUTY_KEY, "f" * 32)
    for minute in (0, 5):
        problems = world.run(minute, made.incident(), address)
    assert problems[0].endswith("it answered 400 invalid routing_key ***")


def test_alertmanager_gets_an_open_alert_after_each_run(world: World) -> None:
    """It forgets an alert that is not sent again; the others are left alone."""
    for minute in (0, 5, 10):
        world.run(minute, made.incident())
    assert len(world.alertmanager.posts) == 2
    assert len(world.pagerduty.events) == 1
    world.alertmanager.alerts.clear()
    world.run(12, made.incident())
    assert len(world.alertmanager.firing()) == 1
    for minute in (14, 16):
        world.run(minute, made.recovered())
    assert len(world.alertmanager.posts) == 4
    assert world.alertmanager.firing() == []


def test_a_key_of_the_address_is_kept(world: World) -> None:
    """dedup= and alias= in an address name the incident."""
    pagerduty, opsgenie, _ = world.addresses
    for report in (made.incident(), made.recovered()):
        world.run(
            0 if report.state == "incident" else 5,
            report,
            f"{pagerduty}&dedup=mine&action=map&severity=error",
            f"{opsgenie}&alias=ours&priority=p2",
            confirm=1,
            of=1,
        )
    assert world.pagerduty.incidents == {"mine": ["trigger", "resolve"]}
    assert world.pagerduty.events[0]["payload"]["severity"] == "error"
    assert world.opsgenie.alerts == {"ours": ["create", "close"]}
    assert world.opsgenie.contents[0]["priority"] == "P2"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("pagerduty://", "(pagerduty): it has no key: write pagerduty://INTEGRATION_KEY"),
        ("pagerduty://KEY?region=mars", "(pagerduty): region= is one of us, eu"),
        ("pagerduty://KEY?severity=loud", "severity= is one of critical, error, warning, info"),
        ("pagerduty://KEY?api_url=pd.example", "api_url= is not an http or https address"),
        ("opsgenie://KEY?priority=P9", "(opsgenie): priority= is one of P1 to P5"),
        ("jira://KEY?region=x", "(jira): region= is one of us, eu"),
        ("alertmanager://", "write alertmanager://HOST:9093, or alertmanagers://HOST"),
        ("alertmanager://host:port", "write alertmanager://HOST:9093, or alertmanagers://HOST"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_at_once(
    world: World, address: str, sentence: str
) -> None:
    """It is one sentence after a healthy run too, and costs the others nothing."""
    (problem,) = world.run(0, made.recovered(), address, world.addresses[0])
    assert problem.startswith("--to: destination 1 (")
    assert sentence in problem
    for minute in (5, 10):
        assert len(world.run(minute, made.incident(), address, world.addresses[0])) == 1
    assert list(world.pagerduty.incidents.values()) == [["trigger"]]


def test_the_message_waits_for_an_address_that_is_corrected(world: World) -> None:
    """An unusable address alone takes no message for delivered."""
    for minute in (0, 5):
        world.run(minute, made.incident(), "pagerduty://KEY?region=mars")
    assert world.run(10, made.incident(), world.addresses[0]) == []
    assert world.pagerduty.incidents == {KEY: ["trigger"]}


def test_an_incident_that_an_older_version_opened_is_closed(world: World) -> None:
    """The history is updated in the middle of an incident; the key is that of its start."""
    world.run(0, made.incident(), confirm=1, of=1)
    with closing(sqlite3.connect(world.path.with_name(history.NAME))) as other, other:
        other.execute("ALTER TABLE alert DROP COLUMN episode")
        other.execute("ALTER TABLE alert_messages DROP COLUMN episode")
        other.execute("ALTER TABLE alert_messages DROP COLUMN since")
        other.execute("PRAGMA user_version = 3")
    world.alertmanager.alerts.clear()
    assert world.run(5, made.incident(), confirm=1, of=1) == []
    assert [labels["incident"] for labels in world.alertmanager.firing()] == [KEY]
    assert world.run(10, made.recovered(), confirm=1, of=1) == []
    assert world.pagerduty.incidents == {KEY: ["trigger", "resolve"]}
    assert world.alertmanager.firing() == []


def test_a_service_of_apprise_s_that_takes_a_key_gets_it(world: World) -> None:
    """GoAlert closes what the incident opened, although the titles of the two messages differ."""
    server = world.servers[0]
    server.answer = lambda _: (204, "")
    goalert = f"goalert://{server.address}/{OPSGENIE_KEY}"
    for minute, report in ((0, made.incident()), (5, made.recovered())):
        assert world.run(minute, report, goalert, confirm=1, of=1) == []
    sent = [request.json for request in server.requests]
    assert [one["dedup"] for one in sent] == [KEY, KEY]
    assert [one.get("action") for one in sent] == [None, "close"]
    own = f"{goalert}?dedup=mine"
    assert world.run(10, made.incident(), own, confirm=1, of=1) == []
    assert server.requests[-1].json["dedup"] == "mine"
