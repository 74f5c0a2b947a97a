"""`python -m reports notify`, with a real message service on loopback."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bench.receiver import ReceivedRequest, Receiver
from reports.alerts import http_call
from reports.alerts.maintenance import in_maintenance, parse_window, read_windows
from reports.alerts.notify import Settings, notify
from reports.alerts.policy import Rule
from reports.cli.main import main
from reports.history import store as history
from reports.model.report import Report
from reports.model.report_json import to_json
from reports.render import words
from tests import made
from tests.suite import run_command
from tests.waiting import PATIENCE

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the last run's report."""
    return tmp_path / "live/report.json"


def at(minutes: float) -> str:
    """A time that many minutes after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(minutes=minutes)).isoformat()


def undelivered(path: Path) -> int:
    """The number of messages that wait."""
    with closing(sqlite3.connect(path.with_name(history.NAME))) as other:
        waiting = other.execute("SELECT count(*) FROM alert_messages WHERE NOT done").fetchone()
    return int(waiting[0])


def clock(moment: str) -> str:
    """A time as a message shows it."""
    return words.clock(moment, made.STARTED)


def save(path: Path, report: Report) -> Path:
    """Save a report and record it in the history, as a run does."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(to_json(report), encoding="utf-8")
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
    return [got.json["title"] for got in receiver.requests_to("/alerts")]


def run_notify(path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, *more: str) -> int:
    """Run the command with the receiver's address in the environment."""
    monkeypatch.setenv("ALERTS", f"json://{receiver.address}/alerts")
    return main(["notify", str(path), "--to", "env:ALERTS", *more])


