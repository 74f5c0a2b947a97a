"""The queue probe against the lab's RabbitMQ, through the fault proxy, without management."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pika
import pytest

from fixtures.probes.consistency import JobAgreement
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.postgres.database import Database
from fixtures.probes.rabbitmq import amqp
from fixtures.probes.rabbitmq.amqp import Amqp
from fixtures.probes.rabbitmq.management import Management
from fixtures.probes.rabbitmq.queue import BETWEEN_LOOKS, Queue
from tests.lab.fix_services import Reply
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab
    from tests.lab.fix_proxy import Proxy
    from tests.lab.fix_services import MadeServer

NAME = "probed"
Make = Callable[..., Queue]


@pytest.fixture
def probe_of(services: Lab) -> Iterator[Make]:
    """Make probes of the broker; each is closed after the test."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    made: list[Queue] = []

    def make(url: str = "", management: str | None = "", **settings: Any) -> Queue:
        broker = Amqp(url or services.amqp_url, settings.pop("timeout", PATIENCE))
        patience = settings.pop("management_timeout", PATIENCE)
        figures = None
        if management is not None:
            figures = Management(management or services.management_url, "/", patience, ("", ""))
        made.append(Queue(broker, settings.pop("name", NAME), figures, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def channel(services: Lab) -> Iterator[Any]:
    """A channel of the application, with an empty queue of its own that goes with it."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    connection = pika.BlockingConnection(pika.URLParameters(services.app_amqp_url))
    opened = connection.channel()
    opened.confirm_delivery()
    opened.queue_declare(NAME)
    yield opened
    opened.queue_delete(NAME)
    connection.close()


def holder_is_known(probe: Queue, unacknowledged: int) -> bool:
    """Say whether management's figures have caught up: so many held, by a consumer with a name."""
    figures = probe.figures(300.0)
    known = [one.user for one in figures.consumers]
    return figures.unacknowledged == unacknowledged and bool(known) and None not in known


def test_healthy_broker_is_well(probe_of: Make, services: Lab) -> None:
    """Of a healthy lab the broker is reachable, its queue consumed, short, and nothing held."""
    probe = probe_of(name="process_upload", dead_letter="process_upload.dead")
    assert probe.reach().ok, probe.reach()
    assert probe.exists().ok
    assert probe.depth().consumers == 1
    assert not probe.alarms().block_publishers
    assert not probe.deliveries(50, 300.0).are_stuck
    assert probe.dead_letters().messages == 0
    eventually(lambda: holder_is_known(probe, 0), "management to know the worker")
    assert {one.user for one in probe.figures(300.0).consumers} == {"veza"}


def test_messages_are_counted_not_taken(probe_of: Make, channel: Any) -> None:
    """The depth counts what is ready, and leaves all of it there."""
    for number in range(3):
        channel.basic_publish("", NAME, str(number).encode())
    probe = probe_of()
    assert (probe.depth().ready, probe.depth().consumers) == (3, 0)
    assert "queue probed at the broker at amqp://127.0.0.1" in str(probe.depth())
    assert channel.queue_declare(NAME, passive=True).method.message_count == 3


def test_backlog_that_nobody_consumes_is_not_draining(probe_of: Make, channel: Any) -> None:
    """A backlog without a consumer is not draining, after a short bounded wait."""
    channel.basic_publish("", NAME, b"1")
    draining = probe_of().draining(300.0)
    assert not draining.drains, draining
    assert draining.seconds >= BETWEEN_LOOKS
    assert re.search(r": 1 ready, 1 after \d+(\.\d)? s,", str(draining)), draining


def test_backlog_that_falls_is_draining(probe_of: Make, channel: Any) -> None:
    """A backlog that is smaller at the second look is draining; so is none at all."""
    probe = probe_of()
    channel.basic_publish("", NAME, b"1")
    channel.basic_publish("", NAME, b"2")
    assert probe.depth().ready == 2
    channel.basic_get(NAME, auto_ack=True)
    assert probe.draining(300.0).drains
    channel.queue_purge(NAME)
    assert probe_of().draining(300.0).drains


def test_slow_consumer_is_not_blamed(probe_of: Make, channel: Any) -> None:
    """A backlog that stands while a consumer has a job in hand proves nothing yet."""
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(NAME, lambda *_: None)
    channel.basic_publish("", NAME, b"1")
    channel.basic_publish("", NAME, b"2")
    probe = probe_of(management=None)
    eventually(lambda: probe.depth().ready == 1, "the first delivery")
    with pytest.raises(NotOffered, match="that proves nothing before 5 min"):
        probe.draining(300.0)


def test_held_deliveries_are_counted_and_their_holder_named(probe_of: Make, channel: Any) -> None:
    """Messages that a consumer holds are too many over the limit, too long after the time."""
    channel.basic_consume(NAME, lambda *_: None)
    for number in range(4):
        channel.basic_publish("", NAME, str(number).encode())
    probe = probe_of()
    eventually(lambda: holder_is_known(probe, 4), "figures of four deliveries and their holder")
    over = probe.deliveries(3, 300.0)
    assert over.too_many
    assert not over.too_long
    assert "4 unacknowledged (limit 3), held by veza from 127.0.0.1" in str(over)
    assert not probe.deliveries(50, 300.0).are_stuck
    eventually(lambda: probe.deliveries(50, 3.0).too_long, "deliveries held for too long")
    assert "not one acknowledged in the last" in str(probe.deliveries(50, 3.0))


def test_acknowledged_deliveries_are_not_held(probe_of: Make, channel: Any) -> None:
    """One acknowledgement, and what is held is not held for too long any more."""
    for number in range(6):
        channel.basic_publish("", NAME, str(number).encode())
    taken = [channel.basic_get(NAME)[0].delivery_tag for _ in range(6)]
    probe = probe_of()
    eventually(lambda: probe.figures(3.0).unacknowledged == 6, "figures of six deliveries")
    eventually(lambda: probe.deliveries(50, 3.0).too_long, "deliveries held for too long")
    channel.basic_ack(taken[0])
    eventually(lambda: not probe.deliveries(50, 3.0).too_long, "the acknowledgement to count")
    assert probe.figures(3.0).acknowledged == 1


def test_missing_queue_is_told(probe_of: Make) -> None:
    """A queue that does not exist fails its own check; its figures are unreachable; others work."""
    probe = probe_of(name="no-such-queue")
    assert not probe.exists().ok
    with pytest.raises(Unreachable, match="has no queue no-such-queue"):
        probe.depth()
    with pytest.raises(Unreachable, match="knows no queue no-such-queue"):
        probe.deliveries(50, 300.0)
    assert not probe.alarms().block_publishers


def test_refused_and_silent_brokers_are_said_once(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A broker that refuses or is silent fails reach in time; the rest repeats it at once."""
    for fault, said in (("stop", "Connection refused"), ("go_deaf", "did not answer within")):
        way = proxy("127.0.0.1", services.ports.amqp)
        getattr(way, fault)()
        url = services.amqp_url.replace(f":{services.ports.amqp}/", f":{way.port}/")
        probe = probe_of(url, timeout=0.5)
        assert not probe.reach().ok
        assert said in str(probe.reach())
        assert services.passwords.checks not in str(probe.reach())
        for look in (probe.exists, probe.depth):
            with pytest.raises(Unreachable, match=said):
                look()
        assert way.accepted == (fault == "go_deaf"), "the silent broker is asked once"


def test_broker_that_falls_silent_or_goes_is_bounded(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A broker that stops answering, or goes, after the connection opened ends the call in time."""
    for fault, said in (("go_deaf", "it did not answer in time"), ("cut", "asked for queue")):
        way = proxy("127.0.0.1", services.ports.amqp)
        url = services.amqp_url.replace(f":{services.ports.amqp}/", f":{way.port}/")
        # Time enough for the answer before, and all of it is waited for after.
        probe = probe_of(url, timeout=3.0, name="process_upload")
        assert probe.depth().consumers == 1
        getattr(way, fault)()
        with pytest.raises(Unreachable, match=said):
            probe.depth()
        with pytest.raises(Unreachable, match=said):
            probe.exists()
        probe.close()
        assert way.accepted == 1


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_run_interrupted_while_it_connects_can_close(
    services: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves the client between two of its steps: closing does not have it go on."""
    if not services.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    with monkeypatch.context() as signalled:
        interrupt_while_connecting(Amqp(services.amqp_url, PATIENCE), signalled)
    # The socket was ended, and is closed here as at the end of the run.
    gc.collect()


def interrupt_while_connecting(broker: Amqp, signalled: pytest.MonkeyPatch) -> None:
    """Open a connection, be interrupted, and close it."""

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    loop = amqp.watched_loop()
    signalled.setattr(amqp, "watched_loop", lambda: loop)
    # The client forgets a socket in two steps; the signal comes between them.
    signalled.setattr(loop, "remove_handler", interrupt)
    with pytest.raises(KeyboardInterrupt):
        broker.open()
    broker.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{password}", "a-wrong-secret"), "refuses the login; see the user and password"),
        (("%2F", "nowhere"), "does not let the login into the virtual host nowhere"),
        (("amqp://", "http://"), "url is not amqp://"),
    ],
)
def test_wrong_url_is_a_sentence_without_secret(
    services: Lab, probe_of: Make, change: tuple[str, str], said: str
) -> None:
    """A wrong password, virtual host or URL says what to mend, and shows no password."""
    old = change[0].format(password=services.passwords.checks)
    reach = probe_of(services.amqp_url.replace(old, change[1])).reach()
    assert not reach.ok
    assert said in str(reach)
    assert services.passwords.checks not in str(reach)
    assert "wrong-secret" not in str(reach)


def test_without_management_what_it_knows_is_not_offered(probe_of: Make) -> None:
    """Without management, alarms and deliveries are skipped, never taken for none."""
    probe = probe_of(management=None)
    for look in (probe.alarms, lambda: probe.deliveries(50, 300.0)):
        with pytest.raises(NotOffered, match="set management_url"):
            look()
    with pytest.raises(NotOffered, match="names no dead_letter queue"):
        probe.dead_letters()


def test_wrong_management_password_is_a_sentence(services: Lab, probe_of: Make) -> None:
    """Management that refuses the login is unreachable, and AMQP is still told."""
    wrong = services.management_url.replace(services.passwords.checks, "a-wrong-secret")
    probe = probe_of(management=wrong, name="process_upload")
    with pytest.raises(Unreachable, match=r"refuses the login on .*the tag monitoring") as refused:
        probe.alarms()
    assert "wrong-secret" not in str(refused.value)
    assert probe.depth().consumers == 1


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"message_stats": [], "messages_ready": "x"}']
)
def test_absent_figures_are_not_zero(made_server: MadeServer, probe_of: Make, body: bytes) -> None:
    """Figures that management does not give, or gives as nonsense, are never taken for zero."""
    made_server.reply = Reply(body=body)
    probe = probe_of(management=made_server.url)
    with pytest.raises((NotOffered, Unreachable)):
        probe.deliveries(50, 300.0)


def test_silent_management_costs_one_time_out(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """Management that never answers is waited for once, whatever is asked of it next."""
    way = proxy("127.0.0.1", services.ports.management)
    way.go_deaf()
    probe = probe_of(management=f"http://u:p@127.0.0.1:{way.port}", management_timeout=0.5)
    for look in (probe.alarms, lambda: probe.deliveries(50, 300.0), lambda: probe.figures(300.0)):
        with pytest.raises(Unreachable, match=r"did not answer within 0\.5 s"):
            look()
    assert way.accepted == 1


def test_alarms_are_named(made_server: MadeServer, probe_of: Make) -> None:
    """An alarm is told with its resource and node."""
    made_server.reply = Reply(
        503, b'{"status": "failed", "alarms": [{"resource": "memory", "node": "rabbit@a"}]}'
    )
    alarms = probe_of(management=made_server.url).alarms()
    assert alarms.block_publishers
    assert "alarm: memory on rabbit@a" in str(alarms)


def test_jobs_without_messages_are_lost(
    services: Lab, probe_of: Make, channel: Any, aged_upload: Callable[..., str]
) -> None:
    """Pending jobs whose messages are gone are told; those whose message waits are not."""
    database = Database(services.dsn)
    upload = aged_upload(job="pending")
    channel.basic_publish("", NAME, b"1")
    agreement = JobAgreement(database, probe_of())
    assert not agreement.jobs_in_queue().lost
    channel.queue_purge(NAME)
    jobs = agreement.jobs_in_queue()
    assert jobs.lost
    assert f"1 job pending ({upload}), 0 ready" in str(jobs)
    database.close()


def test_messages_that_are_not_acknowledged_are_not_missed(
    services: Lab, probe_of: Make, channel: Any, aged_upload: Callable[..., str]
) -> None:
    """A consumer that acknowledges automatically may have any job's message; none is lost yet."""
    database = Database(services.dsn)
    aged_upload(job="pending")
    consumer = channel.basic_consume(NAME, lambda *_: None, auto_ack=True)
    channel.basic_publish("", NAME, b"1")
    probe = probe_of()
    agreement = JobAgreement(database, probe)
    eventually(
        lambda: holder_is_known(probe, 0) and probe.depth().ready == 0, "figures of the consumer"
    )
    with pytest.raises(NotOffered, match=r"what veza from .* it acknowledges automatically"):
        agreement.jobs_in_queue()
    channel.basic_cancel(consumer)
    assert agreement.jobs_in_queue().lost
    database.close()


@pytest.mark.parametrize(
    "known",
    [{}, {"channel_details": []}, {"channel_details": {"user": "veza", "name": "127.0.0.1 (1)"}}],
    ids=["no channel", "empty channel", "no connection"],
)
def test_a_consumer_that_is_not_known_yet_leaves_no_hole(
    services: Lab,
    made_server: MadeServer,
    probe_of: Make,
    channel: Any,
    aged_upload: Callable[..., str],
    known: dict[str, Any],
) -> None:
    """Management lists a consumer before it knows its connection: every sentence says so."""
    database = Database(services.dsn)
    aged_upload(job="pending")
    channel.basic_consume(NAME, lambda *_: None, auto_ack=True)
    consumer = {"consumer_tag": "ctag1", "prefetch_count": 0, "ack_required": False, **known}
    figures = {"messages_unacknowledged": 4, "consumer_details": [consumer]}
    made_server.reply = Reply(body=json.dumps(figures).encode())
    probe = probe_of(management=made_server.url)
    unknown = "a consumer whose connection is not known yet"
    with pytest.raises(NotOffered, match=f"and what {unknown} has taken is not counted: it ackn"):
        JobAgreement(database, probe).jobs_in_queue()
    assert f"4 unacknowledged (limit 3), held by {unknown}" in str(probe.deliveries(3, 300.0))
    assert asdict(probe.figures(300.0))["consumers"][0]["connection"] is None
    database.close()


def test_deliveries_that_nobody_works_on_are_told(
    services: Lab, probe_of: Make, channel: Any, aged_upload: Callable[..., str]
) -> None:
    """Messages held while jobs wait and none is at work are told with their holder."""
    database = Database(services.dsn)
    aged_upload(job="pending")
    channel.basic_consume(NAME, lambda *_: None)
    channel.basic_publish("", NAME, b"1")
    probe = probe_of()
    agreement = JobAgreement(database, probe)
    eventually(lambda: holder_is_known(probe, 1), "figures of the delivery and its holder")
    held = agreement.held_deliveries(300.0)
    assert (held.unacknowledged, held.waiting) == (1, 1)
    assert not agreement.jobs_in_queue().lost
    assert "1 unacknowledged, held by veza from 127.0.0.1" in str(held)
    database.close()
