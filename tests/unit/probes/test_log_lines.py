"""The parser of log lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.probes.logs.kinds import KINDS, is_error
from fixtures.probes.logs.lines import Clock, _time_of, parse_line
from fixtures.probes.logs.scan import parse_scan

NOW = 1_765_792_800.0  # 2025-12-15 10:00:00 UTC


def test_zap_json_is_parsed() -> None:
    """A line of zap's production format has time, level, caller, values and status."""
    line = parse_line(
        '{"level":"error","ts":1765792740.5,"caller":"jobs/p.go:9","msg":"upload failed",'
        '"id":"u1","status":"processing","error":"context deadline exceeded"}\n',
        NOW,
    )
    assert line.age(NOW) == 59.5
    assert (line.level, line.caller, line.statuses) == ("error", "jobs/p.go:9", ("processing",))
    assert "context deadline exceeded" in line.message
    assert "jobs/p.go" not in line.message
    assert not line.is_informational


def test_names_of_fields_are_not_part_of_the_message() -> None:
    """A field named "timeout" does not make its line one about a timeout."""
    line = parse_line('{"level":"warn","ts":1765792740,"msg":"slow","timeout":"30s"}', NOW)
    assert "timeout" not in line.message


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ('\t{"job_timeout": "10m", "status": "Processing"}', " 10m Processing"),
        ('\tsee {"here" for more {"job_timeout": "10m"}', '\tsee {"here" for more 10m'),
        ('\t{"attempt": 2, "job_timeout": "10m", "note": "caf\\u00', " 10m caf"),
        ('\t{"job_timeout": "10m", "job_timeo', " 10m"),
        ('\t{"job_timeout": "10m"} gave up', '\t{"job_timeout": "10m"} gave up'),
        ('\t{"job_timeout" and no more', '\t{"job_timeout" and no more'),
    ],
)
def test_fields_at_the_end_of_a_text_line_are_parsed(tail: str, message: str) -> None:
    """Of the JSON object at the end of a console line, even a cut one, only the values count."""
    line = parse_line(f"2025-12-15T09:59:00Z\tWARN\tx/y.go:1\tslow{tail}", NOW)
    assert line.message == f"2025-12-15T09:59:00Z\tWARN\tx/y.go:1\tslow{message}"
    assert line.statuses == (("processing",) if "status" in tail else ())
    assert (line.level, line.age(NOW)) == ("warning", 60.0)


@pytest.mark.parametrize("name", ["err", "error", "exception"])
def test_the_text_of_a_nested_error_is_part_of_the_message(name: str) -> None:
    """A logger that writes the error as an object, such as pino, has its words within."""
    line = parse_line(
        f'{{"level":50,"msg":"job failed","{name}":'
        '{"type":"Error","message":"no space left","stack":"Error: at x"}}',
        NOW,
    )
    assert line.message == "job failed Error no space left"


def test_the_fields_names_in_the_rest_of_a_cut_line_are_no_text() -> None:
    """An error of a database's client has its settings; the host cuts their beginning out."""
    line = parse_line(
        '{"level":50,"msg":"idle client error","err":{"type":"Error","message":"gone","stack":"Er'
        '\x1ement_timeout":15000,"query_timeout":false,"user":"veza","lock_timeout":0}}}',
        NOW,
    )
    deep = parse_line(
        '{"level":50,"msg":"idle client error","err":{"message":"gone","client":{"a":[{"options":'
        '{"statement_timeout":15000,"user":"veza","lock_time',
        NOW,
    )
    assert deep.message == "idle client error gone"
    assert "timeout" not in line.message
    assert "idle client error" in line.message
    assert "veza" in line.message


def test_a_message_that_only_the_error_has_is_there_once() -> None:
    """Without a message of its own a line has that of its error."""
    line = parse_line('{"level":50,"err":{"type":"Error","message":"no space left"}}', NOW)
    assert line.message == "no space left Error"