def test_an_incident_is_one_message_and_its_end_another(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Five bad runs send one message, and the good ones after them send one with the duration."""
    reports = [good(0), *(bad(minute) for minute in (5, 10, 15, 20, 25)), good(30), good(35)]
    for report in reports:
        assert run_notify(save(path, report), monkeypatch, receiver) == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert [got.json["type"] for got in receiver.requests] == ["failure", "success"]
    assert f"It lasted 25 min, since {clock(at(5))}." in receiver.requests[1].json["message"]
    assert capsys.readouterr() == ("", "")


def test_a_narrowed_run_does_not_end_an_incident(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends no recovery and pings a failure; a full run does both."""
    monkeypatch.setenv("BEAT", f"http://{receiver.address}/ping")
    narrowed = made.recovered(started=at(10), only="storage/")
    assert narrowed.state == "healthy"
    for report in (bad(0), bad(5), narrowed, bad(15), good(20)):
        assert run_notify(save(path, report), monkeypatch, receiver, "--heartbeat", "env:BEAT") == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert (
        f"It lasted 20 min, since {clock(at(0))}."
        in receiver.requests_to("/alerts")[1].json["message"]
    )
    assert [got.path for got in receiver.requests_to("/ping")] == ["/ping/fail"] * 4 + ["/ping"]


def test_a_message_has_the_headline_the_actions_and_a_link(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actions have real names filled in."""
    save(path, bad(0))
    base = ("--confirm", "1", "--link-base", "https://ops.example/veza/")
    assert run_notify(path, monkeypatch, receiver, *base) == 0
    text = receiver.requests[0].json["message"]
    assert text.startswith(made.incident().headline)
    assert "Broken at Worker: Client ─ API ─ " in text
    assert "Do this:" in text
    assert "Then verify: pytest --target live --upload-id=upload-1" in text
    assert "Checks: failed 4 of " in text
    assert "veza-backend-api" in text
    assert text.endswith("Report: https://ops.example/veza/live/upload_stuck/report.html")
    assert len(text) < 2_000


def test_a_second_call_for_a_report_sends_nothing(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as no second bad run, and sends no message and no heartbeat."""
    monkeypatch.setenv("BEAT", f"http://{receiver.address}/ping")
    for report in (bad(0), bad(5), good(10)):
        save(path, report)
        for _ in range(3):
            assert run_notify(path, monkeypatch, receiver, "--heartbeat", "env:BEAT") == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert [got.path for got in receiver.requests_to("/ping")] == [
        "/ping/fail",
        "/ping/fail",
        "/ping",
    ]


@pytest.mark.patient
def test_calls_at_the_same_time_send_one_message(path: Path, receiver: Receiver) -> None:
    """Four processes for one report send one message and one heartbeat together."""
    save(path, bad(0))
    environ = os.environ | {
        "ALERTS": f"json://{receiver.address}/alerts",
        "BEAT": f"http://{receiver.address}/ping",
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
    assert sorted(got.path.rstrip("/") for got in receiver.requests) == ["/alerts", "/ping/fail"]


def test_an_undelivered_message_is_sent_by_the_next_call(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A refusal is one sentence and exit status 1; alert and recovery both arrive later."""
    receiver.status = 503
    for report in (bad(0), bad(5), good(10)):
        status = run_notify(save(path, report), monkeypatch, receiver)
    assert status == 1
    out, err = capsys.readouterr()
    assert out == ""
    sentence = "not delivered, the next call tries again: destination 1 (json): it answered 503\n"
    assert err == 2 * sentence
    receiver.status = 200
    receiver.requests.clear()
    assert run_notify(path, monkeypatch, receiver) == 0
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    receiver.requests.clear()
    assert run_notify(path, monkeypatch, receiver) == 0
    assert receiver.requests == []


def test_a_destination_gets_a_message_once(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Of two services one is down: the other gets no duplicate, and no token is printed."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"json://me:hunter22@127.0.0.1:{unused.getsockname()[1]}/topsecret"
        monkeypatch.setenv("ALERTS", f"json://{receiver.address}/alerts, {down}")
        command = ["notify", str(save(path, bad(0))), "--to", "env:ALERTS", "--confirm", "1"]
        assert [main(command) for _ in range(3)] == [1, 1, 1]
    assert titles(receiver) == ["Veza live: incident"]
    err = capsys.readouterr().err
    assert "destination 2 (json): it cannot be reached" in err
    assert "hunter22" not in err
    assert "topsecret" not in err


def test_a_service_that_never_answers_is_left_at_the_deadline(
    path: Path, receiver: Receiver
) -> None:
    """It costs the time that deliveries have, and does not keep the process."""
    receiver.hang = True
    code = (
        "import sys; from reports.alerts import delivery; from reports.cli import main as cli; "
        "delivery.SECONDS_MAX = 0.5; cli.leave(cli.main(sys.argv[1:]))"
    )
    arguments = ("notify", save(path, bad(0)), "--to=env:ALERTS", "--confirm=1")
    environ = {"ALERTS": f"json://{receiver.address}/alerts?rto=100"}
    done = run_command(sys.executable, "-c", code, *arguments, environ=environ)
    assert done.returncode == 1
    assert done.stderr.endswith("destination 1 (json): no answer within 0.5 s\n")


def test_an_incident_that_outlasts_maintenance_is_reported_after_it(
    path: Path, receiver: Receiver
) -> None:
    """The message says since when, and is sent once."""
    begin = datetime.fromisoformat(at(0))
    window = parse_window(f"{at(0)}/{at(60)}")
    settings = Settings((f"json://{receiver.address}/alerts",), windows=(window,))
    for minute in (0, 5, 10):
        assert notify(bad(minute), save(path, bad(minute)), settings, begin.timestamp()) == []
    assert receiver.requests == []
    after = begin.timestamp() + 3601
    assert notify(bad(60), save(path, bad(60)), settings, after) == []
    assert titles(receiver) == ["Veza live: incident"]
    assert f"Since {clock(at(0))} " in receiver.requests[0].json["message"]


def test_a_recovery_in_maintenance_is_reported_after_it(path: Path, receiver: Receiver) -> None:
    """The recovery of a reported incident arrives later, with the right duration."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    settings = Settings(
        (f"json://{receiver.address}/alerts",), Rule(1, 1), (parse_window(f"{at(10)}/{at(20)}"),)
    )
    for minute, report in ((0, bad(0)), (12, good(12)), (15, good(15)), (25, good(25))):
        assert notify(report, save(path, report), settings, begin + minute * 60) == []
    assert titles(receiver) == ["Veza live: incident", "Veza live: incident over"]
    assert "It lasted 12 min" in receiver.requests[1].json["message"]


def test_an_incident_within_maintenance_is_never_reported(path: Path, receiver: Receiver) -> None:
    """An announced reboot sends nothing afterwards."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    window = parse_window(f"{at(0)}/{at(20)}")
    settings = Settings((f"json://{receiver.address}/alerts",), Rule(1, 1), (window,))
    for minute, report in ((5, bad(5)), (10, good(10)), (25, good(25))):
        assert notify(report, save(path, report), settings, begin + minute * 60) == []
    assert receiver.requests == []


def test_an_old_report_sends_no_reminder(path: Path, receiver: Receiver) -> None:
    """When the runs have stopped, the last report is not sent again and again."""
    begin = datetime.fromisoformat(at(0)).timestamp()
    settings = Settings((f"json://{receiver.address}/alerts",), Rule(1, 1, remind_every=60))
    save(path, bad(0))
    for minute in range(5):
        assert notify(bad(0), path, settings, begin + minute * 300) == []
    assert titles(receiver) == ["Veza live: incident"]
    assert notify(bad(30), save(path, bad(30)), settings, begin + 1800) == []
    assert titles(receiver)[1:] == ["Veza live: still incident"]


def test_a_broken_maintenance_window_silences_nothing(
    path: Path, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The broken line is reported, and the message is sent."""
    file = tmp_path / "quiet.txt"
    file.write_text("# upgrade\n2026-03-01T22:00/2026-03-01T23:00  # of the disk\ntomorrow\n")
    windows, problems = read_windows([f"file:{file}"])
    assert len(windows) == 1
    assert in_maintenance(windows, datetime.fromisoformat("2026-03-01T22:30").astimezone())
    assert not in_maintenance(windows, datetime.fromisoformat("2026-03-01T23:00").astimezone())
    assert len(problems) == 1
    save(path, bad(0))
    assert run_notify(path, monkeypatch, receiver, "--confirm=1", f"--quiet=file:{file}") == 1
    assert "'tomorrow' is not a maintenance window" in capsys.readouterr().err
    assert titles(receiver) == ["Veza live: incident"]


ZONE = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        # Sunday, 1 March 2026, in winter; 5 July in summer: two o'clock on the wall.
        ("0 2 * * SUN for 2h in Europe/Paris", "2026-03-01T02:00", "2026-03-01T01:59"),
        ("0 2 * * SUN for 2h in Europe/Paris", "2026-07-05T03:59", "2026-07-05T04:00"),
        ("0 2 * * 0 for 2 h in Europe/Paris", "2026-03-08T03:00", "2026-03-09T03:00"),
        # It began the day before, and lasts beyond the next time that it would open.
        ("30 22 * * MON-FRI for 8h in Europe/Paris", "2026-03-07T06:29", "2026-03-07T06:30"),
        ("*/30 * 1 * * for 31min in Europe/Paris", "2026-04-01T12:15", "2026-04-02T00:01"),
        ("0 4 * * TUE#1 for 1h in Europe/Paris", "2026-03-03T04:30", "2026-03-10T04:30"),
        # The clock is set forward at two: the hour does not exist, the window does.
        ("30 1 29 3 * for 1h in Europe/Paris", "2026-03-29T03:29", "2026-03-29T03:30"),
    ],
)
def test_a_window_that_comes_back(window: str, inside: str, outside: str) -> None:
    """A cron expression opens it, by the clock of its zone."""
    windows, problems = read_windows([window])
    assert problems == ()
    assert in_maintenance(windows, datetime.fromisoformat(inside).replace(tzinfo=ZONE))
    assert not in_maintenance(windows, datetime.fromisoformat(outside).replace(tzinfo=ZONE))


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        # The minute before it opens again.
        ("*/30 * * * * for 31min in Europe/Paris", "2026-04-01T10:29:30+00:00"),
        ("0 22 * * * for 24h in Europe/Paris", "2026-03-05T20:59:30+00:00"),
        # The clock is set back at three: it is half past two, and then ten past two once more.
        ("30 2 * * * for 1h in Europe/Paris", "2026-10-25T01:10:00+00:00"),
    ],
)
def test_a_window_that_is_open_may_open_again_soon(window: str, inside: str) -> None:
    """The next opening on the clock does not hide that the last one is not over."""
    windows, _ = read_windows([window])
    assert in_maintenance(windows, datetime.fromisoformat(inside))


