"""Fixtures for the queue probe: probes, a queue of their own, and the lab's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pika
import pytest

from fixtures.probes.jobs_and_queue import JobConsistency
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.rabbitmq.amqp import AmqpClient
from fixtures.probes.rabbitmq.management import ManagementApi
from fixtures.probes.rabbitmq.queue import QueueProbe
from tests.lab.made_probes import database_probe
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab

Make = Callable[..., QueueProbe]


@pytest.fixture
def queue_name() -> str:
    """A name that no queue had: RabbitMQ's figures may outlive a queue, and are found by its name.

    They are those of a client that closes its channel after the queue was deleted.
    """
    return f"probed-{uuid4().hex[:12]}"


@pytest.fixture
def queue_probe_of(services: Lab, queue_name: str) -> Iterator[Make]:
    """Make queue probes; their clients are closed after the test."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    clients: list[AmqpClient | ManagementApi] = []

    def make(url: str = "", management: str | None = "", **settings: Any) -> QueueProbe:
        client = AmqpClient(url or services.amqp_url, settings.pop("timeout", PATIENCE))
        clients.append(client)
        timeout = settings.pop("management_timeout", PATIENCE)
        api = None
        if management is not None:
            api = ManagementApi(management or services.management_url, "/", timeout, ("", ""))
            clients.append(api)
        return QueueProbe(client, settings.pop("name", queue_name), api, **settings)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def channel(services: Lab, queue_name: str) -> Iterator[Any]:
    """A channel of the application, with an empty queue that is deleted after the test."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    connection = pika.BlockingConnection(pika.URLParameters(services.app_amqp_url))
    opened = connection.channel()
    opened.confirm_delivery()
    opened.queue_declare(queue_name)
    yield opened
    opened.queue_delete(queue_name)
    connection.close()


@pytest.fixture
def lab_database(services: Lab) -> Iterator[DatabaseProbe]:
    """The lab's database."""
    probe = database_probe(services.dsn)
    yield probe
    probe.close()


@pytest.fixture
def queue_probe(queue_probe_of: Make) -> QueueProbe:
    """A probe of the test's own queue."""
    return queue_probe_of()


@pytest.fixture
def consistency(lab_database: DatabaseProbe, queue_probe: QueueProbe) -> JobConsistency:
    """The lab's jobs beside the messages of the test's own queue."""
    return JobConsistency(lab_database, queue_probe)


def consumers_are_known(probe: QueueProbe, unacknowledged: int) -> bool:
    """Return whether management's figures have so many unacknowledged messages and a named user."""
    figures = probe.figures(300.0)
    users = [consumer.user for consumer in figures.consumers]
    return figures.unacknowledged == unacknowledged and bool(users) and None not in users


def hold_message(channel: Any, queue_name: str, probe: QueueProbe) -> None:
    """Let a consumer take a message and keep it, until management's figures have both."""
    channel.basic_consume(queue_name, lambda *_: None)
    channel.basic_publish("", queue_name, b"1")
    eventually(lambda: consumers_are_known(probe, 1), "figures of the delivery")


@contextmanager
def client_named(services: Lab, name: str) -> Iterator[Any]:
    """Open a channel of a client that gives itself this name."""
    parameters = pika.URLParameters(services.app_amqp_url)
    parameters.client_properties = {"connection_name": name}
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection.channel()
    finally:
        connection.close()
