"""Services that keep an incident open: PagerDuty, Opsgenie, Jira Service Management, Alertmanager.

An incident has one key. Its first message opens it there, later ones update it, and the recovery
closes it. Addresses of the first three are written as apprise reads them; `api_url=` names another
server that speaks the same API.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, quote

from core.frozen import frozen
from core.language import tr
from core.text import capitalized, cut, flat, titled
from core.urls import parse_http_url
from reports.alerts.addresses import OptionError
from reports.alerts.apprise_sender import quiet_apprise
from reports.alerts.http_call import call
from reports.model.report import State, state_word

if TYPE_CHECKING:
    from reports.alerts.outbox import Message

PAGERDUTY = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
OPSGENIE = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
JIRA = dict.fromkeys(("us", "eu"), "https://api.atlassian.com/jsm/ops/integration")

PAGERDUTY_SEVERITIES = ("critical", "error", "warning", "info")
OPSGENIE_PRIORITIES = {"e": "P1", "h": "P2", "n": "P3", "m": "P4", "l": "P5"}
OPSGENIE_PRIORITIES |= {f"{p}{n}": f"P{n}" for p in ("", "p") for n in range(1, 6)}
"""The priority by the beginning of what an address says: emergency, high, normal, moderate, low."""

RESPONDERS = {"#": "team", "@": "user", "*": "schedule", "^": "escalation"}
"""The kind of a responder by the first character of its name in an address."""

SUMMARY_MAX = 1_024
MESSAGE_MAX = 130
"""Characters of PagerDuty's and Opsgenie's first line."""

SILENCE_MAX = 24 * 3_600.0
"""Seconds after which Alertmanager ends an alert that is not sent again: longer than maintenance,
and than a schedule that stopped for a night."""

ALERT_NAMES = {
    "incident": "VezaChecksIncident",
    "at risk": "VezaChecksAtRisk",
    "unknown": "VezaChecksUnknown",
}
"""Alertmanager's alerts by the kind of alert, as the rules for Prometheus call them."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@frozen
class AlertedTarget:
    """The target that messages are about, and the web address of its report, if it has one."""

    target: str
    link: str = ""

    def key(self, message: Message) -> str:
        """Return the key of a message's incident: the target and the start of the episode.

        Two runbooks of a target never start at the same second: one run holds the target's lock.
        """
        return f"veza-checks-{self.target}-{re.sub('[^0-9TZ]', '', _utc(message.episode))}"


class PagerDuty:
    """Events API v2: https://developer.pagerduty.com/docs/send-alert-event."""

    def __init__(self, address: str, subject: AlertedTarget) -> None:
        options = _parse("pagerduty", "NotifyPagerDuty", address)
        # apprise wants the key of its REST API too, which events do not need.
        self._key = str(options.get("integrationkey") or options.get("apikey") or "")
        if not self._key:
            raise OptionError(tr("it has no key: write pagerduty://INTEGRATION_KEY"))
        severity = str(options.get("severity") or "").lower()
        if severity and severity not in PAGERDUTY_SEVERITIES:
            raise OptionError(
                "severity= is one of {choices}", choices=", ".join(PAGERDUTY_SEVERITIES)
            )
        self._severity = severity
        self._options = options
        self._subject = subject
        self._address = _endpoint(options, PAGERDUTY, "/v2/enqueue")

    def send(self, message: Message) -> None:
        resolve = message.event == "recovery"
        event: dict[str, Any] = {
            "routing_key": self._key,
            "event_action": "resolve" if resolve else "trigger",
            "dedup_key": self._options.get("dedup") or self._subject.key(message),
        }
        if not resolve:
            event |= self._content(message)
        _send("POST", self._address, event, {}, [self._key])

    def _content(self, message: Message) -> dict[str, Any]:
        options, subject = self._options, self._subject
        severity = "critical" if message.kind == "incident" else "warning"
        payload = {
            "summary": cut(_one_line(message), SUMMARY_MAX),
            "source": options.get("source") or subject.target,
            "severity": self._severity or severity,
            "component": options.get("component"),
            "group": options.get("group"),
            "class": options.get("class_id"),
            "custom_details": {"message": message.body, **options.get("details", {})},
        }
        links = [{"href": link} for link in (options.get("click"), subject.link) if link]
        return {
            "payload": {name: value for name, value in payload.items() if value},
            "client": "veza-checks",
            "links": links,
        }