def test_a_window_without_a_zone_is_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own zone, with its summer time."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        (window,), _ = read_windows(["0 2 * * * for 1h"])
        assert window.is_open(datetime.fromisoformat("2026-07-05T06:30+00:00"))
        assert window.is_open(datetime.fromisoformat("2026-01-05T07:30+00:00"))
        assert not window.is_open(datetime.fromisoformat("2026-01-05T06:30+00:00"))
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ("0 2 * * for 2h", "'0 2 * *' has not the five fields of cron"),
        ("0 25 * * SUN for 2h", "Bad hour in '0 25 * * SUN'"),
        ("0 2 * * SUN for ever", 'write it like "10 min"'),
        ("0 2 * * SUN for 8d", "it is longer than a week"),
        ("0 2 * * SUN for 2h in Mars/Base", "there is no time zone 'Mars/Base'"),
        ("0 2 * * SUN for 2h in ../etc", "write one like Europe/Paris"),
        ("tomorrow", '"0 2 * * SUN for 2h"'),
    ],
)
def test_a_window_that_cannot_be_read_is_one_sentence(window: str, sentence: str) -> None:
    """It says what is wrong and how to write it."""
    windows, (problem,) = read_windows([window])
    assert windows == ()
    assert problem.startswith(f"--quiet: {window!r} is not a maintenance window: ")
    assert sentence in problem


