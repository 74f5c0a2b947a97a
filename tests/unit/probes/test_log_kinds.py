"""The lines that count as evidence, among those that a host selects."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

from core.language import ENGLISH, PSEUDO, set_language
from fixtures import login
from fixtures.probes.logs import kinds
from fixtures.probes.logs.lines import LogLine, below, parse_line
from fixtures.probes.logs.results import kind_word, quoted
from tests import made

if TYPE_CHECKING:
    from fixtures.probes.logs.scan import LineKind

NOW = 1_765_792_800.0
TRACE = (
    "java.lang.IllegalStateException: not stored\n\tat com.veza.Storage.put(Storage.java:8)\n"
    "Caused by: java.nio.file.AccessDeniedException: /srv/uploads/7/a.wav\n\t... 5 more\n"
)
"""A stack trace of Java as a field has it."""
NGINX = (
    '2025/12/15 10:00:00 [crit] 31#31: *103 {}, client: ::1, request: "POST /api/v1/upload '
    'HTTP/1.1", upstream: "fastcgi://unix:/run/php/php.sock:", host: "veza.example"'
)
UPSTREAM = "connect() to unix:/run/php/php.sock failed ({}) while connecting to upstream"


def zap(msg: str, level: str = "error", caller: str = "x/y.go:1", **fields: object) -> LogLine:
    """Return a line of zap."""
    return parse_line(json.dumps({"level": level, "caller": caller, "msg": msg, **fields}), NOW)


@pytest.mark.parametrize(
    ("line", "own"),
    [
        (zap("job failed"), True),
        (zap("job failed", id="7f9c2b1e"), True),
        (zap("email job failed", upload_id="7"), True),
        (zap("tâche échouée", job_id="7"), True),
        (zap("job failed", job_type="file.process"), True),
        (zap("newsletter job failed"), False),
        (zap("email job failed", error="no such file or directory"), False),
        (zap("job failed", job_type="send_invoice"), False),
        (zap("job failed", caller="jobs/newsletter.go:3"), False),
        (zap("royalties job failed"), False),
        (parse_line("lvl=error msg=failed kind=email upload=None err=smtp", NOW), False),
        (parse_line("lvl=error msg=failed kind=email upload=upl_01m8 err=smtp", NOW), True),
        (zap("email failed", upload_id=0), False),
    ],
)
def test_lines_of_other_features_do_not_count(line: LogLine, own: bool) -> None:
    """A line that names another feature is none about uploads; a terse line is one."""
    assert kinds.is_about_uploads(line, ["file.process"]) is own


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (zap("failed", upload_id="upl_01m8cxbd"), "upl_01m8cxbd"),
        (zap("failed", upload=42), "42"),
        (parse_line("ts=1795729184.9 lvl=error upload=7 msg=failed", NOW), "7"),
        (parse_line("upload 7f9c2b1e-0d4a: processing failed", NOW), "7f9c2b1e-0d4a"),
        (zap("upload sqgGYCMJabWx did not work out"), "sqgGYCMJabWx"),
        (zap("upload failed 12345678 times"), ""),
        (zap("upload 3 times failed"), ""),
        (zap("upload 3 of 7 failed"), ""),
        (zap("upload 3 (of 7) failed"), ""),
        (zap("upload 3/7: failed"), ""),
        (zap("processing failed for upload 42 (attempt 1 of 3)"), "42"),
        (zap("processing failed for upload 42"), "42"),
        (zap("upload 42 processing -> failed: bad codec"), "42"),
        (zap("failed", mdc={"uploadId": "42"}), "42"),
        (zap("upload processing failed"), ""),
        (zap("failed", upload_id="../../etc 7"), ""),
    ],
)
def test_the_upload_of_a_line(line: LogLine, name: str) -> None:
    """A field names it, or an id of some length behind the word; any other number need not."""
    assert kinds.upload_of(line) == name


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (zap("échec", error="Permission denied: /srv/u/7", caller="jobs/upload.go:1"), True),
        (zap("traitement échoué", error="Aucun fichier ou dossier de ce nom: /srv/7"), True),
        (zap("upload failed", error="open /srv/7: no such file or directory"), True),
        (zap("upload failed", error="write /srv/7: no space left on device"), True),
        (zap("upload failed", error="[Errno 18] Invalid cross-device link: '/srv/a/7'"), True),
        (zap("upload failed", error="EXDEV: rename '/srv/a/7' -> '/archive/7'"), True),
        (zap("upload failed", error="read /srv/7: structure needs cleaning"), True),
        (zap("upload failed", error="[Errno 187] code 18"), False),
        (zap("upload failed", error="permission denied for table uploads"), False),
        (zap("upload refused", error="permission denied: not the owner"), False),
        (
            zap('** (File.Error) could not read file "/media/7.wav": no such file or directory'),
            True,
        ),
        (zap("upload failed", error='could not read file "base/1/2": no such file'), False),
        (zap("upload done", "info", note="no such file before"), False),
        (zap("upload failed", error="EACCES: open '/srv/u/7'"), True),
        (zap("upload failed", error="open /srv/u/7: too many levels of symbolic links"), True),
        (zap("upload failed", error="read /srv/u/7: is a directory"), True),
        (zap("upload failed", error="[Errno 27] File too large: '/srv/u/7'"), True),
        (zap("upload failed", error="open /srv/u/7: too many open files"), True),
        (zap("job failed", error="EMFILE: open '/srv/u/7'"), True),
        (zap("http: Accept error", error="accept4: too many open files; retrying"), False),
        (zap("upload rejected", "warn", reason="file too large"), False),
        (zap("upload queue lost", "warn", reason="ProbableAccessDeniedError"), False),
        (zap("geoip not loaded", "warn", error="no such file or directory"), False),
        (zap("PUT /chunks/7/0 failed", error="[Errno 28] No space left on device"), True),
        (zap("PUT /chunks/7/0 failed", error="[Errno 2] No such file or directory"), False),
        (zap("upload failed", error="fork/exec /usr/bin/ffmpeg: no such file or directory"), False),
        (zap("upload failed", error="[Errno 2] No such file or directory: 'ffmpeg'"), False),
        (zap("upload failed", error="[Errno 2] No such file or directory: '/opt/x/sox'"), False),
        (zap("upload failed", error="No such file or directory: '/opt/codec/encode'"), False),
        (zap("upload failed", error="No such file or directory - /opt/codec/encode"), False),
        (zap("upload failed", error="No such file or directory - /usr/bin/sox"), False),
        (zap("upload failed", error="[Errno 13] Permission denied: '/opt/codec/encode'"), False),
        (zap("upload failed", error="No such file or directory: '/opt/veza/uploads'"), True),
        (zap("upload failed", error="No such file or directory: '/opt/veza/u/7'"), True),
        (zap("upload failed", error="spawn ffmpeg ENOENT"), False),
        (
            zap("upload failed", error="dial unix /run/av/clamd.sock: no such file or directory"),
            False,
        ),
        (zap("upload failed", error="connect ENOENT /run/av/clamd.sock"), False),
        (parse_line(NGINX.format(UPSTREAM.format("13: Permission denied")), NOW), False),
        (
            parse_line(
                NGINX.format('open() "/var/lib/nginx/b/1" failed (13: Permission denied)'), NOW
            ),
            True,
        ),
        (
            parse_line(NGINX.format(UPSTREAM.format("2: No such file or directory")), NOW),
            False,
        ),
        (parse_line("java.nio.file.AccessDeniedException: /srv/uploads/7/a.wav", NOW), True),
        (parse_line("Caused by: java.nio.file.NoSuchFileException: /srv/uploads/7", NOW), True),
        (zap("upload denied", error="security.AccessDeniedException: Access is denied"), False),
        (zap("processing failed", stack_trace=TRACE), True),
        (
            zap("upload failed", error='Cannot run program "ffmpeg": No such file or directory'),
            False,
        ),
        (zap("upload failed", error="fork/exec /opt/veza/transcode: permission denied"), False),
        (zap("upload failed", error="[Errno 13] Permission denied: 'ffmpeg'"), False),
        (zap("upload failed", error="[Errno 13] Permission denied: '/usr/bin/ffmpeg'"), False),
        (zap("upload failed", error="spawn /usr/bin/ffmpeg EACCES"), False),
        (zap("upload failed", error="Error: spawn EACCES"), False),
        (zap("upload failed", error="sh: 1: /usr/local/bin/sox: Permission denied"), False),
        (zap("upload failed", error="/usr/bin/sox: /srv/u/7.wav: Permission denied"), True),
        (zap("upload failed", error="ffmpeg: /srv/tmp/x: No space left on device"), True),
        (zap("upload failed", error="[Errno 2] No such file or directory: '/srv/u/7.wav'"), True),
        (zap("ffmpeg failed on upload", error="/srv/7: No such file or directory"), True),
        (zap("upload failed", error="open /srv/uploads/7/a.flac: no such file or directory"), True),
        (zap("falhou", error="[Errno 2] No such file or directory: '/srv/vol2/7.flac'"), True),
        (zap("falhou tipo=transcode", error="gzip: stdout: No space left on device"), True),
        (zap("upload failed", error="mkdir(): Permission denied"), True),
        (zap("upload failed", error="ffprobe: unable to read file header"), False),
        # Ruby's, of a file and of a program.
        (zap("job failed", error="Errno::ENOENT (No such file or directory - ffmpeg):"), False),
        (zap("job failed", error="Errno::ENOENT: No such file or directory - sox"), False),
        (zap("job failed", error="Errno::EACCES (Permission denied - /usr/bin/sox):"), False),
        (
            zap("job failed", error="(No such file or directory @ rb_sysopen - /srv/ab/cd/abcd):"),
            True,
        ),
        (zap("job failed", error="ActiveStorage::FileNotFoundError"), True),
        (zap("job failed", error="FileNotFoundError: No such file or directory: 'sox'"), False),
        (parse_line('upload: "/u: No such file or directory" {"class":"X"', NOW), True),
    ],
)
def test_storage_errors_are_the_operating_systems(line: LogLine, counts: bool) -> None:
    """Words of the operating system about a file of uploads count; a database's do not."""
    assert kinds.is_storage_error(line) is counts


