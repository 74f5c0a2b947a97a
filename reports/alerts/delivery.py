"""Delivery of the messages: to all destinations at once, within one deadline.

A destination that took a message and did not say so in time gets it again: twice is better than
never.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.frozen import frozen
from core.text import titled
from reports.alerts.destinations import Destination, Sender
from reports.alerts.http_call import CallError, no_answer
from reports.alerts.incident_services import Alertmanager

if TYPE_CHECKING:
    from reports.alerts.outbox import Message, Outbox

SECONDS_MAX = 20.0
"""Time for all deliveries of one call together."""

DESTINATIONS_MAX = 50


@frozen
class _Delivery:
    """The result of sending one message to one destination.

    `message` is None where the destination's thread has ended; `problem` is empty for a success.
    """

    destination: int
    message: int | None
    problem: str = ""


def deliver(box: Outbox, destinations: Sequence[Destination]) -> tuple[str, ...]:
    """Deliver the undelivered messages; returns why some could not be delivered.

    A destination gets its messages in order: after one that fails, the later ones wait too.
    """
    messages = box.undelivered()
    deliveries: queue.SimpleQueue[_Delivery] = queue.SimpleQueue()
    running = set()
    for number, destination in enumerate(destinations):
        due = _due(box, messages, destination)
        if destination.sender and due:
            running.add(number)
            work = (number, destination.sender, due, deliveries)
            # A daemon: one that hangs must not keep the process.
            threading.Thread(target=_send_all, args=work, daemon=True).start()
    deadline = time.monotonic() + SECONDS_MAX
    problems: dict[int, str] = {}
    while running:
        try:
            delivery = deliveries.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            problems |= dict.fromkeys(running, no_answer(SECONDS_MAX))
            break
        if delivery.message is not None:
            # At once: whatever happens next, this message is not sent again.
            box.mark_delivered(delivery.message, destinations[delivery.destination].key)
            continue
        running.discard(delivery.destination)
        if delivery.problem:
            problems[delivery.destination] = delivery.problem
    for message in messages:
        if all(box.is_delivered(message.number, one.key) for one in destinations):
            box.mark_done(message.number)
    return tuple(
        titled(destinations[number].name, problem) for number, problem in sorted(problems.items())
    )


def _due(box: Outbox, messages: Sequence[Message], destination: Destination) -> list[Message]:
    """Return the messages that a destination does not have.

    Or else the last one, for an Alertmanager, which forgets an alert that is not sent again.
    """
    due = [m for m in messages if not box.is_delivered(m.number, destination.key)]
    if not due and isinstance(destination.sender, Alertmanager):
        last = box.last_of_open_incident()
        due = [last] if last else []
    return due


def _send_all(
    number: int,
    sender: Sender,
    messages: Sequence[Message],
    deliveries: queue.SimpleQueue[_Delivery],
) -> None:
    problem = ""
    for message in messages:
        try:
            sender.send(message)
        except CallError as exc:
            problem = str(exc)
            break
        deliveries.put(_Delivery(number, message.number))
    deliveries.put(_Delivery(number, None, problem))
