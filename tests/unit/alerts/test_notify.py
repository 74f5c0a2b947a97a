"""`python -m reports notify` with a real service of messages on loopback."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bench.receiver import Got, Receiver
from reports.alerts import http_call
from reports.alerts.maintenance import is_quiet, parse_window, read_windows
from reports.alerts.notify import Settings, notify
from reports.alerts.policy import Rule
from reports.cli.main import main
from reports.history import store as history
from reports.model.dump import render
from tests import made
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.model.report import Report

Says = pytest.CaptureFixture[str]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What messages and heartbeats are sent to."""
    with Receiver() as listening:
        yield listening


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the report of the last run is."""
    return tmp_path / "live/report.json"


def at(minutes: float) -> str:
    """A time that many minutes after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(minutes=minutes)).isoformat()


def put(path: Path, report: Report) -> Path:
    """Leave a report behind as a run does."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(render(report), encoding="utf-8")
    history.record(path.with_name(history.NAME), report)
    return path


def bad(minute: float, **changes: Any) -> Report:
    """An incident's report at that minute."""
    return made.incident(started=at(minute), **changes)


def good(minute: float) -> Report:
    """A healthy report at that minute."""
    return made.recovered(started=at(minute))


def titles(receiver: Receiver) -> list[str]:
    """The titles of the messages, in their order."""
    return [got.said["title"] for got in receiver.under("/alerts")]


def call(path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, *more: str) -> int:
    """Call the command with the receiver's address in the environment."""
    monkeypatch.setenv("ALERTS", f"json://{receiver.place}/alerts")
    return main(["notify", str(path), "--to", "env:ALERTS", *more])