@pytest.mark.parametrize(
    ("text", "another"),
    [
        ("upload 7f9c2b1e failed: [Errno 2] No such file or directory: '/opt/codec/encode'", True),
        ("upload 7f9c2b1e failed: [Errno 13] Permission denied: '/opt/codec/encode'", True),
        ("upload 7f9c2b1e failed: open /etc/veza/profile.json: no such file or directory", True),
        ("upload 7f9c2b1e failed: open /mnt/2/7f9c2b1e/a.wav: no such file or directory", False),
        ("upload 7f9c2b1e failed: open /srv/up/ab/cdef: no such file or directory", False),
        ("upload 7f9c2b1e failed: mkdir /srv/up: permission denied", False),
        ("upload 7f9c2b1e failed: write /tmp/x: no space left on device", False),
        ("upload 7f9c2b1e failed: [Errno 2] No such file or directory: 'a.wav'", False),
        ("upload failed: open /opt/codec/encode: no such file or directory", False),
    ],
)
def test_a_file_is_an_uploads_by_its_directory_or_its_id(text: str, another: bool) -> None:
    """A program that a job cannot start is missing in the same words as an upload's file."""
    line = parse_line(text, NOW)
    assert kinds.is_of_another_file(line, "/srv/up") is another
    assert not kinds.is_of_another_file(line, "")


def test_an_upload_that_a_proxy_refused_is_an_error() -> None:
    """It reaches neither the API nor the database: the proxy's error log is the only witness."""
    text = (
        "2026/11/28 02:03:04 [error] 31#31: *57 client intended to send too large body: 10485961 "
        'bytes, client: 203.0.113.7, server: veza, request: "POST /api/v1/upload HTTP/1.1"'
    )
    assert re.search(kinds.ERRORS.pattern, text.lower())
    assert kinds.is_error(parse_line(text, NOW))


@pytest.mark.parametrize(
    "message",
    [
        "ConditionalRejectingErrorHandler : Execution of Rabbit message listener failed.",
        "RejectAndDontRequeueRecoverer : Retries exhausted for message (Body:'[B@6d9f624')",
        "thread 'tokio-runtime-worker' (4711) panicked at src/transcode.rs:88:14:",
    ],
)
def test_a_framework_warns_of_a_job_that_failed(message: str) -> None:
    """The worker's own error is in the trace below the line."""
    text = f"2026-11-29T21:11:22.123+01:00  WARN 7 --- [transcoder] [Container#0-1] {message}"
    assert re.search(kinds.ERRORS.pattern, text.lower())
    assert kinds.is_error(parse_line(text, NOW))


