"""Queue probe against the lab's RabbitMQ, through the fault proxy, and without management."""

from __future__ import annotations

import gc
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pika
import pytest

from core.units import format_duration
from fixtures.probes.errors import AccessRefused, NotOffered, Unreachable
from fixtures.probes.jobs_and_queue import JobConsistency
from fixtures.probes.jobs_and_queue_results import HeldDeliveries, JobsInQueue
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.rabbitmq import amqp, management
from fixtures.probes.rabbitmq.amqp import AmqpClient
from fixtures.probes.rabbitmq.management import ManagementApi
from fixtures.probes.rabbitmq.queue import READING_INTERVAL, RECENT, QueueProbe
from lab import broker
from tests.lab.fix_proxy import Proxy
from tests.lab.fix_queue import Make, client_named, consumers_are_known, hold_message
from tests.lab.fix_services import Reply, ReplyServer
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from fixtures.probes.postgres.job_results import UnfinishedJobs
    from lab.state import Lab

RABBITMQ = Reply(body=b'{"rabbitmq_version": "3.10.8", "management_version": "3.10.8"}')


def test_healthy_broker_passes(queue_probe_of: Make, services: Lab) -> None:
    """A healthy lab has a reachable broker, a consumer, and no unacknowledged messages."""
    probe = queue_probe_of(name="process_upload", dead_letter="process_upload.dead")
    assert probe.reach().ok, probe.reach()
    assert probe.exists().ok
    assert probe.depth().consumers == 1
    assert not probe.alarms().block_publishers
    assert not probe.deliveries(50, 300.0).are_stuck
    assert probe.dead_letters().messages == 0
    eventually(lambda: consumers_are_known(probe, 0), "management to know the worker")
    assert {consumer.user for consumer in probe.figures(300.0).consumers} == {"veza"}


