"""Delivery through apprise: all destinations at once, within one deadline.

A destination that took a message and did not say so in time gets it again: twice is better than
never.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.alerts.outbox import destination_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from apprise import Apprise

    from reports.alerts.outbox import Message, Outbox

SECONDS_MAX = 20.0
"""Time for all deliveries of one call together."""

DESTINATIONS_MAX = 50

_STATUS = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class _Delivery:
    """The result of sending one message to one destination.

    `message` is None where the destination's thread has ended; `problem` is empty for a success.
    """

    destination: int
    message: int | None
    problem: str = ""


def deliver(box: Outbox, addresses: Sequence[str]) -> tuple[str, ...]:
    """Deliver the undelivered messages to each address; returns why some could not be delivered.

    A destination gets its messages in order: after one that fails, the later ones wait too.
    """
    messages = box.undelivered()
    keys = [destination_key(address) for address in addresses]
    due = {
        number: [m for m in messages if not box.is_delivered(m.number, key)]
        for number, key in enumerate(keys)
    }
    running = {number for number, theirs in due.items() if theirs}
    senders = _senders({number: addresses[number] for number in running})
    deliveries: queue.SimpleQueue[_Delivery] = queue.SimpleQueue()
    for number in running:
        work = (number, senders[number], due[number], deliveries)
        # A daemon: one that hangs must not keep the process.
        threading.Thread(target=_send_all, args=work, daemon=True).start()
    deadline = time.monotonic() + SECONDS_MAX
    problems: dict[int, str] = {}
    while running:
        try:
            delivery = deliveries.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            problems |= dict.fromkeys(running, f"no answer within {SECONDS_MAX:g} s")
            break
        if delivery.message is not None:
            # At once: whatever happens next, this message is not sent again.
            box.mark_delivered(delivery.message, keys[delivery.destination])
            continue
        running.discard(delivery.destination)
        if delivery.problem:
            problems[delivery.destination] = delivery.problem
    for message in messages:
        if all(box.is_delivered(message.number, key) for key in keys):
            box.mark_done(message.number)
    return tuple(
        f"destination {number + 1} ({_scheme(addresses[number])}): {problem}"
        for number, problem in sorted(problems.items())
    )


def _send_all(
    number: int,
    sender: Apprise | None,
    messages: Sequence[Message],
    deliveries: queue.SimpleQueue[_Delivery],
) -> None:
    problem = ""
    for message in messages:
        problem = _send(sender, message) if sender else "apprise does not know this kind of address"
        if problem:
            break
        deliveries.put(_Delivery(number, message.number))
    deliveries.put(_Delivery(number, None, problem))


def _send(sender: Apprise, message: Message) -> str:
    """Return why a message was not delivered; empty if it was."""
    import apprise

    kind = apprise.NotifyType.WARNING
    if message.event == "recovery":
        kind = apprise.NotifyType.SUCCESS
    elif message.kind == "incident":
        kind = apprise.NotifyType.FAILURE
    try:
        sent = sender.notify(
            body=message.body,
            title=message.title,
            notify_type=kind,
            body_format=apprise.NotifyFormat.TEXT,
        )
    except Exception as exc:  # noqa: BLE001 - a hundred services, each with errors of its own
        return f"it failed with {type(exc).__name__}"
    if sent:
        return ""
    # Of what apprise logs only the status is used: the rest may contain tokens.
    status = _STATUS.search(" ".join(entry.message for entry in sent.logs()))
    return f"it answered {status[1]}" if status else "it cannot be reached or refused the message"


def _senders(addresses: Mapping[int, str]) -> dict[int, Apprise | None]:
    """Return a sender for each address; None where apprise does not know it."""
    if not addresses:
        return {}
    with warnings.catch_warnings():
        # Deprecations in apprise's dependencies do not concern the person who gets an alert.
        warnings.simplefilter("ignore")
        import apprise

        # apprise logs addresses, and so tokens: that stays off the terminal.
        logger = logging.getLogger("apprise")
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        senders: dict[int, Apprise | None] = {}
        for number, address in addresses.items():
            # Not in threads of its own: Python would wait at its exit for one that hangs.
            asset = apprise.AppriseAsset(
                app_id="veza-checks", app_desc="Veza checks", async_mode=False
            )
            sender = apprise.Apprise(asset=asset)
            senders[number] = sender if sender.add(address) else None
    return senders


def _scheme(address: str) -> str:
    scheme = address.partition(":")[0]
    return scheme if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]{0,20}", scheme) else "?"