def test_an_incident_is_one_message_and_its_end_another(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """Of five bad runs one message, of the good ones after them one with the duration."""
    reports = [good(0), *(bad(minute) for minute in (5, 10, 15, 20, 25)), good(30), good(35)]
    for report in reports:
        assert call(put(path, report), monkeypatch, receiver) == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert [got.said["type"] for got in receiver.got] == ["failure", "success"]
    assert f"It lasted 25 min, since {at(5)}." in receiver.got[1].said["message"]
    assert capsys.readouterr() == ("", "")


def test_a_run_that_looked_elsewhere_tells_nobody_of_an_end(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A narrowed run in an incident is no recovery and no ping of health; a full one is both."""
    monkeypatch.setenv("BEAT", f"http://{receiver.place}/ping")
    aside = made.recovered(started=at(10), only="storage/")
    assert aside.state == "healthy"
    for report in (bad(0), bad(5), aside, bad(15), good(20)):
        assert call(put(path, report), monkeypatch, receiver, "--heartbeat", "env:BEAT") == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert f"It lasted 20 min, since {at(0)}." in receiver.under("/alerts")[1].said["message"]
    assert [got.path for got in receiver.under("/ping")] == ["/ping/fail"] * 4 + ["/ping"]


def test_the_message_is_the_verdict_the_actions_and_a_link(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says the report's first line, what to do with real names, and where the rest is."""
    put(path, bad(0))
    base = ("--confirm", "1", "--link-base", "https://ops.example/veza/")
    assert call(path, monkeypatch, receiver, *base) == 0
    text = receiver.got[0].said["message"]
    assert text.startswith(made.incident().headline)
    assert "What to do: " in text
    assert "veza-backend-api" in text
    assert text.endswith("Report: https://ops.example/veza/live/report.html")
    assert len(text) < 2_000


def test_called_again_it_tells_nothing_again(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call for a report is no second bad run, message or heartbeat."""
    monkeypatch.setenv("BEAT", f"http://{receiver.place}/ping")
    for report in (bad(0), bad(5), good(10)):
        put(path, report)
        for _ in range(3):
            assert call(path, monkeypatch, receiver, "--heartbeat", "env:BEAT") == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert [got.path for got in receiver.under("/ping")] == ["/ping/fail", "/ping/fail", "/ping"]


def test_calls_at_the_same_instant_tell_once(path: Path, receiver: Receiver) -> None:
    """Four processes for one report send one message and one heartbeat together."""
    put(path, bad(0))
    environ = os.environ | {
        "ALERTS": f"json://{receiver.place}/alerts",
        "BEAT": f"http://{receiver.place}/ping",
    }
    command = [sys.executable, "-m", "reports", "notify", str(path), "--to", "env:ALERTS"]
    running = [
        subprocess.Popen(
            [*command, "--heartbeat", "env:BEAT", "--confirm", "1"],
            cwd=made.ROOT,
            env=environ,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=PATIENCE)[1] for process in running]
    assert errors == [b""] * 4
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(got.path.rstrip("/") for got in receiver.got) == ["/alerts", "/ping/fail"]


def test_a_message_that_did_not_arrive_is_sent_by_the_next_call(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """A refusal is one sentence and exit status 1; alert and recovery both arrive later."""
    receiver.status = 503
    for report in (bad(0), bad(5), good(10)):
        status = call(put(path, report), monkeypatch, receiver)
    assert status == 1
    out, err = capsys.readouterr()
    assert out == ""
    sentence = "not delivered, and kept for the next call: destination 1 (json): it answered 503\n"
    assert err == 2 * sentence
    receiver.status = 200
    receiver.got.clear()
    assert call(path, monkeypatch, receiver) == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    receiver.got.clear()
    assert call(path, monkeypatch, receiver) == 0
    assert receiver.got == []


def test_who_has_a_message_does_not_get_it_again(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """Of two services one is down: the other is not told twice for it, and no token is printed."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"json://me:hunter22@127.0.0.1:{unused.getsockname()[1]}/topsecret"
        monkeypatch.setenv("ALERTS", f"json://{receiver.place}/alerts, {down}")
        command = ["notify", str(put(path, bad(0))), "--to", "env:ALERTS", "--confirm", "1"]
        assert [main(command) for _ in range(3)] == [1, 1, 1]
    assert titles(receiver) == ["Veza live: incident"]
    err = capsys.readouterr().err
    assert "destination 2 (json): it cannot be reached" in err
    assert "hunter22" not in err
    assert "topsecret" not in err


def test_a_service_that_never_answers_ends_with_the_deadline(
    path: Path, receiver: Receiver
) -> None:
    """A service that hangs costs the time that deliveries have, and does not hold the process."""
    receiver.hold = True
    code = (
        "import sys; from reports.alerts import delivery; from reports.cli import main as cli; "
        "delivery.deliver.__defaults__ = (0.5,); cli.leave(cli.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "notify", put(path, bad(0)), "--to=env:ALERTS", "--confirm=1"],
        cwd=made.ROOT,
        env=os.environ | {"ALERTS": f"json://{receiver.place}/alerts?rto=100"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("destination 1 (json): no answer within 0.5 s\n")


def test_maintenance_silences_messages_and_keeps_what_is_still_true(
    path: Path, receiver: Receiver
) -> None:
    """Within a window nobody is told; after it what lasts is, once, since its beginning."""
    begin = datetime.fromisoformat(at(0))
    window = parse_window(f"{at(0)}/{at(60)}")
    settings = Settings((f"json://{receiver.place}/alerts",), windows=(window,))
    for minute in (0, 5, 10):
        assert notify(bad(minute), put(path, bad(minute)), settings, begin.timestamp()) == []
    assert receiver.got == []
    after = begin.timestamp() + 3601
    assert notify(bad(60), put(path, bad(60)), settings, after) == []
    assert titles(receiver) == ["Veza live: incident"]
    assert f"Since {at(0)}" in receiver.got[0].said["message"]


def test_an_end_within_maintenance_is_told_after_it(path: Path, receiver: Receiver) -> None:
    """Who was told of the incident hears of its end, though later."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    settings = Settings(
        (f"json://{receiver.place}/alerts",), Rule(1, 1), (parse_window(f"{at(10)}/{at(20)}"),)
    )
    for minute, report in ((0, bad(0)), (12, good(12)), (15, good(15)), (25, good(25))):
        assert notify(report, put(path, report), settings, begin + minute * 60) == []
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert "It lasted 12 min" in receiver.got[1].said["message"]


def test_what_begins_and_ends_within_maintenance_is_never_told(
    path: Path, receiver: Receiver
) -> None:
    """A reboot that was announced is no news afterwards."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    window = parse_window(f"{at(0)}/{at(20)}")
    settings = Settings((f"json://{receiver.place}/alerts",), Rule(1, 1), (window,))
    for minute, report in ((5, bad(5)), (10, good(10)), (25, good(25))):
        assert notify(report, put(path, report), settings, begin + minute * 60) == []
    assert receiver.got == []


def test_an_old_report_is_no_reminder(path: Path, receiver: Receiver) -> None:
    """When the runs have stopped, the last one's report is not told again and again."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    settings = Settings((f"json://{receiver.place}/alerts",), Rule(1, 1, remind_every=60))
    put(path, bad(0))
    for minute in range(5):
        assert notify(bad(0), path, settings, begin + minute * 300) == []
    assert titles(receiver) == ["Veza live: incident"]
    assert notify(bad(30), put(path, bad(30)), settings, begin + 1800) == []
    assert titles(receiver)[1:] == ["Veza live: still incident"]


def test_a_slip_in_the_windows_silences_nothing(
    path: Path, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """A line that is no window is told, and the message is sent."""
    file = tmp_path / "quiet.txt"
    file.write_text("# upgrade\n2026-03-01T22:00/2026-03-01T23:00  # of the disk\ntomorrow\n")
    windows, wrong = read_windows([f"file:{file}"])
    assert len(windows) == 1
    assert is_quiet(windows, datetime.fromisoformat("2026-03-01T22:30").astimezone())
    assert not is_quiet(windows, datetime.fromisoformat("2026-03-01T23:00").astimezone())
    assert len(wrong) == 1
    put(path, bad(0))
    assert call(path, monkeypatch, receiver, "--confirm=1", f"--quiet=file:{file}") == 1
    assert "'tomorrow' is no window" in capsys.readouterr().err
    assert titles(receiver) == ["Veza live: incident"]


@pytest.mark.parametrize(
    ("address", "healthy", "failed"),
    [
        ("/ping/abc", ("POST", "/ping/abc"), ("POST", "/ping/abc/fail")),
        (
            "/api/push/abc?status=up&msg=OK&ping=",
            ("GET", "/api/push/abc?ping=&status=up&msg=Healthy"),
            ("GET", "/api/push/abc?ping=&status=down&msg=Incident"),
        ),
        (
            "/api/v1/endpoints/veza_live/external",
            ("POST", "/api/v1/endpoints/veza_live/external?success=true"),
            ("POST", "/api/v1/endpoints/veza_live/external?success=false&error=Incident"),
        ),
    ],
)
def test_a_heartbeat_has_the_shape_of_its_service(
    path: Path,
    receiver: Receiver,
    address: str,
    healthy: tuple[str, str],
    failed: tuple[str, str],
) -> None:
    """Healthchecks, Uptime Kuma and Gatus each get a success and a failure in their own way."""
    beat = f"http://:token1@{receiver.place}{address}"
    for report in (good(0), bad(5)):
        assert notify(report, put(path, report), Settings(heartbeat=beat)) == []
    for got, (method, begin) in zip(receiver.got, (healthy, failed), strict=True):
        assert (got.method, got.path[: len(begin)]) == (method, begin)
        assert authorization(got) == ("Bearer token1" if "endpoints" in address else "Basic")


def authorization(got: Got) -> str:
    """How the request proved itself; of Basic only the word."""
    given = got.headers["Authorization"]
    return "Basic" if given.startswith("Basic ") else given


def test_an_old_report_is_no_sign_of_life(path: Path, receiver: Receiver) -> None:
    """A run that left no new report is not pinged: the switch must notice that."""
    put(path, good(0))
    settings = Settings(heartbeat=f"http://{receiver.place}/ping")
    for _ in range(3):
        assert notify(good(0), path, settings) == []
    assert len(receiver.got) == 1


def test_a_heartbeat_that_fails_is_one_sentence_and_sent_again(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """A switch that refuses, hangs or is away costs one sentence, without its address' secret."""
    put(path, good(0))
    monkeypatch.setenv("BEAT", f"http://{receiver.place}/hushhush")
    command = ["notify", str(path), "--heartbeat", "env:BEAT"]
    receiver.status = 404
    assert main(command) == 1
    receiver.hold = True
    with monkeypatch.context() as impatient:
        impatient.setattr(http_call.call, "__defaults__", ("", None, 0.3))
        assert main(command) == 1
    receiver.hold, receiver.status = False, 200
    assert main(command) == 0
    monkeypatch.setenv("BEAT", "http://127.0.0.1:1/hushhush")
    put(path, good(5))
    assert main(command) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["the heartbeat was not delivered"] * 3
    for line, why in zip(said, ("it answered 404", "no answer within", "refused"), strict=True):
        assert why in line
        assert "hushhush" not in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nobody to tell"),
        (("--to", "json://me:hunter22@host/"), "write env:NAME or file:PATH"),
        (("--to", "env:NOWHERE"), "NOWHERE is not set or empty"),
        (("--heartbeat", "file:/nowhere"), "/nowhere cannot be read"),
    ],
)
def test_an_address_that_is_not_there_is_one_sentence(
    path: Path, capsys: Says, arguments: tuple[str, ...], said: str
) -> None:
    """A slip in the command line ends with 2 and shows no secret."""
    assert main(["notify", str(put(path, bad(0))), *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "hunter22" not in err
    assert err.count("\n") == 1


def test_an_address_that_apprise_does_not_know_is_told(path: Path, receiver: Receiver) -> None:
    """It does not keep the others from being told."""
    addresses = ("nonsense://hunter22", f"json://{receiver.place}/alerts")
    (problem,) = notify(bad(0), put(path, bad(0)), Settings(addresses, Rule(1, 1)))
    assert problem.endswith("destination 1 (nonsense): it is no address that apprise knows")
    assert titles(receiver) == ["Veza live: incident"]


def test_without_a_history_the_switch_is_told(path: Path, receiver: Receiver) -> None:
    """Where nothing can be remembered nobody is told twice, and the heartbeat is a failure."""
    put(path, good(0))
    path.with_name(history.NAME).unlink()
    path.with_name(history.NAME).mkdir()
    settings = Settings(
        (f"json://{receiver.place}/alerts",), heartbeat=f"http://{receiver.place}/p"
    )
    (problem,) = notify(good(0), path, settings)
    assert problem.startswith("nobody was told, ")
    assert [got.path for got in receiver.got] == ["/p/fail"]


def test_a_history_of_before_gets_what_notify_needs(path: Path, receiver: Receiver) -> None:
    """The tables are added to a history that an older version has written, and its runs stay."""
    put(path, good(0))
    with closing(sqlite3.connect(path.with_name(history.NAME))) as other, other:
        for table in ("alert_deliveries", "alert_messages", "alert_runs", "alert"):
            other.execute(f"DROP TABLE {table}")
        other.execute("ALTER TABLE checks DROP COLUMN role")
        other.execute("PRAGMA user_version = 1")
    settings = Settings((f"json://{receiver.place}/alerts",), Rule(1, 1))
    assert notify(bad(5), path, settings) == []
    assert titles(receiver) == ["Veza live: incident"]
    with history.History.to_read(path.with_name(history.NAME)) as opened:
        assert [run.started for run in opened.runs(9)] == [at(0)]


def test_a_service_that_is_down_for_a_year_costs_no_year_of_messages(path: Path) -> None:
    """Of reminders that nobody got the last one waits, and what waits is bounded."""
    settings = Settings(("json://127.0.0.1:1/alerts",), Rule(1, 1, remind_every=60))
    begin = datetime.fromisoformat(at(0)).timestamp()
    put(path, bad(0))
    for minute in range(6):
        notify(bad(minute), path, settings, begin + minute * 60)
    with closing(sqlite3.connect(path.with_name(history.NAME))) as other:
        waiting = other.execute("SELECT what FROM alert_messages WHERE NOT done").fetchall()
    assert waiting == [("alert",), ("reminder",)]


def test_a_log_line_calls_nobody(path: Path, receiver: Receiver) -> None:
    """What a target says does not become a call to everybody in a chat."""
    report = made.report(
        ["signal/no_upload_is_stuck"], seen="stuck: @everyone <!channel>", started=at(0)
    )
    notify(report, put(path, report), Settings((f"json://{receiver.place}/alerts",), Rule(1, 1)))
    text = receiver.got[0].said["message"]
    assert "@everyone" not in text
    assert "<!channel" not in text
