"""Lines of a log are understood, and those that are none do no harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.probes.logs.lines import parse, stamp

NOW = 1_765_792_800.0  # 2025-12-15 10:00:00 UTC


def test_zap_json_is_read() -> None:
    """zap's production line gives its time, level, caller, values and status."""
    line = parse(
        '{"level":"error","ts":1765792740.5,"caller":"jobs/p.go:9","msg":"upload failed",'
        '"id":"u1","status":"processing","error":"context deadline exceeded"}\n',
        NOW,
    )
    assert line.age(NOW) == 59.5
    assert (line.level, line.caller, line.statuses) == ("error", "jobs/p.go:9", ("processing",))
    assert "context deadline exceeded" in line.message
    assert "jobs/p.go" not in line.message
    assert not line.is_quiet


def test_names_of_fields_are_not_what_a_line_says() -> None:
    """A field that is named "timeout" does not make its line speak of a timeout."""
    line = parse('{"level":"warn","ts":1765792740,"msg":"slow","timeout":"30s"}', NOW)
    assert "timeout" not in line.message


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ('\t{"job_timeout": "10m", "status": "Processing"}', " 10m Processing"),
        ('\tsee {"here" for more {"job_timeout": "10m"}', '\tsee {"here" for more 10m'),
        ('\t{"attempt": 2, "job_timeout": "10m", "note": "caf\\u00', " 10m caf"),
        ('\t{"job_timeout": "10m", "job_timeo', " 10m"),
        ('\t{"job_timeout": "10m"} gave up', '\t{"job_timeout": "10m"} gave up'),
        ('\t{"job_timeout" and no more', '\t{"job_timeout" and no more'),
    ],
)
def test_fields_of_a_text_line_are_fields(tail: str, said: str) -> None:
    """The object that ends a line of zap's console, even cut, counts by its values alone."""
    line = parse(f"2025-12-15T09:59:00Z\tWARN\tx/y.go:1\tslow{tail}", NOW)
    assert line.message == f"2025-12-15T09:59:00Z\tWARN\tx/y.go:1\tslow{said}"
    assert line.statuses == (("processing",) if "status" in tail else ())
    assert (line.level, line.age(NOW)) == ("warn", 60.0)


def test_colours_are_no_part_of_a_line() -> None:
    """A coloured level is read as what it is, and the colour is quoted nowhere."""
    line = parse("2025-12-15T09:59:00Z\t\x1b[34mINFO\x1b[0m\tx\tjob failed? no", NOW)
    assert (line.level, line.is_quiet, "\x1b" in line.raw) == ("info", True, False)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("2025-12-15T09:59:00.000Z\tINFO\tjobs/worker.go:41\tJob Worker démarré", 60.0),
        ("2025-12-15T10:59:00.000+0100\tERROR\tx", 60.0),
        ("2025-12-15T04:59:00-05:00 x", 60.0),
        ("2025/12/15 09:59:00 upload error", 60.0),
        ("[2025-12-15 09:59:00,250] x", 59.75),
        ("2025-12-15 09:59:00 Zebra", 60.0),
    ],
)
def test_leading_times_are_read(text: str, age: float) -> None:
    """A time with a zone, without one, in ISO's or Go's form is read from the start of a line."""
    assert parse(text, NOW).age(NOW) == pytest.approx(age)


@pytest.mark.parametrize("value", ["1765792740", "1765792740000", "1765792740000000000"])
def test_epochs_in_any_unit_are_read(value: str) -> None:
    """A number is taken for seconds, milliseconds or nanoseconds, whichever is a date."""
    assert parse(f'{{"ts":{value},"msg":"x"}}', NOW).age(NOW) == pytest.approx(60.0)


def test_time_without_a_zone_is_the_hosts() -> None:
    """A time without a zone is the host's, unless that lies in the future: then it is UTC."""
    assert stamp("2025-12-15 10:59:00", NOW, 3600) == NOW - 60
    assert stamp("2025-12-15 09:59:00", NOW, -3600) == NOW - 60


@pytest.mark.parametrize(
    "text", ["upload error", "goroutine 7 [running]:", "2025-13-45 99:99:99 x", '{"ts":true}', "{}"]
)
def test_lines_without_a_date_have_none(text: str) -> None:
    """What does not say when it was written has no age."""
    assert parse(text, NOW).age(NOW) is None


@pytest.mark.parametrize(
    "tail",
    ["", "\\", "\\u00", '","job_timeo', '","job_timeout":12', '","nested":{"job_timeout":"x'],
)
def test_cut_json_keeps_its_date_and_level(tail: str) -> None:
    """A line that was cut anywhere still says when, how grave, and what, without the keys."""
    line = parse(f'{{"level":"error","ts":1765792740.5,"msg":"upload error: aaaaaaaa{tail}', NOW)
    assert (line.age(NOW), line.level) == (59.5, "error")
    assert line.message == "upload error: aaaaaaaa"


@given(st.integers(45, 200))
def test_a_line_that_is_only_dated_has_the_same_date(length: int) -> None:
    """Where a cut line is not mended, what it says of time and level is the same."""
    said = {"id": "a,b", "note": '{"x": "\\"}'}
    raw = json.dumps({"level": "warn", "ts": 1765792740.5, "msg": "upload accepted", **said})
    bare, mended = parse(raw[:length], NOW, mend=False), parse(raw[:length], NOW)
    assert (bare.age(NOW), bare.level) == (mended.age(NOW), mended.level) == (59.5, "warn")


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ('{"level":"info","msg":"processing_timeout set"}', True),
        ("2025-12-15T09:59:00Z\tDEBUG\tx\tjob failed? no", True),
        ("2025-12-15T09:59:00Z\tERROR\tx\tjob failed", False),
        ("time=2025-12-15T09:59:00Z level=info msg=x", True),
        ("processing failed", False),
    ],
)
def test_level_tells_talk_from_trouble(text: str, quiet: bool) -> None:
    """Information is quiet; a warning, an error, and a line without any level are not."""
    assert parse(text, NOW).is_quiet is quiet


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    """No text whatever makes parsing raise."""
    assert "\x1b" in text or parse(text, NOW).raw == text.rstrip("\r\n")


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
def test_any_json_is_survived(value: object) -> None:
    """No JSON whatever makes parsing raise, and a date is a number of this age or none."""
    line = parse(json.dumps({"ts": value, "level": value, "msg": value, "status": value}), NOW)
    assert line.when is None or 9e8 < line.when < 8e9


def test_huge_numbers_are_no_date() -> None:
    """A time stamp of a thousand digits is none."""
    assert parse(f'{{"ts":{"9" * 1000}}}', NOW).when is None


@given(st.datetimes())
def test_every_stamp_is_a_number_or_none(when: object) -> None:
    """Every date that a calendar knows is read or left."""
    assert stamp(f"{when} x", NOW, 0) is None or isinstance(stamp(f"{when}", NOW, 0), float)
