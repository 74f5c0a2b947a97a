"""Messages to their destinations through apprise, all of them at once and within one deadline.

A destination that took a message and did not say so in time gets it again: twice rather than never.
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

from reports.alerts.outbox import destination_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from apprise import Apprise

    from reports.alerts.outbox import Message, Outbox

SECONDS_MAX = 20.0
"""Of all deliveries of one call together."""

DESTINATIONS_MAX = 50

_STATUS = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class _Told:
    """What became of a message at a destination; `message` None ends the destination's report."""

    destination: int
    message: int | None
    reason: str = ""


def deliver(box: Outbox, addresses: Sequence[str], seconds: float = SECONDS_MAX) -> tuple[str, ...]:
    """Deliver what waits to each address that has not got it; returns why some were not.

    To one destination messages go in their order: after one that fails the later ones wait too.
    """
    messages = box.waiting()
    names = [destination_of(address) for address in addresses]
    due = [[m for m in messages if not box.has(m.number, name)] for name in names]
    told: queue.SimpleQueue[_Told] = queue.SimpleQueue()
    open_ones = {number for number, mine in enumerate(due) if mine}
    senders = _senders({number: addresses[number] for number in open_ones})
    for number in open_ones:
        work = (number, senders[number], due[number], told)
        # A daemon: one that hangs must not keep the process.
        threading.Thread(target=_send_all, args=work, daemon=True).start()
    ends = time.monotonic() + seconds
    problems: dict[int, str] = {}
    while open_ones:
        try:
            one = told.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            problems |= dict.fromkeys(open_ones, f"no answer within {seconds:g} s")
            break
        if one.message is not None and not one.reason:
            # At once: whatever happens next, this one is not sent again.
            box.delivered(one.message, names[one.destination])
        elif one.reason:
            problems[one.destination] = one.reason
        if one.message is None:
            open_ones.discard(one.destination)
    for message in messages:
        if all(box.has(message.number, name) for name in names):
            box.close(message.number)
    return tuple(
        f"destination {number + 1} ({_scheme(addresses[number])}): {problems[number]}"
        for number in sorted(problems)
    )


def _send_all(
    number: int, sender: Apprise | None, messages: Sequence[Message], told: queue.SimpleQueue[_Told]
) -> None:
    reason = ""
    for message in messages:
        reason = _send(sender, message) if sender else "it is no address that apprise knows"
        if reason:
            break
        told.put(_Told(number, message.number))
    told.put(_Told(number, None, reason))


def _send(sender: Apprise, message: Message) -> str:
    """Return why a message was not delivered; empty where it was."""
    import apprise

    kind = apprise.NotifyType.WARNING
    if message.what == "recovery":
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
    # Only the status is taken from what it logs: the rest may hold tokens.
    status = _STATUS.search(" ".join(entry.message for entry in sent.logs()))
    return f"it answered {status[1]}" if status else "it cannot be reached or refused the message"


def _senders(addresses: Mapping[int, str]) -> dict[int, Apprise | None]:
    """Return what sends to each address; None where apprise does not know it."""
    if not addresses:
        return {}
    with warnings.catch_warnings():
        # Its dependencies' notices of deprecation are no news to who is told of an incident.
        warnings.simplefilter("ignore")
        import apprise

        # Addresses, and so tokens, are in what it logs: that stays off the terminal.
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
