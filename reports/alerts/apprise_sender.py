"""Messages through apprise, which knows a hundred services."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from core.language import tr
from reports.alerts.addresses import OptionError
from reports.alerts.http_call import CallError

if TYPE_CHECKING:
    from apprise import AppriseResult

    from reports.alerts.incident_services import AlertedTarget
    from reports.alerts.outbox import Message

_OWN_KEY = re.compile(r"[?&](action|dedup|external_id|thirdparty)=")
"""Options of an address by which a service opens and closes an incident."""

_STATUS = re.compile(r"error=(\d{3})\b")
_NOTHING_SENT = re.compile(r"\bThere were no .* to notify\b")
"""Log lines of apprise where it returns a success although it has sent nothing."""


@contextmanager
def quiet_apprise() -> Iterator[None]:
    """Keep the warnings and the log of apprise off the terminal while it loads.

    It logs addresses, and so tokens; deprecations in its dependencies do not concern the person who
    gets an alert.
    """
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class AppriseSender:
    """One address of apprise's.

    A service that opens and closes something by a key, such as incident.io or GoAlert, gets that of
    the incident, unless the address names one.
    """

    def __init__(self, address: str, subject: AlertedTarget) -> None:
        self._address = address
        self._subject = subject
        with quiet_apprise():
            import apprise

            self._asset = apprise.AppriseAsset(
                app_id="veza-checks",
                app_desc="Veza checks",
                # Not in threads of its own: Python would wait at its exit for one that hangs.
                async_mode=False,
                # A client that follows one drops the body, and takes the answer for a success.
                http_redirects=False,
            )
            services = apprise.Apprise(asset=self._asset)
            problem = OptionError(
                tr(
                    "apprise cannot use it: correct it, "
                    "https://github.com/caronc/apprise/wiki shows the form for "
                    "each service"
                )
            )
            try:
                is_known = services.add(address)
            except Exception as exc:
                # Of a hundred services some read an address with errors of their own.
                raise problem from exc
            if not is_known:
                raise problem
        self._takes_key = any(map(_takes_key, services.find()))

    def send(self, message: Message) -> None:
        import apprise

        kind = apprise.NotifyType.WARNING
        if message.event == "recovery":
            kind = apprise.NotifyType.SUCCESS
        elif message.kind == "incident":
            kind = apprise.NotifyType.FAILURE
        try:
            services = apprise.Apprise(asset=self._asset)
            services.add(self._keyed(message))
            sent = services.notify(
                body=message.body,
                title=message.title,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as exc:
            # A hundred services, each with errors of its own.
            raise CallError("it failed with {error}", error=type(exc).__name__) from exc
        problem = _problem(sent)
        if problem:
            raise CallError(problem)

    def _keyed(self, message: Message) -> str:
        """Return the address, where its service takes it with the key of the incident."""
        if not self._takes_key or _OWN_KEY.search(self._address):
            return self._address
        mark = "&" if "?" in self._address else "?"
        options = {"action": "map", "dedup": self._subject.key(message)}
        return f"{self._address}{mark}{urlencode(options)}"


def _takes_key(service: Any) -> bool:
    """Return whether a service of apprise's opens on a failure and closes on a success by a key."""
    options = service.template_args
    return "dedup" in options and "map" in options.get("action", {}).get("values", ())


def _problem(sent: AppriseResult) -> str:
    """Return why a message was not delivered; empty if it was.

    A success of apprise's may mean that an address with `optional=yes` failed, or that a service
    had nothing to do. Of what it logs only known words are used: the rest may contain tokens.
    """
    log = "\n".join(entry.message for entry in sent.logs())
    attempts = [list(result)[-1:] for result in sent]
    taken = bool(sent) and bool(attempts) and all(last and last[0] for last in attempts)
    idle = bool(_NOTHING_SENT.search(log))
    if taken and not idle:
        return ""
    status = _STATUS.search(log)
    if status:
        return tr("it answered {status}", status=status[1])
    return (
        tr("nobody is there to notify")
        if idle
        else tr("it cannot be reached or refused the message")
    )