def test_a_file_has_windows_and_comments(tmp_path: Path) -> None:
    """A # begins a comment, but not within a cron expression."""
    file = tmp_path / "quiet.txt"
    file.write_text("# weekly\n0 2 * * SUN for 2h # upgrades\n0 2 * * SUN#1 for 4h\n")
    windows, problems = read_windows([f"file:{file}"])
    assert problems == ()
    assert [getattr(window, "cron", "") for window in windows] == ["0 2 * * SUN", "0 2 * * SUN#1"]


def test_a_weekly_window_silences_the_messages(path: Path, receiver: Receiver) -> None:
    """What lasts beyond it is reported by the first run after it."""
    windows, _ = read_windows(["0 10 * * MON for 30min in UTC"])
    settings = Settings((f"json://{receiver.address}/alerts",), Rule(1, 1), windows)
    begin = datetime.fromisoformat(at(0)).timestamp()
    for minute in (0, 10, 29):
        assert notify(bad(minute), save(path, bad(minute)), settings, begin + minute * 60) == []
    assert receiver.requests == []
    assert notify(bad(30), save(path, bad(30)), settings, begin + 1800) == []
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
def test_a_heartbeat_has_the_form_of_its_service(
    path: Path,
    receiver: Receiver,
    address: str,
    healthy: tuple[str, str],
    failed: tuple[str, str],
) -> None:
    """Healthchecks, Uptime Kuma and Gatus each get a success and a failure in their own form."""
    beat = f"http://:token1@{receiver.address}{address}"
    for report in (good(0), bad(5)):
        assert notify(report, save(path, report), Settings(heartbeat=beat)) == []
    for got, (method, begin) in zip(receiver.requests, (healthy, failed), strict=True):
        assert (got.method, got.path[: len(begin)]) == (method, begin)
        assert authorization(got) == ("Bearer token1" if "endpoints" in address else "Basic")