@pytest.mark.parametrize(
    ("message", "level", "error"),
    [
        ("client went away during upload", "warn", False),
        ("upload aborted by the client", "warn", False),
        ("upload: client disconnected", "warn", False),
        ("client went away during upload", "error", True),
        ("upload not stored, connection reset by peer", "warn", True),
    ],
)
def test_a_warning_about_a_client_that_left_is_no_error(
    message: str, level: str, error: bool
) -> None:
    """Users give up at all times; an error, or another's connection, counts."""
    assert kinds.is_error(zap(message, level, error="unexpected EOF")) is error


REFUSED = [
    '10.0.0.7 - - [29/Nov/2026:02:03:04 +0000] "POST /api/v1/upload HTTP/1.1" 413 585',
    '[GIN] 2026/11/29 - 02:03:04 | 422 | 1.2ms | 10.0.0.7 | POST "/api/v1/upload"',
    "02:03:04 INFO HTTP POST /api/v2/uploads responded 415 in 2.1 ms",
    'INFO: 10.0.0.7:413 - "PUT /uploads/7/part/3 HTTP/1.1" 403 Forbidden',
    '{"status":413,"method":"POST","path":"/api/v1/upload","ts":1796000000}',
    '{"method":"POST","path":"/api/v1/upload","status_code":"413","ts":1796000000}',
    '{"path":"/api/v1/upload","method":"POST","statusCode":400}',
    "method=POST path=/api/v1/upload format=html action=create status=500 duration=9.7",
]
NOT_REFUSED = [
    '10.0.0.7 - - [29/Nov/2026:02:03:04 +0000] "POST /api/v1/upload HTTP/1.1" 499 0',
    '10.0.0.7 - - [29/Nov/2026:02:03:04 +0000] "POST /api/v1/upload HTTP/1.1" 202 413',
    '10.0.0.7 - - [29/Nov/2026:02:03:04 +0000] "GET /api/v1/uploads/7 HTTP/1.1" 404 9',
    '10.0.0.7 - - [29/Nov/2026:02:03:04 +0000] "POST /api/v1/login HTTP/1.1" 401 9',
    '[GIN] 2026/11/29 - 02:03:04 | 201 | 413ms | 10.0.0.7 | POST "/api/v1/upload"',
    '{"method":"POST","path":"/api/v1/upload","status":201,"bytes":413}',
    "method=POST path=/api/v1/upload format=html action=create status=201 duration=500.7",
    "[203a4b5e-0e99-4d89-bbd2-ac070a9f0000] Completed 500 Internal Server Error in 5ms",
]


@pytest.mark.parametrize(
    ("text", "refused"),
    [*((text, True) for text in REFUSED), *((text, False) for text in NOT_REFUSED)],
)
def test_a_request_for_an_upload_that_was_refused(text: str, refused: bool) -> None:
    """Access logs have it in many forms; a host selects all of them."""
    assert kinds.is_refused_request(parse_line(text, NOW)) is refused
    if refused:
        assert re.search(kinds.REFUSALS.pattern, text.lower())


@pytest.mark.parametrize("path", ["/p/x", "/srv/uploads/u 7/my song.wav"])
@pytest.mark.parametrize(
    "text",
    [
        "head: cannot open '{}' for reading: Permission denied",
        "tool ended with 74: head: cannot open ‘{}’ for reading: Permission denied",
        "cp: cannot create regular file '{}': Permission denied",
        'cp: cannot open "{}" for reading: Permission denied',
        "mv: cannot move '/tmp/a' to '{}': Permission denied",
        'rsync: mkstemp "{}" failed: Permission denied (13)',
        "sox FAIL formats: can't open output file `{}': Permission denied",
        "fopen({}): failed to open stream: Permission denied",
        '[crit] 7#0: *5 open() "{}" failed (13: Permission denied), client: 10.0.0.7',
        "[Errno 13] Permission denied: '{}'",
        "java.io.FileNotFoundException: {} (Permission denied)",
        "Permission denied @ rb_sysopen - {}",
        "could not open {}: Permission denied (os error 13)",
        'open {}: Os {{ code: 13, kind: PermissionDenied, message: "Permission denied" }}',
        "EACCES: permission denied, open '{}'",
    ],
)
def test_each_program_that_may_not_open_a_file(text: str, path: str) -> None:
    """Every program puts its own words between the path and those of the operating system."""
    assert kinds.is_storage_error(zap("upload failed", error=text.format(path)))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("open /p/x: permission denied", True),
        ("open /p/my song.wav: permission denied", True),
        ("tar: /p/x: Cannot open: Permission denied", True),
        ("x.wav: Permission denied", True),
        ('head: cannot open "/p/don\'t" for reading: Permission denied', True),
        ("Error opening input: Permission denied", True),
        ("permission denied for table x", False),
        ("Permission denied (publickey)", False),
        ("git@example.com: Permission denied (publickey,password).", False),
        ("rsync to /p/x: Permission denied (publickey)", False),
        ("user 7: permission denied", False),
        ("POST /uploads failed, permission denied", False),
        ("connect() to unix:/run/x.sock failed (13: Permission denied)", False),
    ],
)
def test_who_is_denied_a_permission(text: str, counts: bool) -> None:
    """A permission that a database, an SSH server or an API denies is none of a file."""
    assert kinds.is_storage_error(zap("upload failed", error=text)) is counts


POOL_WAITS = [
    "PoolTimeout: couldn't get a connection after 30.00 sec",
    "couldn't get a connection after 30 sec",
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00",
    "QueuePool limit of size 5 overflow 10 reached, connection timed out",
    "HikariPool-1 - Connection is not available, request timed out after 30000ms",
    "Connection is not available, request timed out after 30000ms (total=10, active=10)",
    "pgx: acquire connection from pool: context deadline exceeded",
    "failed to acquire db connection: context deadline exceeded",
    "db pool: timed out waiting for a free connection",
    "waiting for an idle connection to the database timed out",
    "pool timed out while waiting for an open connection",
    "SequelizeConnectionAcquireTimeoutError: Operation timeout",
    "Knex: Timeout acquiring a connection. The pool is probably full.",
    "Timed out fetching a new connection from the connection pool.",
    "could not obtain a connection from the pool within 5.000 seconds",
    "(DBConnection.ConnectionError) connection not available and request was dropped from queue",
    "FATAL: sorry, too many clients already",
    "sorry, too many clients",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "no more connections allowed (max_client_conn)",
    "ProtocolViolation: query_wait_timeout",
]