def test_colours_are_removed() -> None:
    """A coloured level is parsed, and the line is kept without colours."""
    line = parse_line("2025-12-15T09:59:00Z\t\x1b[34mINFO\x1b[0m\tx\tjob failed? no", NOW)
    assert (line.level, line.is_informational, "\x1b" in line.raw) == ("info", True, False)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("2025-12-15T09:59:00.000Z\tINFO\tjobs/worker.go:41\tJob Worker démarré", 60.0),
        ("2025-12-15T10:59:00.000+0100\tERROR\tx", 60.0),
        ("2025-12-15T04:59:00-05:00 x", 60.0),
        ("2025/12/15 09:59:00 upload error", 60.0),
        ("[2025-12-15 09:59:00,250] x", 59.75),
        ("2025-12-15 09:59:00 Zebra", 60.0),
        ("E, [2025-12-15T09:59:00.500000 #123] ERROR -- : job failed", 59.5),
        ("15-Dec-2025 09:59:00.500 SEVERE [main] org.apache.catalina x", 59.5),
        ("15 Dec 2025 09:59:00,500 [main] ERROR x", 59.5),
        ("20251215T095900,500 [main] ERROR x", 59.5),
        ("20251215T105900.500+0100 ERROR x", 59.5),
        ("2025-12-15T10:59:00,500+01 ERROR x", 59.5),
        ("2025-12-15 09:59:00 -12 dB", 60.0),
        ("15.12.2025 09:59:00,500 ERROR x", 59.5),
        ("05.12.2025 10:00:00 ERROR x", 864_000.0),
        ("12/15/2025 9:59:00 AM ERROR x", 60.0),
        ("[12/14/2025, 10:00:00 PM] ERROR x", 43_200.0),
        ("12/15/2025 12:00:00 AM ERROR x", 36_000.0),
        ("15/12/2025 09:59:00 ERROR x", 60.0),
        ("12/12/2025 10:00:00 ERROR x", 259_200.0),
        ("[Nest] 8  - 12/15/2025, 9:59:00 AM     LOG [Uploads] x", 60.0),
    ],
)
def test_leading_times_are_parsed(text: str, age: float) -> None:
    """A time at the start of a line, with or without a zone, in ISO's or Go's form, is parsed."""
    assert parse_line(text, NOW).age(NOW) == pytest.approx(age)


@pytest.mark.parametrize("value", ["1765792740", "1765792740000", "1765792740000000000"])
def test_epochs_in_any_unit_are_parsed(value: str) -> None:
    """A number is seconds, milliseconds or nanoseconds, whichever gives a plausible date."""
    assert parse_line(f'{{"ts":{value},"msg":"x"}}', NOW).age(NOW) == pytest.approx(60.0)


FORMS = [
    "time=2025-12-15T10:59:00+01:00 level=ERROR source=jobs/p.go:1 msg=failed err=boom",
    'ts=2025-12-15T09:59:00Z lvl=eror msg="job failed" error="boom"',
    '2025-12-15T09:59:00Z\tERROR\tjobs/p.go:1\tfailed\t{"id":"u1","error":"boom"}',
    "2025-12-15 09:59:00,000 ERROR veza.jobs: job failed err=boom",
    'Dec 15 09:59:00 web1 veza[8]: {"level":"error","msg":"job failed","error":"boom"}',
    '2025-12-15T09:59:00Z stdout F {"level":"error","msg":"job failed","error":"boom"}',
    '{"log":"level=error msg=failed err=boom\\n","stream":"stderr","time":"2025-12-15T09:59:00Z"}',
    '{"__REALTIME_TIMESTAMP":"1765792740000000","PRIORITY":"3","MESSAGE":"job failed error=boom"}',
    '{"__REALTIME_TIMESTAMP":"1765792740000000","PRIORITY":"6","MESSAGE":"ERROR failed err=boom"}',
    "api-1  | 2025-12-15T09:59:00Z ERR job failed error=boom",
    "[pod/api-7f/api] 2025-12-15T09:59:00Z [error] job failed error=boom",
    '{"level":50,"time":1765792740000,"msg":"job failed","err":{"message":"boom"}}',
    '{"severity":"ERREUR","time":"1765792740000","message":"échec","erreur":"boom"}',
    "2025-12-15 09:59:00 ERREUR traitement échoué erreur=boom",
    "E1215 09:59:00.000000       1 upload.go:12] upload failed err=boom",
    "1765792740000 [ERROR] job failed error=boom",
]


@pytest.mark.parametrize("text", FORMS)
def test_every_form_has_its_time_level_and_error(text: str) -> None:
    """A line in a form of a common logger, container or log daemon is parsed."""
    line = parse_line(text, NOW)
    assert (line.age(NOW), line.level, line.error) == (60.0, "error", "boom")


