"""The parser of a host's answer about its log files."""

from __future__ import annotations

from fixtures.probes.logs import kinds
from fixtures.probes.logs.scan import AROUND, parse_scan

HUGE = "9" * 5000
"""A number that Python refuses to parse."""


def test_a_number_without_end_is_skipped() -> None:
    """Files and patterns with such a number are left out, and the other lines are read."""
    scan = parse_scan(
        f"host 1765792800 +0000\nfile {HUGE} x 1 1 /a.log\nfile 1 x {HUGE} 1 /a.log\n"
        f"file 1 x 1 {HUGE} /a.log\nfile 1 x 1765792800 7 /b.log\nclosed {HUGE} /a\nend\n",
        "local",
        (),
    )
    assert scan is not None
    assert [(file.name, file.size) for file in scan.files] == [("/b.log", 7)]
    assert scan.closed == ()


def test_a_line_of_a_stack_trace_belongs_to_the_error_above_it() -> None:
    """It is of that error's upload and feature each time; a line that is no trace is not."""
    cause = "Caused by: java.io.IOException: No space left on device"

    def undated(time: str, text: str, level: str = "ERROR") -> str:
        head = f"2025-12-15 {time} {level} 7 --- [task-1] c.v.Mailer : mail of upload 42 failed"
        return f"undated storage-error {head}{AROUND}{AROUND}{text}\n"

    scan = parse_scan(
        "host 1765792800 +0000\n"
        + undated("07:00:00", cause)
        + undated("09:59:00", cause)
        + undated("09:59:00", "panic: no space left on device")
        + undated("09:59:00", cause + " ", "INFO")
        + "end\n",
        "local",
        kinds.KINDS,
    )
    assert scan is not None
    found = [(line.raw[:9], line.after, kinds.upload_of(line)) for _, line in scan.lines]
    assert found == [
        ("Caused by", 1765782000.0, "42"),
        ("Caused by", 1765792740.0, "42"),
        ("panic: no", 1765792740.0, ""),
        ("Caused by", 1765792740.0, ""),
    ]