def test_a_queue_without_a_consumer_names_those_that_have_some(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """The lab's worker consumes from another queue; without management that is not known."""
    probe = queue_probe_of()
    eventually(
        lambda: "0 consumers (process_upload has 1)" in str(probe.consumers()),
        "figures of the worker",
    )
    assert probe.consumers().consumers == 0
    assert "process_upload" not in str(queue_probe_of(management=None).consumers())
    channel.basic_consume(queue_name, lambda *_: None)
    assert "process_upload" not in str(queue_probe_of().consumers())


def test_queues_are_alike_whose_names_contain_the_queues(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """The queue itself is none, nor is one that is empty or is named for other work."""
    others = (f"{queue_name}_skipped", f"retry.{queue_name}", f"{queue_name}_error", "mail-of-test")
    try:
        for name in others:
            channel.queue_declare(name)
        for name in (queue_name, *others[:2], others[3]):
            channel.basic_publish("", name, b"1")
        probe = queue_probe_of()
        alike = ((f"{queue_name}_skipped", 1), (f"retry.{queue_name}", 1))
        eventually(lambda: probe.named_alike() == alike, "management's counts")
    finally:
        for name in others:
            channel.queue_delete(name)
    assert queue_probe_of(management=None).named_alike() == ()
    assert queue_probe_of(management="http://u:p@127.0.0.1:9").named_alike() == ()


def test_a_queue_of_dead_letters_may_be_made_with_the_first_one(
    queue_probe_of: Make, queue_name: str
) -> None:
    """Until then there is nothing to count, and the reason says what else it can be."""
    probe = queue_probe_of(dead_letter=f"{queue_name}_error")
    with pytest.raises(NotOffered, match=rf"no queue {queue_name}_error: .* another name"):
        probe.dead_letters()


def test_a_connection_starts_no_thread(services: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another lane reads an answer of the database, a thread may never report its start."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    client = AmqpClient(services.amqp_url, PATIENCE)
    assert client.declare("process_upload").exists
    client.close()


def test_a_connection_that_had_no_memory_is_not_taken_for_an_open_one(
    services: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call connects again: what is half-open has no channels."""

    def fail(*_: object) -> None:
        raise MemoryError

    client = AmqpClient(services.amqp_url, PATIENCE)
    with monkeypatch.context() as patch:
        patch.setattr(client, "_run", fail)
        with pytest.raises(MemoryError):
            client.open()
    assert client.declare("process_upload").exists
    client.close()


def test_messages_are_counted_not_taken(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """The depth counts ready messages and takes none."""
    for number in range(3):
        channel.basic_publish("", queue_name, str(number).encode())
    probe = queue_probe_of()
    assert (probe.depth().ready, probe.depth().consumers) == (3, 0)
    assert f"queue {queue_name} at the broker at amqp://127.0.0.1" in str(probe.depth())
    assert channel.queue_declare(queue_name, passive=True).method.message_count == 3


def test_backlog_without_a_consumer_does_not_drain(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """A queue with a backlog and no consumer does not drain."""
    channel.basic_publish("", queue_name, b"1")
    draining = queue_probe_of().draining(300.0)
    assert not draining.drains, draining
    assert draining.seconds >= READING_INTERVAL
    assert re.search(r": 1 ready, 1 after \d+(\.\d)? s,", str(draining)), draining


def test_falling_backlog_drains(queue_probe_of: Make, channel: Any, queue_name: str) -> None:
    """A queue drains when the second reading is smaller, and without a backlog."""
    probe = queue_probe_of()
    channel.basic_publish("", queue_name, b"1")
    channel.basic_publish("", queue_name, b"2")
    assert probe.depth().ready == 2
    channel.basic_get(queue_name, auto_ack=True)
    assert probe.draining(300.0).drains
    channel.queue_purge(queue_name)
    assert queue_probe_of().draining(300.0).drains


def test_slow_consumer_is_not_blamed(queue_probe_of: Make, channel: Any, queue_name: str) -> None:
    """A constant backlog proves nothing while a consumer may be busy with a job."""
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue_name, lambda *_: None)
    channel.basic_publish("", queue_name, b"1")
    channel.basic_publish("", queue_name, b"2")
    probe = queue_probe_of(management=None)
    eventually(lambda: probe.depth().ready == 1, "the first delivery")
    with pytest.raises(NotOffered, match="busy with a job for 5 min, so this proves nothing yet"):
        probe.draining(300.0)


def test_unacknowledged_messages_are_counted_and_their_consumer_named(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """Unacknowledged messages fail by their number or by time, and name their consumer."""
    channel.basic_consume(queue_name, lambda *_: None)
    for number in range(4):
        channel.basic_publish("", queue_name, str(number).encode())
    probe = queue_probe_of()
    eventually(lambda: consumers_are_known(probe, 4), "figures of four deliveries")
    deliveries = probe.deliveries(3, 300.0)
    assert deliveries.too_many
    assert not deliveries.too_long
    assert "4 unacknowledged (limit 3), held by veza from 127.0.0.1" in str(deliveries)
    assert not probe.deliveries(50, 300.0).are_stuck
    eventually(lambda: probe.deliveries(50, 3.0).too_long, "stalled deliveries")
    assert "none acknowledged in the last" in str(probe.deliveries(50, 3.0))


def test_acknowledgements_reset_the_time(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """Unacknowledged messages are not stalled while others are acknowledged."""
    for number in range(6):
        channel.basic_publish("", queue_name, str(number).encode())
    tags = [channel.basic_get(queue_name)[0].delivery_tag for _ in range(6)]
    probe = queue_probe_of()
    eventually(lambda: probe.figures(3.0).unacknowledged == 6, "figures of six deliveries")
    eventually(lambda: probe.deliveries(50, 3.0).too_long, "stalled deliveries")
    channel.basic_ack(tags[0])
    eventually(lambda: not probe.deliveries(50, 3.0).too_long, "the acknowledgement to count")
    assert probe.figures(3.0).acknowledged == 1


def test_missing_queue_fails_its_own_check(queue_probe_of: Make) -> None:
    """A missing queue fails exists(); its figures are unreachable; alarms still work."""
    probe = queue_probe_of(name="no-such-queue")
    assert not probe.exists().ok
    with pytest.raises(Unreachable, match="has no queue no-such-queue"):
        probe.depth()
    with pytest.raises(Unreachable, match="knows no queue no-such-queue"):
        probe.deliveries(50, 300.0)
    assert not probe.alarms().block_publishers


def test_unreachable_broker_costs_one_timeout(
    services: Lab, proxy: Callable[[str, int], Proxy], queue_probe_of: Make
) -> None:
    """A refusing or silent broker fails reach in time; later calls repeat the error at once."""
    for fault, message in (("stop", "Connection refused"), ("go_deaf", "did not answer within")):
        way = proxy("127.0.0.1", services.ports.amqp)
        getattr(way, fault)()
        url = services.amqp_url.replace(f":{services.ports.amqp}/", f":{way.port}/")
        probe = queue_probe_of(url, timeout=0.5)
        assert not probe.reach().ok
        assert message in str(probe.reach())
        assert services.passwords.checks not in str(probe.reach())
        for call in (probe.exists, probe.depth):
            with pytest.raises(Unreachable, match=message):
                call()
        assert way.accepted == (fault == "go_deaf"), "the silent broker costs one time-out"


def test_lost_broker_is_bounded(
    services: Lab, proxy: Callable[[str, int], Proxy], queue_probe_of: Make
) -> None:
    """A broker that stops answering or disconnects during a session ends the call in time."""
    for fault, message in (("go_deaf", "did not answer within"), ("cut", "failed on queue")):
        way = proxy("127.0.0.1", services.ports.amqp)
        url = services.amqp_url.replace(f":{services.ports.amqp}/", f":{way.port}/")
        # Long enough for the healthy answer; the silent broker costs all of it.
        probe = queue_probe_of(url, timeout=3.0, name="process_upload")
        assert probe.depth().consumers == 1
        getattr(way, fault)()
        with pytest.raises(Unreachable, match=message):
            probe.depth()
        with pytest.raises(Unreachable, match=message):
            probe.exists()
        assert way.accepted == 1


@pytest.mark.timeout(60)
def test_closing_ends_also_where_others_have_the_cpu(
    services: Lab, proxy: Callable[[str, int], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a silent broker's answer may pass before the client waits for it."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    way = proxy("127.0.0.1", services.ports.amqp)
    url = services.amqp_url.replace(f":{services.ports.amqp}/", f":{way.port}/")
    client = AmqpClient(url, PATIENCE)
    client.open()
    way.go_deaf()
    call_later = client._loop.call_later

    def call_at_once(_seconds: float, callback: Callable[[], object]) -> object:
        return call_later(0, callback)

    monkeypatch.setattr(client._loop, "call_later", call_at_once)
    client.close()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_run_interrupted_while_it_connects_can_close(
    services: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may leave the client between two steps; closing does not run the client again."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    with monkeypatch.context() as signalled:
        interrupt_while_connecting(AmqpClient(services.amqp_url, PATIENCE), signalled)
    # close() has shut the socket down; the end of a run frees it, as this does.
    gc.collect()


def interrupt_while_connecting(client: AmqpClient, signalled: pytest.MonkeyPatch) -> None:
    """Interrupt a client while it connects, and close it."""

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    loop = amqp.watched_loop()
    signalled.setattr(amqp, "watched_loop", lambda: loop)
    # The client removes a socket in two steps; the signal comes between them.
    signalled.setattr(loop, "remove_handler", interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.open()
    client.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{password}", "a-wrong-secret"), "refuses the login; check the user and password"),
        (("%2F", "nowhere"), "denies the login access to the virtual host nowhere"),
    ],
)
def test_wrong_url_has_a_remedy_and_no_secret(
    services: Lab, queue_probe_of: Make, change: tuple[str, str], message: str
) -> None:
    """A wrong password or virtual host gives a remedy, and is no broker that is down."""
    old = change[0].format(password=services.passwords.checks)
    with pytest.raises(AccessRefused) as refused:
        queue_probe_of(services.amqp_url.replace(old, change[1])).reach()
    assert message in str(refused.value)
    assert services.passwords.checks not in str(refused.value)
    assert "wrong-secret" not in str(refused.value)


def test_an_unknown_authority_of_the_broker_has_a_remedy(
    tls_server: int, queue_probe_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a certificate that is not accepted the sentence says why; the URL is well formed."""
    monkeypatch.delenv("SSL_CERT_FILE")
    reach = queue_probe_of(url=f"amqps://a:b@127.0.0.1:{tls_server}/v").reach()
    assert not reach.ok
    assert "not accepted: self-signed certificate; renew or correct it" in str(reach)


def test_url_of_another_scheme_has_a_remedy(services: Lab, queue_probe_of: Make) -> None:
    """A URL that is not one of AMQP is refused with the form that it should have."""
    reach = queue_probe_of(services.amqp_url.replace("amqp://", "http://")).reach()
    assert not reach.ok
    assert "write queue.url as amqp://" in str(reach)
    assert services.passwords.checks not in str(reach)


def test_without_management_its_figures_are_skipped(queue_probe_of: Make) -> None:
    """Without management, alarms and deliveries are skipped, never taken for zero."""
    probe = queue_probe_of(management=None)
    for call in (probe.alarms, lambda: probe.deliveries(50, 300.0)):
        with pytest.raises(NotOffered, match=r"set queue\.management_url"):
            call()
    with pytest.raises(NotOffered, match=r"has no queue\.dead_letter"):
        probe.dead_letters()


def test_wrong_management_password_has_a_remedy(services: Lab, queue_probe_of: Make) -> None:
    """Management that refuses the login is unreachable, and AMQP still works."""
    wrong = services.management_url.replace(services.passwords.checks, "a-wrong-secret")
    probe = queue_probe_of(management=wrong, name="process_upload")
    with pytest.raises(Unreachable, match=r"refuses the login on .*the tag monitoring") as refused:
        probe.alarms()
    assert "wrong-secret" not in str(refused.value)
    assert probe.depth().consumers == 1


def answer(server: ReplyServer, reply: Reply) -> str:
    """Have the server answer as RabbitMQ's management does, with one reply; return its URL."""
    server.replies["/api/overview"] = RABBITMQ
    server.reply = reply
    return server.url


HUGE = b'{"name": "probed", "messages_unacknowledged": ' + b"9" * 400 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"name": "another", "messages_unacknowledged": 0}',
        b'{"name": "probed", "message_stats": [], "messages_ready": "x"}',
        b'{"name": "probed", "messages_unacknowledged": -1}',
        b'{"name": "probed", "messages_unacknowledged": [1]}',
        b'{"name": "probed", "messages_unacknowledged": 1e400}',
        HUGE,
    ],
)
def test_absent_figures_are_not_zero(
    reply_server: ReplyServer, queue_probe_of: Make, body: bytes
) -> None:
    """Missing and malformed figures of management are never taken for zero."""
    probe = queue_probe_of(management=answer(reply_server, Reply(body=body)), name="probed")
    with pytest.raises((NotOffered, Unreachable)):
        probe.deliveries(50, 300.0)


OTHERS = [b"{}", b"[]", b'{"status": "ok"}', b'{"rabbitmq_version": 3}', b"<html>", b""]


@pytest.mark.parametrize("body", OTHERS)
def test_another_server_has_no_alarms_to_report(
    reply_server: ReplyServer, queue_probe_of: Make, body: bytes
) -> None:
    """A server that is not RabbitMQ is unreachable, whatever JSON it answers."""
    reply_server.reply = Reply(body=body)
    probe = queue_probe_of(management=reply_server.url)
    for ask in (probe.alarms, probe.clients, lambda: probe.figures(300.0)):
        with pytest.raises(Unreachable, match=r"without a version of RabbitMQ; check queue\.man"):
            ask()


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"{}"), (200, b'{"status": "failed"}'), (503, b'{"status": "ok"}'), (503, b"{}")],
)
def test_an_answer_about_alarms_is_rabbitmqs(
    reply_server: ReplyServer, queue_probe_of: Make, status: int, body: bytes
) -> None:
    """An answer whose status does not say what its text says is no answer about alarms."""
    probe = queue_probe_of(management=answer(reply_server, Reply(status, body)))
    with pytest.raises(Unreachable, match="not its JSON"):
        probe.alarms()