@pytest.mark.parametrize("text", POOL_WAITS)
def test_a_wait_for_a_database_connection_is_no_jobs_deadline(text: str) -> None:
    """The database gives no connection: the job may be quick."""
    line = zap("upload job failed", error=text)
    assert kinds.is_refusal_by_database(line)
    assert not kinds.is_expired_job(line)
    assert re.search(kinds.DATABASE.pattern, text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "context deadline exceeded",
        "worker pool: job timed out",
        "PoolTimeout: couldn't get a connection after 30 sec; job deadline exceeded",
    ],
)
def test_a_jobs_deadline_beside_a_pool_counts(text: str) -> None:
    """Only the words of the pool are left out."""
    assert kinds.is_expired_job(zap("upload job failed", error=text))


@pytest.mark.parametrize(
    ("frame", "refused"),
    [
        ("at /srv/app/node_modules/pg-pool/index.js:45:11", True),
        ("at async connect (/srv/app/node_modules/pg/lib/client.js:132:7)", True),
        ("at SMTPConnection.connect (/srv/app/node_modules/nodemailer/lib/index.js:9:1)", False),
        ("at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:122:26)", False),
    ],
)
def test_the_stack_tells_that_a_host_is_the_databases(frame: str, refused: bool) -> None:
    """The message names a host alone; the driver's files are in the stack."""
    text = "getaddrinfo ENOTFOUND main.internal"
    line = zap("request failed", err={"message": text, "stack": f"Error: {text}\n    {frame}"})
    assert kinds.is_refusal_by_database(line) is refused
    if refused:
        assert re.search(kinds.DATABASE.pattern, line.raw.lower())


UNREACHED = [
    "failed to connect to `host=db1 user=v database=v`: dial error (connection refused)",
    "failed to connect to `user=v database=v`: 10.0.0.7:5432 (db1): dial error: i/o timeout",
    'connection to server at "10.0.0.7", port 5432 failed: Connection refused',
    "connection to server at 10.0.0.7, port 5432 failed: No route to host",
    "Connexion refusée. Is the server running on that host and accepting TCP/IP connections?",
    "Connection to db1:5432 refused. Check that the postmaster is accepting TCP/IP connections.",
    "NpgsqlException: Failed to connect to 10.0.0.7:5432 SocketException (111): Connection refused",
    "could not open database: dial tcp 10.0.0.7:5432: connect: network is unreachable",
    "(DBConnection.ConnectionError) tcp connect (db1:5432): connection refused - :econnrefused",
    'sqlx: Io(Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })',
]


UNREACHED_BROKER = [
    "amqp dial: dial tcp 10.0.0.8:5672: connect: connection refused",
    "pika AMQPConnectionError: [Errno 110] Connection timed out",
    "rabbitmq: connect ECONNREFUSED 10.0.0.8:5672",
    "broker: dial tcp 10.0.0.8:5672: connect: no route to host",
]


@pytest.mark.parametrize("text", UNREACHED_BROKER)
def test_a_broker_that_does_not_answer_is_no_refusal_by_itself(text: str) -> None:
    """It may be down. Another server that does not answer is not the broker."""
    line = zap("connect failed", "warn", error=text)
    assert kinds.is_unreached_broker(line)
    assert not kinds.is_broker_refusal(line)
    assert re.search(kinds.BROKER.pattern, line.raw.lower())
    assert not kinds.is_unreached_broker(zap("x", error="redis: connection refused"))


@pytest.mark.parametrize("text", UNREACHED)
def test_a_database_that_does_not_answer_is_no_refusal_by_itself(text: str) -> None:
    """It may be down. Another server that does not answer is not the database."""
    line = zap("heartbeat failed", "warn", error=text)
    assert kinds.is_unreached_database(line)
    assert not kinds.is_refusal_by_database(line)
    assert re.search(kinds.DATABASE.pattern, line.raw.lower())
    for other in ("redis: dial tcp: connect: connection refused", "smtp: i/o timeout"):
        assert not kinds.is_unreached_database(zap("x", error=other))


