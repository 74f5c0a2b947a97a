"""The base classes that the probes catch cover every error of the clients."""

from __future__ import annotations

import os
from unittest import mock

import httpx
import psycopg
import pytest
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from fixtures.probes.http import client as http
from fixtures.probes.postgres import opening
from fixtures.probes.rabbitmq import amqp
from fixtures.probes.rabbitmq.queue import QueueProbe


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError,
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.UnsupportedProtocol,
        httpx.DecodingError,
        httpx.ProxyError,
        httpx.TooManyRedirects,
        httpx.InvalidURL,
        httpx.StreamError,
        httpx.CookieConflict,
        OSError,
        UnicodeEncodeError,
    ],
)
def test_every_http_error_is_translated(error: type[Exception]) -> None:
    """Each error of the HTTP client has a base that the probe catches."""
    assert issubclass(error, http.client_errors())


def test_every_amqp_error_is_translated() -> None:
    """Each error that the AMQP client declares has a base that the probe catches."""
    declared = [
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    # A wrong use of the client is a defect of ours, and must not look like an outage.
    ours = (exceptions.ReentrancyError, exceptions.DuplicateGetOkCallback)
    caught = (*amqp.client_errors(), *ours)
    assert declared
    assert [error for error in declared if not issubclass(error, caught)] == []
    assert issubclass(AMQPConnectorException, amqp.client_errors())


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError,
        psycopg.errors.ConnectionTimeout,
        psycopg.errors.LockNotAvailable,
        psycopg.errors.QueryCanceled,
        psycopg.errors.UndefinedTable,
        psycopg.ProgrammingError,
    ],
)
def test_every_database_error_is_translated(error: type[Exception]) -> None:
    """Each error of the database client has a base that the probe catches."""
    assert issubclass(error, psycopg.Error)
    assert opening.refusal("database x", error("made"), 1.0).startswith("database x ")


def test_a_variable_that_vanishes_meanwhile_is_no_error() -> None:
    """Pytest removes its own variable in another thread while a client looks for a proxy."""
    vanished = ["VEZA_NOT_SET", "VEZA_NOT_SET"]

    def read() -> str:
        return os.environ[vanished.pop()] if vanished else "read"

    assert http.undisturbed(read) == "read"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NOT_FOUND - no queue 'q' in vhost '/'", "has no queue q; declare it"),
        (
            "NOT_FOUND - home node 'rabbit@mq2' of durable queue 'q' in vhost '/' is down",
            "cannot use the queue q: NOT_FOUND - home node 'rabbit@mq2' of durable queue",
        ),
    ],
)
def test_a_queue_whose_node_is_down_is_not_gone(
    monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    """A cluster answers 404 for both, and declaring a queue again would lose its messages."""

    def refuse(*_: object) -> None:
        raise exceptions.ChannelClosedByBroker(404, text)

    client = amqp.AmqpClient("amqp://mq-1", 1.0)
    monkeypatch.setattr(client, "open", lambda: None)
    monkeypatch.setattr(client, "_channel", mock.Mock(is_open=True))
    monkeypatch.setattr(client, "_run", refuse)
    existence = QueueProbe(client, "q").exists()
    assert not existence.ok
    assert sentence in str(existence)