def test_the_journals_info_is_no_level() -> None:
    """The journal calls all that a service prints "info", so a line's own words decide."""
    entry = '{"__REALTIME_TIMESTAMP":"1765792740000000","PRIORITY":"6","MESSAGE":"job failed"}'
    line = parse_line(entry, NOW)
    assert (line.level, line.message) == (None, "job failed")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"log":"upload 7: disk full\\n","stream":"stderr","time":"2025-12-15T09:59:00Z"}', ""),
        ('{"__REALTIME_TIMESTAMP":"1765792740000000","MESSAGE":"upload 7: disk full"}', ""),
        ('{"log":"{\\"msg\\":\\"failed\\",\\"id\\":7}","stream":"stderr"}', "failed"),
    ],
)
def test_a_line_within_another_is_what_it_says(line: str, words: str) -> None:
    """What Docker or the journal wrote around a line is none of its words, so none is quoted."""
    assert parse_line(line, NOW).words == (words or "upload 7: disk full")


@pytest.mark.parametrize("tail", ["", " upload=284", ", upload=284"])
def test_an_error_without_quotation_marks_may_have_spaces(tail: str) -> None:
    """It ends where the next field begins, or with the line."""
    line = parse_line(f"job failed err=[Errno 2] No such file: '/srv/284.flac'{tail}", NOW)
    assert line.error == "[Errno 2] No such file: '/srv/284.flac'"
    assert dict(line.fields).get("upload") == ("284" if tail else None)


@pytest.mark.parametrize(
    ("day_first", "age"), [(None, None), (True, 864_000.0), (False, 18_748_800.0)]
)
def test_a_date_of_two_months_has_the_order_of_its_file(
    day_first: bool | None, age: float | None
) -> None:
    """Half of the world writes the day first: without the order there is no time."""
    assert parse_line("05/12/2025 10:00:00 x", NOW, day_first=day_first).age(NOW) == age


@pytest.mark.parametrize(
    ("last", "age"),
    [
        ("12/05/2025 09:59:30 AM", 60.0),
        ("05/12/2025 09:59:30 AM", 17_884_860.0),
        ("12/15/2025 09:59:30 AM", None),
        ("2025-12-05 09:59:30", None),
    ],
)
def test_the_last_line_of_a_file_shows_the_order_of_its_dates(last: str, age: float | None) -> None:
    """It was written when the file was: of two months one is that day's."""
    now = NOW - 10 * 86_400
    lines = (
        f"host {now:.0f} +0000",
        f"last {now - 30:.0f} {last}",
        "line error 12/05/2025 09:59:00 AM x",
        "end\n",
    )
    scan = parse_scan("\n".join(lines), "here", KINDS)
    assert scan is not None
    assert [line.age(now) for _, line in scan.lines] == [age]


def test_a_date_within_the_message_is_not_the_lines_time() -> None:
    """Only the line's own time counts: an error about an old upload may be new."""
    assert parse_line("upload error for 2024-01-01 00:00:00", NOW).when is None


def test_time_without_a_zone_is_the_hosts() -> None:
    """A time without a zone is the host's, unless it would be in the future: then it is UTC."""
    assert _time_of("2025-12-15 10:59:00", Clock(NOW, 3600)) == NOW - 60
    assert _time_of("2025-12-15 09:59:00", Clock(NOW, -3600)) == NOW - 60


@pytest.mark.parametrize(
    "text", ["upload error", "goroutine 7 [running]:", "2025-13-45 99:99:99 x", '{"ts":true}', "{}"]
)
def test_lines_without_a_date_have_none(text: str) -> None:
    """A line without a date has no age."""
    assert parse_line(text, NOW).age(NOW) is None


@pytest.mark.parametrize(
    "tail",
    ["", "\\", "\\u00", '","job_timeo', '","job_timeout":12', '","nested":{"job_timeout":"x'],
)
def test_cut_json_keeps_its_date_and_level(tail: str) -> None:
    """A line that was cut anywhere keeps its time, its level, and its message without the keys."""
    line = parse_line(
        f'{{"level":"error","ts":1765792740.5,"msg":"upload error: aaaaaaaa{tail}', NOW
    )
    assert (line.age(NOW), line.level) == (59.5, "error")
    assert line.message.startswith("upload error: aaaaaaaa")
    assert "job_timeout" not in line.message