@pytest.mark.parametrize(
    ("line", "write", "broker"),
    [
        (zap("x", error="cannot execute UPDATE in a read-only transaction"), True, False),
        (zap("x", error="ERROR: standby (SQLSTATE 25006)"), True, False),
        (
            zap("x", error="ne peut exécuter UPDATE dans une transaction en lecture seule"),
            True,
            False,
        ),
        (zap("x", error="ACCESS_REFUSED - Login was refused using PLAIN"), False, True),
        (zap("x", error="Login was refused using authentication mechanism PLAIN"), False, True),
        (zap("login refused", reason="wrong password"), False, False),
        (zap("x", error="Exception (403) Reason: username or password not allowed"), False, True),
        (zap("x", error="NOT_ALLOWED - access to vhost 'v' refused for user 'u'"), False, True),
        (zap("broker connection lost", "warn", reason="AccessDeniedError"), False, True),
        (
            zap("x", error="(403) ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
            False,
            False,
        ),
        (zap("amqp", error="(405) RESOURCE_LOCKED - cannot obtain exclusive access"), False, False),
        (zap("x", error="HTTP 403 forbidden"), False, False),
        (zap("x", error="amqp: dial tcp: lookup mq1 on 10.0.0.2:53: no such host"), False, True),
        (zap("getaddrinfo ENOTFOUND rabbitmq.internal"), False, True),
        (zap("x", error="amqps: x509: certificate signed by unknown authority"), False, True),
        (zap("x", error="amqp: dial tcp 10.0.0.7:5672: connection refused"), False, False),
        (zap("x", error="dial tcp: lookup s3.internal: no such host"), False, False),
        (zap("broker certificate expires in 12 days", "warn"), False, False),
        (zap("x", error="access denied"), False, False),
        (zap("read-only file system"), False, False),
        (
            zap("x", error='pq: could not extend file "base/5/16": No space left on device'),
            True,
            False,
        ),
        (zap("x", error='could not write to file "pg_wal/xlogtemp.7": no space'), True, False),
        (zap("x", error="ERROR: disk is full (SQLSTATE 53100)"), True, False),
        (zap("x", error="n'a pas pu étendre le fichier « base/5/16 »"), True, False),
        (zap("upload failed", error="could not write file /srv/u/7: no space left"), False, False),
    ],
)
def test_refusals_of_database_and_broker(line: LogLine, write: bool, broker: bool) -> None:
    """Each is told by its own words."""
    assert (kinds.is_refused_write(line), kinds.is_broker_refusal(line)) == (write, broker)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (zap("x", error='FATAL:  password authentication failed for user "veza"'), True),
        (zap("x", error='pq: permission denied for table "uploads"'), True),
        (zap("x", error="InsufficientPrivilege: permission denied for table uploads"), True),
        (zap("x", error="sorry, too many clients already"), True),
        (zap("x", error="too many connections for role veza"), True),
        (zap("x", error="permission denied for relations manager"), False),
        (zap("x", error="failed to connect: too many clients already (SQLSTATE 53300)"), True),
        (zap("x", error='FATAL:  too many connections for role "veza"'), True),
        (zap("x", error="FATAL: sorry, remaining connection slots are reserved"), True),
        (zap("x", error="FATAL:  authentification par mot de passe échouée pour « veza »"), True),
        (zap("x", error="HikariPool-1 - Connection is not available, request timed out"), True),
        (zap("x", error="QueuePool limit of size 5 overflow 10 reached"), True),
        (zap("database: connection pool exhausted"), True),
        (zap("redis: connection pool timeout", cache="postgres answers"), False),
        (zap("login refused", "warn", reason="password authentication failed for user bob"), False),
        (
            zap("x", error='InvalidPasswordError: password authentication failed for user "v"'),
            True,
        ),
        (
            zap("x", error="InvalidPasswordError: authentification par mot de passe échouée"),
            True,
        ),
        (zap("x", error="asyncpg: [Errno -2] Name or service not known"), True),
        (zap("x", error="désolé, trop de clients sont déjà connectés"), True),
        (zap("x", error="trop de connexions pour le rôle « veza »"), True),
        (zap("x", error="droit refusé pour la table job_queue"), True),
        (zap("x", error="droit refusé pour le schéma media"), True),
        (zap("x", error="droit refusé pour le profil de ce membre"), False),
        (zap("x", error="le rôle « veza » n'est pas autorisé à se connecter"), True),
        (zap("x", error="l'utilisateur n'est pas autorisé à se connecter"), False),
        (zap("x", error="aucune entrée dans pg_hba.conf pour l'hôte « web-1 »"), True),
        (zap("x", error="les emplacements de connexions restants sont réservés"), True),
        (zap("x", error="trop de connexions, réessayez plus tard"), False),
        (zap("x", error="HTTP 429 too many connections"), False),
        (zap("x", error="pgx: hostname resolving error: lookup db2: no such host"), True),
        (zap("x", error="psycopg: root certificate file missing; certificate verify failed"), True),
        (zap("x", error="db of geoip: dial tcp: lookup geoip: no such host"), False),
        (
            zap(
                "x", error="connect to `host=db2 user=veza database=veza`: lookup db2: no such host"
            ),
            True,
        ),
        (zap("failed to connect to database", error="lookup db2: no such host"), True),
        (zap("cannot ping the DB", error="dial tcp: lookup db2: no such host"), True),
        (zap("failed to connect to geoip database", error="lookup g2: no such host"), False),
        (zap("connected to postgres, pool timeout 30s", "info"), False),
        (zap("x", error="open /srv/x: permission denied"), False),
        (zap("x", error='new row for relation "u" violates check constraint "u_status"'), True),
        (zap("x", error='ERROR: column "checksum" of relation "u" does not exist'), True),
        (zap("x", error="pq: column u.checksum does not exist"), True),
        (zap("x", error='relation "job_queue" does not exist'), True),
        (zap("x", error="statement failed (SQLSTATE 42P01)"), True),
        (zap("x", error="la colonne « somme » de la relation « u » n'existe pas"), True),
        (zap("x", error="une valeur NULL viole la contrainte NOT NULL de la colonne"), True),
        (zap("x", error="pq: canceling statement due to statement timeout"), True),
        # Rails reads the columns first: a migration is missing.
        (zap("upload job failed", error="unknown attribute 'title' for Track::Song."), True),
        (zap("email job failed", error="unknown attribute 'title' for Newsletter."), False),
        (zap("x", error="délai écoulé pour l'exécution de l'instruction"), True),
        (zap("digest job failed", error="canceling statement due to statement timeout"), False),
        (zap("newsletter job failed", error='relation "mails" does not exist'), False),
        (zap("x", error='pq: duplicate key value violates unique constraint "jobs_pkey"'), True),
        (zap("x", error="duplicate key value violates unique constraint"), False),
        (zap("x", error='duplicate key value violates unique constraint "u_checksum"'), False),
        (zap("x", error='nextval: reached maximum value of sequence "jobs_id_seq" (7)'), True),
        (zap("x", error='new row violates row-level security policy for table "u"'), True),
        (zap("x", error="ERROR: integer out of range (SQLSTATE 22003)"), True),
        (zap("x", error="une clé dupliquée rompt la contrainte unique « jobs_pkey »"), True),
        (zap("x", error="valeur maximale de la séquence « jobs_id_seq » (7) atteinte"), True),
        (zap("x", error="viole la nouvelle politique de sécurité au niveau ligne"), True),
        (
            zap("x", error='column "progress" is of type jsonb but expression is of type smallint'),
            True,
        ),
        (
            zap("x", error="la colonne « n » est de type jsonb mais l'expression est de type text"),
            True,
        ),
        (zap("x", error="operator does not exist: uuid = text"), True),
        (zap("x", error="l'opérateur n'existe pas : uuid = text"), True),
        (zap("x", error='record "new" has no field "started_at"'), True),
        (zap("x", error="numeric field overflow"), True),
        (zap("job failed", error='invalid input syntax for type integer: "processing"'), True),
        (zap("x", caller="jobs/run.go:3", error="ERROR: bad (SQLSTATE 22P02)"), True),
        (
            zap("tâche échouée", error="syntaxe en entrée invalide pour le type integer : « a »"),
            True,
        ),
        (zap("x", error='invalid input syntax for type uuid: "abc"'), False),
        (zap("upload not found", error='invalid input syntax for type uuid: "abc"'), False),
        (zap("page index out of range"), False),
        (zap("x", error="the column header does not exist"), False),
        (zap("x", error="the file does not exist"), False),
    ],
)
def test_refusals_of_a_login_by_the_database(line: LogLine, counts: bool) -> None:
    """Words of the database's server or of a pool of its connections count; a user's login not."""
    assert kinds.is_refusal_by_database(line) is counts