@pytest.mark.parametrize("address", ["/ping/abc", "/api/v1/endpoints/veza_live/external"])
def test_a_redirect_carries_the_login_to_no_other_host(
    path: Path, receiver: Receiver, address: str
) -> None:
    """The heartbeat follows the redirect; only the host that the address names gets its token."""
    receiver.answer = lambda got: (302 if got.method == "POST" else 200, "")
    beat = f"http://:token1@{receiver.address}{address}"
    with type(receiver)() as other:
        for place, last in ((f"http://{other.address}/", other), ("/elsewhere", receiver)):
            receiver.redirects_to = place
            assert notify(good(0), save(path, good(0)), Settings(heartbeat=beat)) == []
            path.unlink()
            path.with_name(history.NAME).unlink()
            assert last.requests[-1].method == "GET"
        assert "Authorization" not in other.requests[0].headers
    assert all("Authorization" in request.headers for request in receiver.requests)


def authorization(got: ReceivedRequest) -> str:
    """The request's authorization; of Basic only the word."""
    value = got.headers["Authorization"]
    return "Basic" if value.startswith("Basic ") else value


def test_an_old_report_sends_no_heartbeat(path: Path, receiver: Receiver) -> None:
    """A run that left no new report is not pinged, so that its absence is noticed."""
    save(path, good(0))
    settings = Settings(heartbeat=f"http://{receiver.address}/ping")
    for _ in range(3):
        assert notify(good(0), path, settings) == []
    assert len(receiver.requests) == 1


def test_a_failed_heartbeat_is_one_sentence_and_is_sent_again(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A service that refuses, hangs or is down costs one sentence, without the address's secret."""
    save(path, good(0))
    monkeypatch.setenv("BEAT", f"http://{receiver.address}/hushhush")
    command = ["notify", str(path), "--heartbeat", "env:BEAT"]
    receiver.status = 404
    assert main(command) == 1
    receiver.hang = True
    with monkeypatch.context() as impatient:
        impatient.setattr(http_call, "SECONDS_MAX", 0.3)
        assert main(command) == 1
    receiver.hang, receiver.status = False, 200
    assert main(command) == 0
    monkeypatch.setenv("BEAT", "http://127.0.0.1:1/hushhush")
    save(path, good(5))
    assert main(command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["the heartbeat was not delivered"] * 3
    for line, why in zip(lines, ("it answered 404", "no answer within", "refused"), strict=True):
        assert why in line
        assert "hushhush" not in line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no destination"),
        (("--to", "json://me:hunter22@host/"), "write env:NAME or file:PATH"),
        (("--to", "env:NOWHERE"), "NOWHERE is not set or empty"),
        (("--heartbeat", "file:/nowhere"), "/nowhere cannot be read"),
    ],
)
def test_a_missing_address_is_one_sentence(
    path: Path, capsys: Capture, arguments: tuple[str, ...], sentence: str
) -> None:
    """A wrong command line ends with 2 and shows no secret."""
    assert main(["notify", str(save(path, bad(0))), *arguments]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "hunter22" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("unusable", ["nonsense://hunter22", "tgram://1:/"])
def test_an_address_that_apprise_cannot_use_is_reported(
    path: Path, receiver: Receiver, unusable: str
) -> None:
    """The others still get the message, also where a service has an error of its own."""
    addresses = (unusable, f"json://{receiver.address}/alerts")
    (problem,) = notify(bad(0), save(path, bad(0)), Settings(addresses, Rule(1, 1)))
    assert re.match(r"--to: destination 1 \(\w+\): apprise cannot use it", problem)
    assert titles(receiver) == ["Veza live: incident"]


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        # apprise counts each of these as a success.
        ("json://{}/alerts?optional=yes", 500, "it answered 500"),
        ("json://{}/alerts", 302, "it answered 302"),
        ("emby://user:password@{}", 500, "it answered 500"),
        ("emby://user:password@{}", 200, "nobody is there to notify"),
    ],
)
def test_what_was_not_sent_does_not_count_as_delivered(
    path: Path, receiver: Receiver, form: str, status: int, reason: str
) -> None:
    """An optional address that failed, a redirect that drops the message, a service without users.

    The message waits, and is sent when the service takes it.
    """
    login = '{"Id": "1", "AccessToken": "1"}'
    receiver.answer = lambda got: (status, "[]" if "Sessions" in got.path else login)
    settings = Settings((form.format(receiver.address),), Rule(1, 1))
    (problem,) = notify(bad(0), save(path, bad(0)), settings)
    assert problem.endswith(f": {reason}")
    assert undelivered(path) == 1
    receiver.answer = lambda got: (200, '[{"Id": "s"}]' if "Sessions" in got.path else login)
    assert notify(bad(5), save(path, bad(5)), settings) == []
    assert undelivered(path) == 0