@given(st.integers(45, 200))
def test_a_line_that_is_not_repaired_has_the_same_time(length: int) -> None:
    """A cut line has the same time and level with and without repair."""
    fields = {"id": "a,b", "note": '{"x": "\\"}'}
    raw = json.dumps({"level": "warn", "ts": 1765792740.5, "msg": "upload accepted", **fields})
    unrepaired = parse_line(raw[:length], NOW, repair=False)
    repaired = parse_line(raw[:length], NOW)
    assert (unrepaired.age(NOW), unrepaired.level) == (59.5, "warning")
    assert (repaired.age(NOW), repaired.level) == (59.5, "warning")


@pytest.mark.parametrize(
    ("text", "informational"),
    [
        ('{"level":"info","msg":"processing_timeout set"}', True),
        ("2025-12-15T09:59:00Z\tDEBUG\tx\tjob failed? no", True),
        ("2025-12-15T09:59:00Z\tERROR\tx\tjob failed", False),
        ("time=2025-12-15T09:59:00Z level=info msg=x", True),
        ("[Nest] 8  - 12/15/2025, 9:59:00 AM     LOG [Jobs] job failed? no", True),
        ("[Nest] 8  - 12/15/2025, 9:59:00 AM   ERROR [Jobs] job failed", False),
        ("[Nest] 8  - 15/12/2025 09:59:00     LOG [Jobs] job failed? no", True),
        ('{"level":"log","timestamp":1765792740000,"message":"job failed? no"}', True),
        ("12/15/2025, 9:59:00 AM job failed: LOG file", False),
        ("processing failed", False),
    ],
)
def test_level_decides_whether_a_line_is_informational(text: str, informational: bool) -> None:
    """Info and below are informational; a warning, an error, and a line without a level are not."""
    assert parse_line(text, NOW).is_informational is informational


@pytest.mark.parametrize(
    ("number", "level"),
    [
        *[(0, None), (3, None), (6, None), (9, None)],
        *[
            (10, "trace"),
            (20, "debug"),
            (30, "info"),
            (40, "warning"),
            (50, "error"),
            (60, "fatal"),
        ],
        *[(70, None), (800, None), (40_000, None), (True, None)],
    ],
)
def test_only_levels_from_10_to_60_are_known(number: int, level: str | None) -> None:
    """A smaller one is of syslog, where 3 is an error, or of another library, where 0 may be one.

    A larger one is of Java, where 800 is harmless. The words of the message decide then.
    """
    line = parse_line(json.dumps({"level": number, "msg": "upload processing failed"}), NOW)
    assert line.level == level
    assert is_error(line) == (level in (None, "warning", "error", "fatal"))


def test_a_levels_name_beside_an_unknown_number_counts() -> None:
    """A line may have both."""
    assert parse_line('{"level":3,"levelname":"ERROR","msg":"x"}', NOW).level == "error"


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    """Any text is parsed."""
    assert "\x1b" in text or parse_line(text, NOW).raw == text.rstrip("\r\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ts", "time", "level", "msg", "status", "caller", "x"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_raises(value: object) -> None:
    """Any JSON is parsed, and its time is plausible or None."""
    line = parse_line(json.dumps({"ts": value, "level": value, "msg": value, "status": value}), NOW)
    assert line.when is None or 9e8 < line.when < 8e9


def test_a_huge_number_is_no_time() -> None:
    """A timestamp of a thousand digits is ignored."""
    assert parse_line(f'{{"ts":{"9" * 1000}}}', NOW).when is None


@given(st.datetimes())
def test_every_date_is_a_number_or_none(date: object) -> None:
    """No date of the calendar raises."""
    assert isinstance(_time_of(f"{date} x", Clock(NOW, 0)), float | None)


def test_the_time_of_gins_access_log_is_read() -> None:
    """Between its date and its time is a dash."""
    text = '[GIN] 2026/02/03 - 02:03:04 | 500 |  791.8µs |  10.0.0.7 | POST     "/api/v1/upload"'
    other = parse_line(text.replace(" - ", " "), NOW)
    assert other.when is not None
    assert parse_line(text, NOW).when == other.when
