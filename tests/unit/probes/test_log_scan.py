"""The parser of a host's answer about its log files."""

from __future__ import annotations

from fixtures.probes.logs.scan import parse_scan

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