def test_without_a_history_the_heartbeat_is_a_failure(path: Path, receiver: Receiver) -> None:
    """No message is sent, because it could be a duplicate."""
    save(path, good(0))
    path.with_name(history.NAME).unlink()
    path.with_name(history.NAME).mkdir()
    settings = Settings(
        (f"json://{receiver.address}/alerts",), heartbeat=f"http://{receiver.address}/p"
    )
    (problem,) = notify(good(0), path, settings)
    assert problem.startswith("no message was sent, because it could be a duplicate: ")
    assert [got.path for got in receiver.requests] == ["/p/fail"]


def test_an_older_history_gets_the_tables_of_notify(path: Path, receiver: Receiver) -> None:
    """The tables are added to the file of an older version, and its runs stay."""
    save(path, good(0))
    with closing(sqlite3.connect(path.with_name(history.NAME))) as other, other:
        for table in ("alert_deliveries", "alert_messages", "alert_runs", "alert"):
            other.execute(f"DROP TABLE {table}")
        other.execute("ALTER TABLE checks DROP COLUMN role")
        other.execute("PRAGMA user_version = 1")
    settings = Settings((f"json://{receiver.address}/alerts",), Rule(1, 1))
    assert notify(bad(5), path, settings) == []
    assert titles(receiver) == ["Veza live: incident"]
    with history.History.to_read(path.with_name(history.NAME)) as opened:
        assert [run.started for run in opened.runs(9)] == [at(0)]


def test_undelivered_reminders_do_not_pile_up(path: Path) -> None:
    """Of undelivered reminders only the last one waits."""
    settings = Settings(("json://127.0.0.1:1/alerts",), Rule(1, 1, remind_every=60))
    begin = datetime.fromisoformat(at(0)).timestamp()
    save(path, bad(0))
    for minute in range(6):
        notify(bad(minute), path, settings, begin + minute * 60)
    with closing(sqlite3.connect(path.with_name(history.NAME))) as other:
        waiting = other.execute("SELECT what FROM alert_messages WHERE NOT done").fetchall()
    assert waiting == [("alert",), ("reminder",)]


def test_a_log_line_mentions_nobody(path: Path, receiver: Receiver) -> None:
    """A text of the target does not become a mention of everybody in a chat."""
    report = made.report(
        ["signal/no_upload_is_stuck"], seen="stuck: @everyone <!channel>", started=at(0)
    )
    notify(report, save(path, report), Settings((f"json://{receiver.address}/alerts",), Rule(1, 1)))
    text = receiver.requests[0].json["message"]
    assert "@everyone" not in text
    assert "<!channel" not in text