NEST = "[Nest] 8  - 12/15/2025, 9:59:00 AM   ERROR "


def under(head: str, text: str) -> LogLine:
    """Return a line without a time that follows the error `head` of a NestJS program."""
    line = parse_line(NEST + head, NOW)
    return below(parse_line(text, NOW), line, line)


@pytest.mark.parametrize(
    "text",
    [
        'error: password authentication failed for user "veza"',
        "Error: getaddrinfo ENOTFOUND db.veza.internal",
    ],
)
def test_the_error_above_names_the_client_of_a_refusal(text: str) -> None:
    """Node.js writes the reason below the error, in a line of its own that names no client."""
    head = "[TypeOrmModule] Unable to connect to the database. Retrying (1)..."
    assert kinds.is_refusal_by_database(under(head, text))
    assert re.search(kinds.DATABASE.pattern, text.lower())
    assert not kinds.is_refusal_by_database(under("[Mail] not sent", text))
    assert not kinds.is_refusal_by_database(parse_line(text, NOW))


def test_the_error_above_names_the_server_that_does_not_answer() -> None:
    """The reason has its address alone."""
    text = "Error: connect ECONNREFUSED 10.0.0.8:5432"
    database = under("[TypeOrmModule] Unable to connect to the database.", text)
    assert kinds.is_unreached_database(database)
    assert not kinds.is_unreached_broker(database)
    broker = under("[Server] no broker: rabbitmq is gone", text)
    assert kinds.is_unreached_broker(broker)
    assert not kinds.is_unreached_database(broker)
    for kind in (kinds.DATABASE, kinds.BROKER):
        assert re.search(kind.pattern, text.lower())


STATES = ["28P01", "28000", "53300", "42501", "42703", "42P01", "42883", "23514", "23502", "57014"]
STATES += ["42804", "2200H", "22003", "22P02"]

REFUSALS = [
    "ActiveModel::UnknownAttributeError (unknown attribute 'title' for Track.):",
    "There is an issue connecting to your database with your username/password, username: veza.",
    "We could not find your database: veza. Available configurations can be found in",
    'FATAL:  password authentication failed for user "veza"',
    "FATAL: sorry, too many clients already",
    'psycopg: could not translate host name "db2" to address: Name or service not known',
    'SQLSTATE[08006] [7] could not translate host name "db2" to address: Name or service not known',
    "pgx: hostname resolving error: lookup db2: no such host",
    "(DBConnection.ConnectionError) tcp connect (db2:5432): non-existing domain - :nxdomain",
    "connect to `user=veza database=veza`: lookup db2: no such host",
    "failed to open database: dial tcp: lookup db2: no such host",
    "connection failed: FATAL:  SASL authentication failed",
    "FATAL:  authentification par mot de passe échouée pour l'utilisateur",
    'ERROR: permission denied for table "uploads"',
    "HikariPool-1 - Connection is not available, request timed out after 30000ms",
    'ERROR: new row for relation "u" violates check constraint "u_status_check"',
    'ERROR: no partition of relation "job_queue" found for row',
    "aucune partition de la relation « job_queue » trouvée pour la ligne",
    "ERROR: column u.checksum does not exist (SQLSTATE 42703)",
    "la colonne « somme » n'existe pas",
    "ERROR: canceling statement due to statement timeout",
    "FATAL: no pg_hba.conf entry for host",
    'FATAL: role "veza" is not permitted to log in',
    'FATAL: role "veza" does not exist',
    "ERREUR: droit refusé pour la table uploads",
    "FATAL: les emplacements de connexion restants sont réservés",
    "DETAIL: trop de clients",
    'invalid input value for enum upload_status: "queued"',
    "valeur en entrée invalide pour le enum upload_status",
    "une valeur NULL viole la contrainte NOT NULL",
    "délai écoulé pour l'exécution de l'instruction",
    'pq: duplicate key value violates unique constraint "jobs_pkey"',
    "une clé dupliquée rompt la contrainte unique « jobs_pkey »",
    'nextval: reached maximum value of sequence "jobs_id_seq"',
    "ERROR: integer out of range",
    'column "progress" is of type jsonb but expression is of type smallint',
    "la colonne « n » est de type jsonb mais l'expression est de type text",
    "operator does not exist: uuid = text",
    "l'opérateur n'existe pas : uuid = text",
    'record "new" has no field "started_at"',
    "numeric field overflow",
    'invalid input syntax for type integer: "processing"',
    "syntaxe en entrée invalide pour le type integer",
    *(f"statement failed (SQLSTATE {code})" for code in STATES),
]
"""What the database or a pool says, of each kind that the pattern has."""


