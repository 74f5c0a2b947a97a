"""The destination that an address names: a service that keeps incidents open, or apprise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from core.frozen import frozen
from core.language import tr
from reports.alerts.addresses import OptionError
from reports.alerts.apprise_sender import AppriseSender
from reports.alerts.incident_services import AlertedTarget, Alertmanager, Opsgenie, PagerDuty

if TYPE_CHECKING:
    from reports.alerts.outbox import Message


class Sender(Protocol):
    """Sends messages to one destination.

    Making one raises OptionError for an address that cannot be used.
    """

    def send(self, message: Message) -> None:
        """Send a message; raises CallError."""


@frozen
class Destination:
    """One address. `name` is its place in the list and its kind, `key` is without secrets.

    `sender` is None where the address cannot be used, for the reason `problem`.
    """

    name: str
    key: str
    sender: Sender | None
    problem: str = ""


def destinations_of(addresses: Sequence[str], subject: AlertedTarget) -> tuple[Destination, ...]:
    destinations = []
    for number, address in enumerate(addresses, start=1):
        key = hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:16]
        scheme = address.partition(":")[0].lower()
        shown = scheme if re.fullmatch(r"[a-z][a-z0-9+.-]{0,20}", scheme) else "?"
        name = tr("destination {number} ({kind})", number=number, kind=shown)
        try:
            sender = _sender_of(scheme, address, subject)
        except OptionError as exc:
            destinations.append(Destination(name, key, None, str(exc)))
        else:
            destinations.append(Destination(name, key, sender))
    return tuple(destinations)


def _sender_of(scheme: str, address: str, subject: AlertedTarget) -> Sender:
    if scheme == "pagerduty":
        return PagerDuty(address, subject)
    if scheme in ("opsgenie", "jira"):
        return Opsgenie(address, subject)
    if scheme in ("alertmanager", "alertmanagers"):
        return Alertmanager(address, subject)
    return AppriseSender(address, subject)
