"""PagerDuty, Opsgenie and Alertmanager as far as an incident's life needs them, on loopback."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from bench.receiver import ReceivedRequest

SEVERITIES = {"critical", "error", "warning", "info"}
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class PagerDuty:
    """Incidents by their dedup_key, each with the actions that it got."""

    def __init__(self, routing_key: str) -> None:
        self.incidents: dict[str, list[str]] = {}
        self.events: list[dict[str, Any]] = []
        self._routing_key = routing_key

    def answer(self, request: ReceivedRequest) -> tuple[int, str]:
        """Take an event as the Events API v2 does."""
        event = json.loads(request.body)
        assert (request.method, request.path) == ("POST", "/v2/enqueue")
        if event["routing_key"] != self._routing_key:
            return 400, f"invalid routing_key {event['routing_key']}"
        action, key = event["event_action"], event["dedup_key"]
        assert len(key) <= 255
        if action == "trigger":
            payload = event["payload"]
            assert payload["source"]
            assert payload["severity"] in SEVERITIES
            assert 0 < len(payload["summary"]) <= 1024
        else:
            assert action == "resolve"
        self.incidents.setdefault(key, []).append(action)
        self.events.append(event)
        return 202, json.dumps({"status": "success", "dedup_key": key})


class Opsgenie:
    """Alerts by their alias, each with what was done to it."""

    def __init__(self, api_key: str) -> None:
        self.alerts: dict[str, list[str]] = {}
        self.contents: list[dict[str, Any]] = []
        self._api_key = api_key

    def answer(self, request: ReceivedRequest) -> tuple[int, str]:
        """Take a request as the Alert API does: it accepts also what later fails."""
        if request.headers["Authorization"] != f"GenieKey {self._api_key}":
            return 401, "no"
        path = urlsplit(request.path)
        content = json.loads(request.body)
        self.contents.append(content)
        part = re.fullmatch(r"/v2/alerts(?:/([^/]+)/(\w+))?", path.path)
        assert part
        if part[1] is None:
            assert request.method == "POST"
            assert 0 < len(content["message"]) <= 130
            assert len(content["description"]) <= 15_000
            assert content["priority"] in {"P1", "P2", "P3", "P4", "P5"}
            self._record(content["alias"], "create")
        else:
            assert parse_qs(path.query) == {"identifierType": ["alias"]}
            methods = {"notes": "POST", "close": "POST", "priority": "PUT", "message": "PUT"}
            assert request.method == methods[part[2]]
            self._record(unquote(part[1]), part[2])
        return 202, '{"result": "Request will be processed", "requestId": "1"}'

    def _record(self, alias: str, what: str) -> None:
        assert len(alias) <= 512
        self.alerts.setdefault(alias, []).append(what)


class Alertmanager:
    """Alerts by their labels, with the end of each."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        self.posts: list[list[dict[str, Any]]] = []

    def answer(self, request: ReceivedRequest) -> tuple[int, str]:
        """Take alerts as API v2 does."""
        assert (request.method, request.path) == ("POST", "/api/v2/alerts")
        assert request.headers["Content-Type"] == "application/json"
        alerts = json.loads(request.body)
        self.posts.append(alerts)
        for alert in alerts:
            assert alert["labels"]["alertname"]
            assert all(LABEL.fullmatch(name) for name in [*alert["labels"], *_notes(alert)])
            start = alert.get("startsAt", alert["endsAt"])
            assert datetime.fromisoformat(start) <= datetime.fromisoformat(alert["endsAt"])
            self.alerts[tuple(sorted(alert["labels"].items()))] = alert
        return 200, ""

    def firing(self) -> list[dict[str, str]]:
        """The labels of the alerts that have not ended."""
        now = datetime.now(UTC)
        return [
            dict(labels)
            for labels, alert in self.alerts.items()
            if datetime.fromisoformat(alert["endsAt"]) > now
        ]


def _notes(alert: dict[str, Any]) -> list[str]:
    return list(alert.get("annotations", {}))