BROKER = [
    "Authentication with RabbitMQ failed. Please check your connection settings.",
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN",
    "Exception (403) Reason: username or password not allowed",
    "NOT_ALLOWED - access to vhost 'v' refused for user 'u'",
    "no access to this vhost",
    "amqp: dial tcp: lookup mq1 on 10.0.0.2:53: no such host",
    "getaddrinfo ENOTFOUND rabbitmq.internal",
    "AMQPConnectionError: [Errno -2] Name or service not known",
    "rabbitmq: UnknownHostException: mq1",
    "broker: Temporary failure in name resolution",
    "amqps: x509: certificate signed by unknown authority",
    "Error: Expected ConnectionOpenOk; got <ConnectionClose channel:0>",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_hosts_select_refusals_by_the_database(text: str) -> None:
    """The host's pattern, in small letters, selects what may count."""
    assert re.search(kinds.DATABASE.pattern, text.lower())


@pytest.mark.parametrize("text", BROKER)
def test_hosts_select_refusals_by_the_broker(text: str) -> None:
    """The host's pattern, in small letters, selects what counts."""
    assert re.search(kinds.BROKER.pattern, text.lower())
    assert kinds.is_broker_refusal(zap("x", error=text))


WRAPAROUND = [
    'database is not accepting commands to avoid wraparound data loss in database "veza"',
    "not accepting commands that assign new transaction IDs to avoid wraparound data loss",
    "n'accepte pas de commandes qui affectent un nouvel identifiant afin d'éviter une perte",
]
READ_ONLY = [
    "cannot execute UPDATE in a read-only transaction",
    "cannot execute UPDATE during recovery",
    "recovery is in progress",
    "ERROR: standby (SQLSTATE 25006)",
    'could not extend file "base/5/16": No space left on device',
    "could not write block 7 of temporary file",
    "ERROR: disk is full (SQLSTATE 53100)",
    "ne peut exécuter UPDATE dans une transaction en lecture seule",
    "la restauration est en cours",
    "n'a pas pu étendre le fichier « base/5/16 »",
    *WRAPAROUND,
]


@pytest.mark.parametrize("text", WRAPAROUND)
def test_a_database_without_transaction_ids_refuses_writes(text: str) -> None:
    """It still reads; the host's pattern, in small letters, selects the line."""
    assert re.search(kinds.READ_ONLY.pattern, text.lower())
    assert kinds.is_refused_write(zap("x", error=text))


ERRORS = [
    '{"level":"error","caller":"x/y.go:1","msg":"no upload"}',
    "2026-11-28T01:02:03Z ERROR job 7: gone",
    "lvl=error msg=failed job=7",
    "upload storage error",
    "processing of upload 7 failed",
    "tâche 7 échouée",
    "traitement impossible",
    '{"msg":"worker lost","severity":"CRITICAL"}',
]

PHP = [
    'move_uploaded_file(): Unable to move "/tmp/phpXyz" to "/srv/uploads/7.wav"',
    "file_put_contents(): Only 0 of 8192 bytes written, possibly out of free disk space",
    "fopen(): open_basedir restriction in effect. File(/srv/uploads/7.wav) is not within",
    "filesize(): stat failed for /srv/uploads/7.wav",
    "Unable to create a directory at /srv/uploads/2026. mkdir(): Permission denied",
    "Unable to write file at location: 2026/11/7.wav.",
    'Unable to write in the "/srv/uploads/2026" directory.',
]

STORAGE = [
    "ActiveStorage::FileNotFoundError",
    "open /srv/7: no such file or directory",
    "stat /srv/7: stale NFS file handle",
    "[Errno 18] Invalid cross-device link: '/srv/a/7'",
    "EXDEV: rename '/srv/a/7' -> '/archive/7'",
    "read /srv/7: structure needs cleaning",
    "open /srv/u/7: too many levels of symbolic links",
    "spawn EACCES",
    "Aucun fichier ou dossier de ce nom: /srv/7",
    "erreur d'entrée/sortie",
    "Access to the path '/srv/7' is denied.",
    "Could not find a part of the path '/srv/7'.",
    *PHP,
]

TIMED_OUT = [
    "Maximum execution time of 30 seconds exceeded",
    "context deadline exceeded",
    "job timed out",
    "délai dépassé",
    "temps dépassé",
]
STARTED = ["Job Worker démarré", "upload worker has started", "queue-worker lancé"]


@pytest.mark.parametrize(
    ("cause", "check", "texts"),
    [
        ("", "logs/no_recent_processing_errors", ERRORS),
        ("", "logs/uploads_arrive_beside_errors", REFUSED),
        ("", "logs/no_storage_errors_are_logged", STORAGE),
        ("", "logs/no_timeouts_are_logged", TIMED_OUT),
        ("", "logs/worker_starts_once", STARTED),
        ("", "logs/worker_activity_is_logged", ["job worker up", "upload 7 is processed"]),
        (
            "database_access_refused",
            "logs/no_database_access_is_refused",
            [*REFUSALS, *POOL_WAITS, *UNREACHED],
        ),
        ("database_read_only", "logs/no_database_write_is_refused", READ_ONLY),
        ("broker_access_refused", "logs/no_broker_access_is_refused", [*BROKER, *UNREACHED_BROKER]),
    ],
)
def test_the_runbooks_grep_finds_the_lines_that_count(
    cause: str, check: str, texts: list[str]
) -> None:
    """Whoever looks sees the line on which the verdict rests."""
    bundle = made.bundle()
    looks = [text for one in bundle.evidence.outside if one.id == cause for text in one.look]
    commands = [text for text in looks if text.startswith("grep ")]
    for verification in bundle.document.verifications:
        commands += [one.text for one in verification.commands if check in one.checks]
    assert len(commands) > bool(cause)
    for command in commands:
        words = list(takewhile(lambda word: "<" not in word, shlex.split(command)))
        # A terminal of 80 columns breaks a command between its words.
        assert max(len(shlex.quote(word)) for word in words) <= 74
        lines = subprocess.run(
            words, input="\n".join(texts), capture_output=True, text=True, check=True
        ).stdout
        assert lines.splitlines() == texts


@pytest.mark.parametrize("text", PHP)
def test_phps_words_for_a_file_that_is_refused(text: str) -> None:
    """PHP and its libraries say it without the operating system's words, at times."""
    assert re.search(kinds.STORAGE.pattern, text.lower())
    assert kinds.is_storage_error(zap("upload failed", error=text))


@pytest.mark.parametrize(
    ("text", "of_job"),
    [
        ("WARNING/Main] Soft time limit (240s) exceeded for tracks.transcode[9dc6ab60]", True),
        ("ERROR/Main] Hard time limit (270s) exceeded for tracks.transcode[9dc6ab60]", True),
        ("ERROR/Pool-2] Task tracks.transcode[9dc6ab60] raised: SoftTimeLimitExceeded()", True),
        ("ERROR/Main] Task handler raised error: TimeLimitExceeded(270)", True),
        ("ERROR request exceeded its time limit", False),
        ("Caused by: java.util.concurrent.TimeoutException: ffmpeg did not exit in 60 s", True),
        ("ERROR Command '['/usr/bin/ffmpeg', '-i', 'a.wav']' timed out after 60 seconds", True),
        ("ERROR request timed out while the body of a.flac was read", False),
        ("ERROR connection timed out: sox-mirror.example:443", False),
    ],
)
def test_a_time_limit_that_is_exceeded_is_a_timeout(text: str, of_job: bool) -> None:
    """Celery's words for it have none for a job, nor has the line of a program that a job runs;
    other time limits may be of a request.
    """
    line = parse_line(f"2025-12-15 10:00:00 {text}", 0.0)
    assert re.search(kinds.TIMEOUTS.pattern, text.lower())
    assert kinds.is_timeout(line)
    assert kinds.is_expired_job(line) is of_job


def test_the_callers_file_tells_a_job_that_ran_out_of_time() -> None:
    """A message in another language has no word for a job; its folder alone is not one."""
    expired = {"error": "context deadline exceeded"}
    assert kinds.is_expired_job(zap("wartet", caller="jobs/upload_processor.go:1", **expired))
    assert not kinds.is_expired_job(zap("wartet", caller="jobs/worker.go:70", **expired))


def test_a_statement_or_a_connection_is_no_job_out_of_time() -> None:
    """The limit was the statement's or the connection's: the job may be quick."""
    text = "pq: canceling statement due to {} timeout"
    for limit in ("statement", "lock"):
        line = zap("job put back", caller="jobs/upload_processor.go:1", error=text.format(limit))
        assert kinds.is_timeout(line)
        assert not kinds.is_expired_job(line)
    lost = "broker unavailable, new jobs stay in job_queue"
    for limit in (
        "AMQPHeartbeatTimeout",
        "ActiveRecord::LockWaitTimeout",
        "dial tcp: i/o timeout",
        "connection timed out",
    ):
        assert not kinds.is_expired_job(zap(lost, "warn", reason=limit))
    both = zap("job failed: context deadline exceeded", error=text.format("statement"))
    assert kinds.is_expired_job(both)


@pytest.mark.parametrize(
    "line",
    [
        zap("cannot publish job", error="publish confirm timeout"),
        zap("failed to enqueue process_upload job", error="context deadline exceeded"),
    ],
)
def test_a_job_that_is_not_published_in_time_did_not_run_out_of_time(line: LogLine) -> None:
    """The broker did not answer: the job has not begun."""
    assert kinds.is_timeout(line)
    assert not kinds.is_expired_job(line)


def test_a_worker_that_starts_a_job_does_not_start() -> None:
    """Only the start of the worker itself counts."""
    assert kinds.is_start(zap("Job Worker démarré", "info"))
    assert kinds.is_start(zap("job worker started", "info"))
    assert not kinds.is_start(zap("job worker started job 7", "info"))


@pytest.mark.parametrize(
    ("program", "starts"),
    [("TranscoderApplication", True), ("JobWorker", True), ("MediaApiApplication", False)],
)
def test_spring_names_the_program_that_starts(program: str, starts: bool) -> None:
    """Its first line has no other word of a worker."""
    line = f"INFO 7 --- [main] c.v.Main : Starting {program} v3.4.1 using Java 21.0.5 with PID 7"
    assert bool(re.search(kinds.STARTS.pattern, line.lower())) is starts
    assert kinds.is_start(parse_line(line, NOW))


@pytest.mark.parametrize("kind", [*login.LINES, kinds.ERRORS.name, kinds.STORAGE.name])
def test_each_kind_of_lines_has_a_word_in_the_readers_language(kind: str) -> None:
    """In a sentence such as "no limited login line in the last 15 min"."""
    assert kind_word(kind) == kind
    try:
        set_language(PSEUDO)
        assert kind_word(kind) != kind
    finally:
        set_language(ENGLISH)


@pytest.mark.parametrize(
    ("line", "kind", "start"),
    [
        (
            zap(
                "request failed",
                error='connection to server at "db-1.internal", port 5432 '
                'failed: FATAL: password authentication failed for user "veza"',
            ),
            kinds.DATABASE,
            '"… FATAL: password authentication failed for user "veza"" in {',
        ),
        (
            parse_line(
                "<131>1 2026-11-27T13:07:16.560728+05:30 app1 veza-worker 8937 - - job 9 of "
                "upload 284 failed err=[Errno 2] No such file or directory: '/srv/284.flac'",
                NOW,
            ),
            kinds.STORAGE,
            "\"[Errno 2] No such file or directory: '/srv/284.flac'\" in <131>1 ",
        ),
        (
            zap(
                "x",
                error="dial mq-1.internal.example.net as veza, password = 4Kxp login was refused",
            ),
            kinds.BROKER,
            '"… *** login was refused" in {',
        ),
        (
            zap("x", error="no space left on device"),
            kinds.STORAGE,
            '"no space left on device" in {',
        ),
        (parse_line("mkdir: permission denied", NOW), kinds.STORAGE, "mkdir: permission denied"),
        (
            zap("processing failed", stack_trace=TRACE),
            kinds.STORAGE,
            '"… java.nio.file.AccessDeniedException: /srv/uploads/7/a.wav" in {',
        ),
        (zap("processing failed", stack_trace=TRACE), kinds.ERRORS, '"processing failed" in {'),
        (
            parse_line(
                json.dumps(
                    {
                        "level": 50,
                        "time": 1_765_792_799_000,
                        "pid": 18545,
                        "hostname": "media-worker-7d9c",
                        "name": "worker",
                        "msg": "amqp: (404, \"no queue 'uploads.v2' in vhost 'media'\")",
                    }
                ),
                NOW,
            ),
            kinds.ERRORS,
            "\"amqp: (404, \"no queue 'uploads.v2' in vhost 'media'\")\" in {",
        ),
        (
            parse_line(
                'ts=2025-12-15T10:00:00+01:00 lvl=error pid=7 msg="POST /u: no free connection"',
                NOW,
            ),
            kinds.ERRORS,
            '"POST /u: no free connection" in ts=',
        ),
        (
            zap("cannot write the file: no space left on device", error="giving up after 3"),
            kinds.STORAGE,
            '"cannot write the file: no space left on device" in {',
        ),
    ],
)
def test_a_quoted_line_begins_with_what_it_was_selected_for(
    line: LogLine, kind: LineKind, start: str
) -> None:
    """A sentence may be cut at its end: the words that say what happened come first."""
    assert quoted(line, kind.pattern).startswith(start)