class Opsgenie:
    """Alert API: https://docs.opsgenie.com/docs/alert-api. Jira Service Management has the same."""

    def __init__(self, address: str, subject: AlertedTarget) -> None:
        # For a parser of URLs a # ends the path; here it is the sign of a team.
        options = _parse("opsgenie", "NotifyOpsgenie", address.replace("#", "%23"))
        self._key = str(options.get("apikey") or "")
        if not self._key:
            raise OptionError(tr("it has no key: write opsgenie://API_KEY or jira://API_KEY"))
        priority = str(options.get("priority") or "").lower()
        if priority and not priority.startswith(tuple(OPSGENIE_PRIORITIES)):
            raise OptionError(tr("priority= is one of P1 to P5"))
        self._priority = next(
            (level for start, level in OPSGENIE_PRIORITIES.items() if priority.startswith(start)),
            "",
        )
        self._options = options
        self._subject = subject
        servers = JIRA if address.lower().startswith("jira:") else OPSGENIE
        self._address = _endpoint(options, servers, "/v2/alerts")

    def send(self, message: Message) -> None:
        alias = str(self._options.get("alias") or self._subject.key(message))
        note = {"note": message.body, "source": "veza-checks"}
        if message.event == "recovery":
            self._call("POST", note, alias, "close")
            return
        content = self._content(message, alias)
        # An alert that is open counts it, one that somebody has closed too early opens again.
        self._call("POST", content)
        if message.event == "worse":
            self._call("PUT", {"priority": content["priority"]}, alias, "priority")
            self._call("PUT", {"message": content["message"]}, alias, "message")
        if message.event != "alert":
            self._call("POST", note, alias, "notes")

    def _call(self, method: str, content: dict[str, Any], alias: str = "", part: str = "") -> None:
        address = self._address
        if alias:
            path = f"{address.path}/{quote(alias, safe='')}/{part}"
            address = address._replace(path=path, query="identifierType=alias")
        headers = {"Authorization": f"GenieKey {self._key}"}
        _send(method, address, content, headers, [self._key])

    def _content(self, message: Message, alias: str) -> dict[str, Any]:
        options = self._options
        details = {"target": self._subject.target, "report": self._subject.link}
        content = {
            "message": cut(_one_line(message), MESSAGE_MAX),
            "alias": alias,
            "description": message.body,
            "priority": self._priority or ("P1" if message.kind == "incident" else "P3"),
            "source": "veza-checks",
            "entity": options.get("entity") or self._subject.target,
            "tags": options.get("tags"),
            "user": options.get("user"),
            "details": details | options.get("details", {}),
            "responders": [
                _responder(name)
                for names in options.get("targets", ())
                for name in re.split(r"[,\s]+", names)
                if name
            ],
        }
        return {name: value for name, value in content.items() if value}


class Alertmanager:
    """API v2: https://prometheus.io/docs/alerting/latest/alerts_api.

    Alertmanager forgets an alert that is not sent again, so it is sent after each run.
    """

    def __init__(self, address: str, subject: AlertedTarget) -> None:
        scheme, _, location = address.partition("://")
        secure = scheme.lower() == "alertmanagers"
        parts = parse_http_url(f"{'https' if secure else 'http'}://{location}")
        if parts is None or parts.query:
            raise OptionError(
                tr("write alertmanager://HOST:9093, or alertmanagers://HOST for https")
            )
        if parts.port is None and not secure:
            parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:9093")
        self._address = parts._replace(path=f"{parts.path.rstrip('/')}/api/v2/alerts", fragment="")
        self._subject = subject

    def send(self, message: Message) -> None:
        now = time.time()
        alerts = []
        if message.event != "recovery":
            alerts.append(self._firing(message, now))
        if message.event in ("recovery", "worse"):
            # Labels identify an alert, and its kind is one of them.
            ended = [kind for kind in ALERT_NAMES if kind != message.kind or not alerts]
            alerts += [
                {"labels": self._labels(message, kind), "endsAt": _time(now)} for kind in ended
            ]
        _send("POST", self._address, alerts, {}, [])

    def _firing(self, message: Message, now: float) -> dict[str, Any]:
        begun = datetime.fromisoformat(message.since).timestamp() if message.since else now
        annotations = {
            "summary": _one_line(message),
            "description": message.body,
            "report": self._subject.link,
        }
        alert = {
            "labels": self._labels(message, message.kind),
            "annotations": {name: text for name, text in annotations.items() if text},
            "startsAt": _time(min(begun, now)),
            "endsAt": _time(now + SILENCE_MAX),
        }
        return alert | ({"generatorURL": self._subject.link} if self._subject.link else {})

    def _labels(self, message: Message, kind: str) -> dict[str, str]:
        return {
            "alertname": ALERT_NAMES[kind],
            "severity": "page" if kind == "incident" else "warn",
            "target": self._subject.target,
            "incident": self._subject.key(message),
        }


def _parse(module: str, plugin: str, address: str) -> dict[str, Any]:
    """Return the options of an address as a plugin of apprise's reads them; raises OptionError."""
    with quiet_apprise():
        reader = getattr(import_module(f"apprise.plugins.{module}"), plugin)
        options: dict[str, Any] | None = reader.parse_url(address)
    if not options:
        raise OptionError(tr("it is malformed"))
    return options


def _endpoint(options: dict[str, Any], servers: dict[str, str], path: str) -> SplitResult:
    """Return the address of an API, by the option region= or api_url=; raises OptionError."""
    region = str(options.get("region_name") or "us").lower()
    if region not in servers:
        raise OptionError("region= is one of {choices}", choices=", ".join(servers))
    url = options.get("qsd", {}).get("api_url") or servers[region]
    parts = parse_http_url(url)
    if parts is None:
        raise OptionError(tr("api_url= is not an http or https address"))
    return parts._replace(path=parts.path.rstrip("/") + path, query="", fragment="")


def _send(
    method: str, address: SplitResult, content: object, headers: dict[str, str], keys: list[str]
) -> None:
    body = json.dumps(content)
    call(method, address, body, {"Content-Type": "application/json", **headers}, secrets=keys)


def _responder(name: str) -> dict[str, str]:
    kind = RESPONDERS.get(name[:1], "user")
    name = name[1:] if name[:1] in RESPONDERS else name
    if _UUID.fullmatch(name):
        return {"type": kind, "id": name}
    return {"type": kind, "username" if kind == "user" else "name": name}


def _one_line(message: Message) -> str:
    """Return the title and the body's first line, which repeats the kind of alert."""
    kind = capitalized(state_word(cast("State", message.kind)))
    text = message.body.partition("\n")[0].removeprefix(titled(kind, ""))
    return flat(titled(message.title, text))


def _utc(moment: str) -> str:
    return _time(datetime.fromisoformat(moment).timestamp()) if moment else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
