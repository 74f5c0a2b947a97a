"""The pure parts of the service probes: what they read out of answers, and how they say it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.secrets import without_password
from core.text import count, first_line, named
from core.urls import origin
from fixtures.probes.http.api import age_between, unhealthy_parts
from fixtures.probes.http.metrics import parse
from fixtures.probes.postgres.job_results import Flow
from fixtures.probes.rabbitmq.management import (
    QueueFigures,
    history,
    seconds_above_zero,
    seconds_without_rise,
)
from fixtures.probes.rabbitmq.queue import acknowledged_lately, both, risen
from fixtures.probes.rabbitmq.results import Deliveries


def figures(acknowledged: int | None, quiet: float | None) -> QueueFigures:
    return QueueFigures(0, 0, acknowledged, (), no_acknowledgement_for=quiet)


def samples(*values: int) -> list[tuple[int, float]]:
    """A history of one figure, the newest value first, a sample every five seconds."""
    return [(value, 5.0 * place) for place, value in enumerate(values)]


@given(st.text())
def test_any_text_is_metrics_or_a_value_error(text: str) -> None:
    """Whatever an API serves as metrics, the parser answers with families or a ValueError."""
    with suppress(ValueError):
        assert parse(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.floats(),
        lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    )
)
def test_any_health_answer_gives_few_printable_reasons(value: object) -> None:
    """Whatever a health route answers, at most five printable reasons come out."""
    found = unhealthy_parts(value)
    assert len(found) <= 5
    assert all(reason.isprintable() for reason in found)


def test_history_is_read_newest_first() -> None:
    """Samples come in any order and are told as seconds before the newest."""
    details = {
        "samples": [
            {"sample": 3, "timestamp": 5_000},
            {"sample": "x", "timestamp": 7_000},
            {"sample": 4, "timestamp": 10_000},
            "nonsense",
        ]
    }
    assert history(details) == [(4, 0.0), (3, 5.0)]
    assert history({}) == []


@pytest.mark.parametrize(
    ("values", "above", "still"),
    [((), None, None), ((0, 3), 0.0, 0.0), ((2, 2, 2), 10.0, 10.0), ((2, 1, 0), 5.0, 0.0)],
)
def test_history_tells_how_long_something_lasted(
    values: tuple[int, ...], above: float | None, still: float | None
) -> None:
    """How long a figure was above zero, or stood, is told; without samples nothing is."""
    assert seconds_above_zero(samples(*values)) == above
    assert seconds_without_rise(samples(*values)) == still


def test_unknown_is_not_both() -> None:
    """Two conditions held for the shorter time; where one is unknown, so is the answer."""
    assert both(3.0, 5.0) == 3.0
    assert both(3.0, None) is None


def test_acknowledgements_between_looks_need_both_looks() -> None:
    """The rise of a counter is unknown where one look lacks it."""
    assert risen(figures(2, None), figures(5, None)) == 3
    assert risen(None, figures(5, None)) is None
    assert risen(figures(None, None), figures(5, None)) is None


def test_acknowledgement_is_recent_only_if_there_was_one() -> None:
    """A counter that never rose has no recent acknowledgement, whatever its history."""
    assert acknowledged_lately(figures(5, 0.0))
    assert not acknowledged_lately(figures(5, 60.0))
    assert not acknowledged_lately(figures(0, 0.0))
    assert not acknowledged_lately(figures(5, None))
    assert not acknowledged_lately(None)


def test_few_held_deliveries_are_stuck_only_with_time() -> None:
    """A few deliveries are stuck when none was acknowledged for too long."""

    def held(seconds: float | None, number: int = 3) -> Deliveries:
        return Deliveries("here", "q", number, 50, 300.0, seconds, ())

    assert not held(None).are_stuck
    assert not held(299.0).are_stuck
    assert held(300.0).are_stuck
    assert not held(300.0, 0).are_stuck
    assert held(None, 51).are_stuck


def test_work_stands_still_only_while_some_waits() -> None:
    """An idle system completes nothing and stands not still; nor does a busy one that completes."""
    assert not Flow("db", 300.0, 0, None, 0, None, 4000.0).stands_still
    assert not Flow("db", 300.0, 9, 400.0, 1, 2.0, 1.0).stands_still
    assert Flow("db", 300.0, 1, 400.0, 0, None, 4000.0).stands_still


def test_age_goes_by_the_servers_clock() -> None:
    """The age is between the API's own times; anything else gives no age."""
    date = "Mon, 15 Dec 2025 10:12:00 GMT"
    assert age_between("2025-12-15T10:00:00Z", date) == 720
    assert age_between("2025-12-15T10:00:00", date) == 720
    for wrong in (None, 7, "soon", ""):
        assert age_between(wrong, date) is None
    assert age_between("2025-12-15T10:00:00Z", "") is None


def test_lists_are_cut_with_a_total() -> None:
    """A list names three and counts the rest."""
    assert named(["a", "b"]) == "a, b"
    assert named(["a", "b", "c", "d"], 100_000) == "a, b, c and 99,997 more"
    assert count(1, "upload") == "1 upload"
    assert count(12_345, "upload") == "12,345 uploads"


def test_addresses_lose_their_secrets() -> None:
    """Neither a URL nor a client's sentence keeps a password."""
    assert origin("amqp://u:p%40w@h:5672/v?x=secret") == "amqp://h:5672"
    assert origin("http://[::1]:80/a") == "http://[::1]:80"
    assert origin("http://[broken") == "the URL of the target file"
    text = without_password("cannot reach postgresql://u:hunter2@h, password='a b' host=h")
    assert "hunter2" not in text
    assert "a b" not in text


def test_client_errors_are_one_printable_line() -> None:
    """Of a client's text only the first line is said, without control characters."""
    assert first_line("\n  no \x1b[31mroute\nHINT: secret") == "no ?[31mroute"
    assert len(first_line("x" * 1000)) == 200