def test_clients_are_counted_without_these_checks(
    services: Lab, queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """The application's connections are counted with their users, these checks' are not."""
    assert channel.is_open
    probe = queue_probe_of()
    assert probe.depth().ready == 0
    eventually(lambda: probe.clients().users == ("veza",), "management to know the application")
    assert "of veza" in str(probe.clients())
    # A virtual host without any client.
    client = AmqpClient(services.amqp_url, PATIENCE)
    empty = ManagementApi(services.management_url, "nobody's", PATIENCE, ("", ""))
    alone = QueueProbe(client, queue_name, empty)
    assert alone.clients().connections == 0
    assert "only these checks are connected to the virtual host" in str(alone.clients())
    client.close()
    empty.close()


@pytest.fixture
def crowd(services: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another virtual host, listed before ours, that fills the one page which is read."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    monkeypatch.setattr(management, "LISTED_MAX", 5)
    vhost = "/api/vhosts/%21crowd"
    broker.manage(services, "PUT", vhost)
    rights = dict.fromkeys(("configure", "write", "read"), ".*")
    for user in (broker.APPLICATION, "veza_checks"):
        broker.manage(services, "PUT", f"/api/permissions/%21crowd/{user}", rights)
    parameters = pika.URLParameters(services.app_amqp_url)
    parameters.virtual_host = "!crowd"
    with ExitStack() as clients:
        for number in range(6):
            connection = clients.enter_context(pika.BlockingConnection(parameters))
            connection.channel().queue_declare(f"queue {number}")
        yield
    broker.manage(services, "DELETE", vhost)


def test_clients_beyond_what_is_read_are_not_missing(
    services: Lab, queue_probe_of: Make, channel: Any, queue_name: str, crowd: None
) -> None:
    """With many clients on a broker those of the virtual host may not be listed."""
    channel.basic_consume(queue_name, lambda *_: None)
    probe = queue_probe_of()
    eventually(lambda: len(broker.manage(services, "GET", "/api/connections")) > 5, "the crowd")
    with pytest.raises(NotOffered, match="lists more than 5 entries on /api/connections"):
        probe.clients()
    eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")
    (consumer,) = probe.figures(300.0).consumers
    assert [one.client for one in probe.holders((consumer,))] == [None], "it is not read"


def test_queues_of_another_virtual_host_hide_none(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    crowd: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A queue that leads back is found; where the virtual host has too many, nothing is said."""
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue_name}
    delay = f"delay.{queue_name}"
    channel.queue_declare(delay, arguments=back)
    try:
        channel.basic_publish("", delay, b"1")
        probe = queue_probe_of()
        eventually(lambda: probe.delayed() == 1, "figures of the queue for delays")
        monkeypatch.setattr(management, "LISTED_MAX", 1)
        with pytest.raises(NotOffered, match=r"more than 1 entries on /api/queues/%2F"):
            probe.delayed()
    finally:
        channel.queue_delete(delay)


def test_silent_management_costs_one_time_out(
    services: Lab, proxy: Callable[[str, int], Proxy], queue_probe_of: Make
) -> None:
    """Silent management is waited for once, whatever is requested next."""
    way = proxy("127.0.0.1", services.ports.management)
    way.go_deaf()
    probe = queue_probe_of(management=f"http://u:p@127.0.0.1:{way.port}", management_timeout=0.5)
    for call in (probe.alarms, lambda: probe.deliveries(50, 300.0), lambda: probe.figures(300.0)):
        with pytest.raises(Unreachable, match=r"did not answer within 0\.5 s"):
            call()
    assert way.accepted == 1


def test_alarms_are_named(reply_server: ReplyServer, queue_probe_of: Make) -> None:
    """An alarm is named with its resource and node."""
    alarm = b'{"status": "failed", "alarms": [{"resource": "memory", "node": "rabbit@a"}]}'
    alarms = queue_probe_of(management=answer(reply_server, Reply(503, alarm))).alarms()
    assert alarms.block_publishers
    assert "alarm: memory on rabbit@a" in str(alarms)


def test_jobs_without_messages_are_named(
    lab_database: DatabaseProbe,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Pending jobs without a message are named; those with a ready message pass."""
    upload = aged_upload(job="pending")
    channel.basic_publish("", queue_name, b"1")
    probe = queue_probe_of()
    assert not JobConsistency(lab_database, probe).jobs_in_queue().messages_lost
    channel.queue_purge(queue_name)
    consistency = JobConsistency(lab_database, probe)
    jobs = consistency.jobs_in_queue()
    assert jobs.messages_lost
    assert consistency.jobs_in_queue() is jobs, "the tables are read once"
    assert f"1 job pending ({upload}), 0 ready" in str(jobs)


def test_a_job_whose_message_was_never_sent_says_so(
    lab_database: DatabaseProbe,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Not where one was sent since, and was lost; nor of a queue to which none was ever sent."""
    probe = queue_probe_of()

    def jobs() -> JobsInQueue:
        found = JobConsistency(lab_database, probe, patience=0.0).jobs_in_queue()
        assert found.messages_lost
        return found

    aged_upload(minutes=2.0, job="pending")
    eventually(lambda: probe.figures(120.0).ready == 0, "figures of the queue")
    assert jobs().unpublished_for is None
    channel.basic_publish("", queue_name, b"1")
    eventually(lambda: probe.figures(120.0).published == 1, "figures of the message")
    channel.queue_purge(queue_name)
    # A longer history has samples that are further apart.
    eventually(lambda: jobs().unpublished_for is None, "a sample of the message")
    eventually(lambda: probe.figures(30.0).published == 0, "half a minute without a message")
    aged_upload(minutes=0.2, job="pending")
    found = jobs()
    assert found.unpublished_for is not None
    lasted = format_duration(found.unpublished_for)
    assert f"; none was sent to it in the last {lasted}, when the newest job was" in str(found)


@pytest.mark.parametrize(
    ("prefetch", "patience", "settled"),
    [(0, RECENT, False), (2, RECENT, False), (1, RECENT, True), (2, 0.0, True)],
    ids=["no limit", "all", "fewer", "second look"],
)
def test_missing_messages_name_who_may_have_taken_them(
    lab_database: DatabaseProbe,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    prefetch: int,
    patience: float,
    settled: bool,
) -> None:
    """A consumer that acknowledges and does nothing is named beside the jobs without a message.

    Where it may have taken all of them just now, the late figures are waited for, in one look.
    """
    for _ in range(2):
        aged_upload(job="pending")
    channel.basic_qos(prefetch_count=prefetch)
    channel.basic_consume(queue_name, lambda *_: None)
    probe = queue_probe_of()
    eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")
    consistency = JobConsistency(lab_database, probe, patience=patience)
    compare = consistency._compare
    readings = []

    def noted(*reading: Any) -> Any:
        readings.append(reading)
        return compare(*reading)

    monkeypatch.setattr(consistency, "_compare", noted)
    jobs = consistency.jobs_in_queue()
    assert jobs.messages_lost
    assert (len(readings) == 1) == settled
    assert "0 ready and 0 unacknowledged in queue" in str(jobs)
    assert "; its consumers: veza from 127.0.0.1" in str(jobs)


@pytest.mark.parametrize(
    ("settings", "leads_back"),
    [
        ({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "{queue}"}, True),
        ({"x-dead-letter-exchange": "retries", "x-dead-letter-routing-key": "again"}, True),
        ({"x-dead-letter-exchange": "retries"}, True),
        ({"x-dead-letter-exchange": "retries", "x-dead-letter-routing-key": "other"}, False),
        ({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "other"}, False),
        ({}, False),
    ],
)
def test_a_message_that_waits_for_its_next_attempt_is_not_lost(
    lab_database: DatabaseProbe,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
    settings: dict[str, str],
    leads_back: bool,
) -> None:
    """A queue for delays gives its messages back as dead letters; until then the job is pending."""
    aged_upload(job="pending")
    channel.exchange_declare("retries", "direct")
    channel.queue_bind(queue_name, "retries", "again")
    delay = f"delay.{queue_name}"
    given = {key: value.format(queue=queue_name) for key, value in settings.items()}
    channel.queue_declare(delay, arguments={"x-message-ttl": 600_000, **given})
    try:
        channel.basic_publish("", delay, b"1")
        probe = queue_probe_of()
        api = probe._management
        assert api is not None
        waiting = 1 if leads_back else 0
        eventually(
            lambda: (
                any(one.get("messages") == 1 for one in api._list("queues/%2F"))
                and (api.delayed(queue_name) or 0) == waiting
            ),
            "figures of the queue for delays",
        )
        jobs = JobConsistency(lab_database, probe).jobs_in_queue()
        assert (jobs.messages_lost, jobs.delayed) == (not leads_back, waiting)
        assert ("1 in a queue that leads back to it" in str(jobs)) == leads_back
    finally:
        channel.queue_delete(delay)
        channel.exchange_delete("retries")


def test_a_stream_is_no_queue_that_drains(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """A stream keeps all messages that were read: their number shows no backlog."""
    name = f"{queue_name}-stream"
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "stream"})
    try:
        channel.basic_publish("", name, b"1")
        probe = queue_probe_of(name=name)
        assert probe.exists().ok
        for call in (probe.consumers, probe.depth, lambda: probe.draining(300.0)):
            with pytest.raises(NotOffered, match=rf"{name} .* is a stream: it keeps"):
                call()
        with pytest.raises(NotOffered, match=rf"{name} .* is a stream: it keeps"):
            probe.deliveries(50, 300.0)
    finally:
        channel.queue_delete(name)


def test_automatic_acknowledgements_leave_jobs_unknown(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """A consumer that acknowledges automatically may have a job's message; none is lost yet."""
    aged_upload(job="pending")
    consumer = channel.basic_consume(queue_name, lambda *_: None, auto_ack=True)
    channel.basic_publish("", queue_name, b"1")
    eventually(
        lambda: consumers_are_known(queue_probe, 0) and queue_probe.depth().ready == 0,
        "figures of the consumer",
    )
    with pytest.raises(NotOffered, match=r"what veza from .* it acknowledges automatically"):
        consistency.jobs_in_queue()
    channel.basic_cancel(consumer)
    assert consistency.jobs_in_queue().messages_lost


@pytest.mark.parametrize(
    "details",
    [{}, {"channel_details": []}, {"channel_details": {"user": "veza", "name": "127.0.0.1 (1)"}}],
    ids=["no channel", "empty channel", "no connection"],
)
def test_a_consumer_with_an_unknown_connection_is_reported_as_such(
    lab_database: DatabaseProbe,
    reply_server: ReplyServer,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
    details: dict[str, Any],
) -> None:
    """Management lists a consumer before it knows its connection; every sentence says so."""
    aged_upload(job="pending")
    channel.basic_consume(queue_name, lambda *_: None, auto_ack=True)
    consumer = {"consumer_tag": "ctag1", "prefetch_count": 0, "ack_required": False, **details}
    figures = {"name": queue_name, "messages_unacknowledged": 4, "consumer_details": [consumer]}
    probe = queue_probe_of(
        management=answer(reply_server, Reply(body=json.dumps(figures).encode()))
    )
    unknown = "a consumer whose connection is not known yet"
    with pytest.raises(NotOffered, match=f"and what {unknown} has taken is not counted: it ackn"):
        JobConsistency(lab_database, probe).jobs_in_queue()
    assert f"4 unacknowledged (limit 3), held by {unknown}" in str(probe.deliveries(3, 300.0))
    assert asdict(probe.figures(300.0))["consumers"][0]["connection"] is None


def test_unprocessed_deliveries_name_their_consumer(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Messages held while jobs wait and none runs are unprocessed, and name their consumer."""
    aged_upload(job="pending")
    hold_message(channel, queue_name, queue_probe)
    deliveries = consistency.held_deliveries(300.0)
    assert (deliveries.unacknowledged, deliveries.pending) == (1, 1)
    assert not consistency.jobs_in_queue().messages_lost
    assert "1 unacknowledged, held by veza from 127.0.0.1" in str(deliveries)


def test_a_job_that_an_earlier_worker_left_is_no_work_of_the_consumers(
    lab_database: DatabaseProbe,
    queue_probe: QueueProbe,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """A deployment left one job half an hour ago; the new worker starts nothing of what it has."""
    aged_upload(job="pending")
    aged_upload("processing", job="processing", started=30.0)
    hold_message(channel, queue_name, queue_probe)
    for uptimes, running in (((1600.0,), 0), ((600.0,), 1), ((1900.0,), 1), ((), 1)):
        probe = JobConsistency(lab_database, queue_probe, repeat(uptimes).__next__)
        assert probe.held_deliveries(300.0).running == running


def test_one_reading_answers_each_question_about_deliveries(
    lab_database: DatabaseProbe,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each reading costs round trips to the database and to the management API."""
    readings = []
    read = lab_database.unfinished_and_ended

    def counted(after: float) -> tuple[UnfinishedJobs, int]:
        readings.append(after)
        return read(after)

    monkeypatch.setattr(lab_database, "unfinished_and_ended", counted)
    channel.basic_consume(queue_name, lambda *_: None)
    probe = queue_probe_of()
    eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")
    asked = JobConsistency(lab_database, probe)
    for question in (asked.held_deliveries, asked.kept_deliveries, asked.returned_deliveries):
        assert question(300.0).unacknowledged == 0
    assert readings == [300.0]


def test_a_consumer_that_keeps_its_share_is_named(
    services: Lab,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Beside a worker that acknowledges, a client that acknowledges nothing keeps messages."""
    aged_upload(job="pending")
    with client_named(services, "export-7") as thief:
        channel.basic_consume(
            queue_name, lambda one, method, *_: one.basic_ack(method.delivery_tag)
        )
        thief.basic_consume(queue_name, lambda *_: None)
        for number in range(4):
            channel.basic_publish("", queue_name, str(number).encode())
        told: list[HeldDeliveries] = []

        def is_told() -> bool:
            channel.connection.process_data_events(0.01)
            # Management refreshes a queue's figures and a channel's by turns.
            with suppress(NotOffered):
                told[:] = [consistency.kept_deliveries(300.0)]
            return any(one.unacknowledged == 2 for kept in told for one in kept.keepers)

        eventually(is_told, "figures of both consumers")
        (kept,) = told
        assert "(export-7) holds 2 and has acknowledged none" in str(kept)
        assert [keeper.client for keeper in kept.keepers] == ["export-7"]
        assert kept.placeholders() == {"broker_connection": kept.keepers[0].connection}


def test_a_consumer_that_returns_all_messages_is_named(
    services: Lab,
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Beside a worker, a client that is served first and gives all back keeps the messages."""
    aged_upload(job="pending")
    channel.basic_consume(queue_name, lambda one, method, *_: one.basic_ack(method.delivery_tag))
    channel.basic_publish("", queue_name, b"0")
    eventually(lambda: _acknowledged(channel, queue_probe) == 1, "figures of the acknowledgement")
    told: list[HeldDeliveries | NotOffered] = []

    def tell(*channels: Any) -> bool:
        for one in channels:
            one.connection.process_data_events(0.05)
        told.clear()
        for question in (consistency.returned_deliveries, consistency.kept_deliveries):
            try:
                told.append(question(300.0))
            except NotOffered as exc:
                told.append(exc)
        return all(isinstance(one, HeldDeliveries) and one.come_back for one in told)

    with client_named(services, "export-7") as thief:
        thief.basic_consume(
            queue_name,
            lambda one, method, *_: one.basic_nack(method.delivery_tag),
            arguments={"x-priority": 10},
        )
        channel.basic_publish("", queue_name, b"1")
        eventually(lambda: tell(channel, thief), "figures of the returned message")
        returned, kept = told
        assert isinstance(returned, HeldDeliveries)
        assert isinstance(kept, HeldDeliveries)
        assert not returned.are_returned
        sentence = r"\(export-7\) has returned [\d,]+ messages and acknowledged none"
        assert re.search(sentence, str(kept))
        assert kept.placeholders() == {"broker_connection": kept.keepers[0].connection}


@pytest.mark.parametrize("rejects", [True, False])
def test_a_worker_that_rejects_each_message_is_known(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
    rejects: bool,
) -> None:
    """It gives each back for good, as one that does not know what the message asks for."""
    aged_upload(job="pending")

    def answer_message(one: Any, method: Any, *_: Any) -> None:
        if rejects:
            one.basic_reject(method.delivery_tag, requeue=False)
        else:
            one.basic_ack(method.delivery_tag)

    channel.basic_consume(queue_name, answer_message)
    for number in range(9):
        channel.basic_publish("", queue_name, str(number).encode())

    def is_counted() -> bool:
        channel.connection.process_data_events(0.05)
        figures = queue_probe.figures(300.0)
        known = figures.delivered == 9 and (rejects or figures.acknowledged == 9)
        return known and figures.unacknowledged == 0

    eventually(is_counted, "figures of the deliveries")
    told: list[HeldDeliveries] = []

    def is_told() -> bool:
        channel.connection.process_data_events(0.05)
        told[:] = [consistency.returned_deliveries(300.0)]
        return told[0].are_returned is rejects

    eventually(is_told, "figures of the channel")
    assert ("0 unacknowledged (9 rejected meanwhile)" in str(told[0])) is rejects


def test_a_worker_that_puts_one_message_back_and_does_the_others(
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """Its message comes back without end; a worker that does its other jobs is not down."""
    aged_upload(job="pending")

    def answer_message(one: Any, method: Any, _: Any, body: bytes) -> None:
        if body == b"bad":
            one.basic_nack(method.delivery_tag, requeue=True)
        else:
            one.basic_ack(method.delivery_tag)

    channel.basic_consume(queue_name, answer_message)
    channel.basic_publish("", queue_name, b"bad")
    told: list[HeldDeliveries] = []

    def is_told() -> bool:
        channel.basic_publish("", queue_name, b"good")
        # Each call answers some of what has come: the bad one comes back many times for a good one.
        for _ in range(20):
            channel.connection.process_data_events(0.05)
        with suppress(NotOffered):
            told[:] = [consistency.returned_deliveries(300.0)]
        return bool(told) and told[0].are_retried

    eventually(is_told, "figures of the channel")
    assert not told[0].are_returned
    assert "while others were acknowledged)" in str(told[0])


def test_a_worker_that_takes_long_for_each_try_returns_its_messages(
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """It returns fewer messages than it holds: it does none, and is at work."""
    aged_upload(job="pending")
    at_work: deque[int] = deque()
    channel.basic_consume(queue_name, lambda _, method, *rest: at_work.append(method.delivery_tag))
    for number in range(9):
        channel.basic_publish("", queue_name, str(number).encode())
    told: list[HeldDeliveries] = []
    tried = time.monotonic()

    def is_told() -> bool:
        nonlocal tried
        channel.connection.process_data_events(0.05)
        while at_work and tried < time.monotonic() - 1:
            channel.basic_nack(at_work.popleft(), requeue=True)
            tried += 1
        with suppress(NotOffered):
            told[:] = [consistency.returned_deliveries(15.0)]
        return bool(told) and told[0].are_returned and told[0].returned > 0

    eventually(is_told, "figures of the tries")
    assert not told[0].unprocessed
    assert re.search(r"\(returned \d+ times meanwhile\)", str(told[0]))


def _acknowledged(channel: Any, probe: QueueProbe) -> int | None:
    channel.connection.process_data_events(0.01)
    return probe.figures(300.0).acknowledged


def test_messages_that_a_limit_drops_leave_their_jobs(
    services: Lab,
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """A queue with a time limit and dead letters explains pending jobs without a message."""
    dead = f"{queue_name}.dead"
    channel.queue_declare(dead)
    channel.basic_publish("", dead, b"expired")
    arguments = {"x-message-ttl": 50, "x-dead-letter-exchange": "", "x-max-length": 7}
    limited = f"{queue_name}.limited"
    channel.queue_declare(limited, arguments=arguments)
    try:
        aged_upload(job="pending")
        plain = queue_probe_of(dead_letter=dead)
        eventually(lambda: plain.figures(300.0).unacknowledged == 0, "figures of the queue")
        with pytest.raises(NotOffered, match="so a consumer rejected them or their publisher"):
            JobConsistency(lab_database, plain).dropped_messages(0)
        probe = queue_probe_of(name=limited, dead_letter=dead)
        eventually(lambda: probe.figures(300.0).unacknowledged == 0, "figures of the queue")
        dropped = JobConsistency(lab_database, probe).dropped_messages(0)
        assert dropped.with_a_job
        assert "1 dead letter; 1 of 1 pending job without a message" in str(dropped)
        assert "message-ttl 50 ms, max-length 7 messages" in str(dropped)
        assert not JobConsistency(lab_database, probe).dropped_messages(1).with_a_job
    finally:
        channel.queue_delete(limited)
        channel.queue_delete(dead)
