"""Lines of .NET programs: Serilog's compact JSON and text, and .NET's words for what failed."""

from __future__ import annotations

import json
import re

import pytest

from fixtures.probes.logs import kinds
from fixtures.probes.logs.lines import LogLine, parse_line

NOW = 1_796_000_000.0
STORAGE = [
    "System.UnauthorizedAccessException: Access to the path '/srv/u/7/a.wav' is denied.",
    "System.IO.DirectoryNotFoundException: Could not find a part of the path '/srv/u/7/a.wav'.",
    "System.IO.FileNotFoundException: Could not find file '/srv/u/7/a.wav'.",
    "System.IO.IOException: No space left on device : '/srv/u/7/a.wav'",
    "System.IO.IOException: Read-only file system : '/srv/u/7/a.wav'",
]
POOL = (
    "Npgsql.NpgsqlException (0x80004005): The connection pool has been exhausted, either raise "
    "'Max Pool Size' (currently 100) or 'Timeout' (currently 15 seconds) in your connection string."
    "\n ---> System.TimeoutException: The operation has timed out."
)
FRAME = "   at Veza.Jobs.ProcessUpload.Run(CancellationToken token) in /src/Jobs.cs:line 57"


def compact(text: str = "R-FAULT {Queue}", **fields: object) -> LogLine:
    """Return a line of Serilog's compact format, which has a level unless it is Information."""
    return parse_line(
        json.dumps({"@t": "2026-11-29T10:00:00.1234567Z", "@mt": text, **fields}), NOW
    )


def test_compact_json_has_no_level_where_it_informs() -> None:
    """That is how it writes the level Information."""
    line = compact("Upload {Id} starts, its timeout is {Max}", Id="7", Max="5 min")
    assert (line.level, line.words) == ("info", "Upload {Id} starts, its timeout is {Max}")
    assert not kinds.is_timeout(line)
    assert compact(**{"@l": "Verbose"}).is_informational
    assert compact(**{"@l": "Fatal"}).is_error
    assert parse_line('{"@t":"2026-11-29T10:00:00Z","@m":"up"}', NOW).is_informational
    assert parse_line('{"@timestamp":"2026-11-29T10:00:00Z","message":"up"}', NOW).level is None


def test_hosts_select_errors_by_the_level_of_compact_json() -> None:
    line = compact(**{"@l": "Error", "SourceContext": "Veza.Jobs.ProcessUpload"})
    assert re.search(kinds.ERRORS.pattern, line.raw.lower())
    assert kinds.is_error(line)
    text = parse_line("2026-11-29 10:00:00.123 +01:00 [FTL] The worker ends", NOW)
    assert re.search(kinds.ERRORS.pattern, text.raw.lower())
    assert kinds.is_error(text)


def test_an_exceptions_frames_are_no_words_of_it() -> None:
    """Of a trace only the exceptions count, also those within, with their numbers."""
    trace = (
        "Microsoft.EntityFrameworkCore.DbUpdateException: An error occurred.\n"
        " ---> Npgsql.PostgresException (0x80004005): 25006: cannot execute UPDATE\n"
        f"{FRAME}\n   --- End of inner exception stack trace ---\n{FRAME}"
    )
    line = compact(**{"@l": "Error", "@x": trace})
    assert "DbUpdateException: An error occurred." in line.message
    assert "Npgsql.PostgresException (0x80004005): 25006: cannot" in line.message
    assert "ProcessUpload" not in line.message
    assert line.error.startswith("Microsoft.EntityFrameworkCore.DbUpdateException")


@pytest.mark.parametrize("text", STORAGE)
def test_dotnets_words_for_a_file_that_is_refused(text: str) -> None:
    """They count in a field, in a text, and where the trace is on lines of its own."""
    assert re.search(kinds.STORAGE.pattern, text.lower())
    for line in (
        compact("Upload {Id} failed", **{"@l": "Error", "@x": f"{text}\n{FRAME}"}),
        parse_line(f"2026-11-29 10:00:00.123 +01:00 [ERR] upload 7 failed: {text}", NOW),
    ):
        assert kinds.is_storage_error(line)
    assert kinds.is_of_lost_file(line) is ("Could not find" in text)


@pytest.mark.parametrize(
    "text",
    [
        "Npgsql.NpgsqlException (0x80004005): Name or service not known",
        POOL,
        'Npgsql.PostgresException (0x80004005): 28P01: password authentication failed for user "v"',
    ],
)
def test_a_database_that_refuses_a_dotnet_program(text: str) -> None:
    line = compact("Processing of {Upload} failed", **{"@l": "Error", "@x": f"{text}\n{FRAME}"})
    assert re.search(kinds.DATABASE.pattern, line.raw.lower())
    assert kinds.is_refusal_by_database(line)
    assert not kinds.is_expired_job(line)


def test_a_command_of_the_database_that_times_out_is_no_job_out_of_time() -> None:
    """Npgsql says so of a statement that waits, as for a lock."""
    trace = (
        "Npgsql.NpgsqlException (0x80004005): Exception while reading from stream\n"
        " ---> System.TimeoutException: Timeout during reading attempt\n" + FRAME
    )
    line = compact("Processing of {Upload} failed", **{"@l": "Error", "@x": trace})
    assert kinds.is_timeout(line)
    assert not kinds.is_expired_job(line)
    ran_out = "System.TimeoutException: Processing exceeded 00:05:00"
    assert kinds.is_expired_job(compact(**{"@l": "Error", "@x": ran_out}))
