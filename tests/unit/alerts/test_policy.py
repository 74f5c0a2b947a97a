"""The alert policy, as a function of the last runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reports.alerts.policy import Alert, AlertRun, Change, Rule, counted_runs, next_alert

STATES = {"h": "healthy", "r": "at risk", "i": "incident", "u": "unknown"}
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
EVERY = 300.0


def events(letters: str, rule: Rule | None = None) -> list[tuple[int, str, str]]:
    """The events by the number of the run, from 1, for runs every five minutes."""
    return [(number, change.event, change.kind) for number, change in changes(letters, rule)]


def changes(letters: str, rule: Rule | None = None) -> list[tuple[int, Change]]:
    """The changes by the number of the run, from 1."""
    alert, runs, numbered = Alert(), list[AlertRun](), list[tuple[int, Change]]()
    for number, letter in enumerate(letters, start=1):
        moment = START + timedelta(seconds=EVERY * (number - 1))
        runs.append(AlertRun(STATES[letter], moment.isoformat()))
        alert, change = next_alert(alert, runs, rule or Rule(), moment.timestamp())
        if change:
            numbered.append((number, change))
    return numbered


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("hhhh", []),
        ("hihihi", []),
        ("hiiiii", [(3, "alert", "incident")]),
        ("hiihh", [(3, "alert", "incident"), (4, "recovery", "incident")]),
        (
            "iihii",
            [(2, "alert", "incident"), (3, "recovery", "incident"), (5, "alert", "incident")],
        ),
        ("rrrr", []),
        ("iir", [(2, "alert", "incident"), (3, "recovery", "incident")]),
        # An unknown run neither confirms nor ends an incident.
        ("iui", [(3, "alert", "incident")]),
        ("iiuui", [(2, "alert", "incident")]),
        ("iiuuh", [(2, "alert", "incident"), (5, "recovery", "incident")]),
        ("uihu", []),
        # Silence is not health.
        ("huuuu", [(3, "alert", "unknown")]),
        ("uuh", [(2, "alert", "unknown"), (3, "recovery", "unknown")]),
        ("uuiih", [(2, "alert", "unknown"), (4, "worse", "incident"), (5, "recovery", "incident")]),
    ],
)
def test_a_series_of_runs_gives_these_messages(
    letters: str, expected: list[tuple[int, str, str]]
) -> None:
    """One alert when it is confirmed, one recovery, and nothing in between."""
    assert events(letters) == expected


def test_two_of_three_makes_one_alert_of_a_flapping_incident() -> None:
    """By K of N an incident that comes and goes is one alert, over when it stays away."""
    rule = Rule(confirm=2, of=3)
    assert events("ihiihiihhh", rule) == [(3, "alert", "incident"), (9, "recovery", "incident")]


def test_one_bad_run_is_enough_with_confirm_one() -> None:
    """With confirm 1 the first bad run is an alert."""
    assert events("hih", Rule(1, 1)) == [(2, "alert", "incident"), (3, "recovery", "incident")]


def test_a_risk_that_becomes_an_incident_is_one_alert_with_two_messages() -> None:
    """The incident keeps the start of the risk, and its recovery ends both."""
    sent = changes("rrriirh", Rule(at_risk=True))
    assert [(number, change.event, change.kind) for number, change in sent] == [
        (2, "alert", "at risk"),
        (5, "worse", "incident"),
        (7, "recovery", "incident"),
    ]
    assert sent[-1][1].seconds == 6 * EVERY


def test_the_duration_is_from_the_first_bad_run_to_the_first_good_one() -> None:
    """The runs before the confirmation belong to the incident."""
    *_, (_, over) = changes("hhiiiih")
    assert over.since == (START + timedelta(seconds=2 * EVERY)).isoformat()
    assert over.seconds == 4 * EVERY


def test_a_reminder_is_sent_once_an_interval_while_the_alert_lasts() -> None:
    """The interval is counted from the last message."""
    rule = Rule(remind_every=4 * EVERY)
    reminders = [
        number for number, event, _ in events("hiiiiiiiiiiihhhhhhh", rule) if event == "reminder"
    ]
    assert reminders == [7, 11]


SIGNAL, CAUSE = "signal/no_upload_is_stuck", "worker/process_is_running"
BAD = AlertRun("incident", START.isoformat(), (SIGNAL,), {SIGNAL: "failed", CAUSE: "failed"})
NARROWED = AlertRun("healthy", START.isoformat(), (), {"storage/disk_space_is_free": "passed"})
ROLES = [
    (Rule(), {SIGNAL: "passed"}),
    (Rule(at_risk=True), {SIGNAL: "passed", CAUSE: "passed"}),
]


@pytest.mark.parametrize(("rule", "passes"), ROLES)
def test_a_recovery_needs_every_failed_check_to_pass(rule: Rule, passes: dict[str, str]) -> None:
    """A good run that did not observe one of them changes nothing."""
    good = AlertRun("healthy", START.isoformat(), (), passes)
    alert, change = next_alert(Alert(), [BAD, BAD], rule, 0.0)
    assert (change and change.event) == "alert"
    for missing in passes:
        part = {check: status for check, status in passes.items() if check != missing}
        partial = AlertRun("healthy", START.isoformat(), (), part)
        assert next_alert(alert, [BAD, BAD, partial], rule, 0.0) == (alert, None)
    alert, change = next_alert(alert, [BAD, BAD, NARROWED, good], rule, 0.0)
    assert (change and change.event) == "recovery"


def test_a_narrowed_run_neither_delays_an_alert_nor_sends_a_reminder() -> None:
    """Bad runs count as consecutive when a narrowed run lies between them."""
    alert, change = next_alert(Alert(), [BAD, NARROWED, BAD], Rule(), 0.0)
    assert (change and change.event) == "alert"
    assert next_alert(alert, [BAD, NARROWED, BAD, NARROWED], Rule(remind_every=1.0), 99.0) == (
        alert,
        None,
    )


def test_a_narrowed_run_is_good_where_no_check_has_failed() -> None:
    """It has no failed check to observe again."""
    assert next_alert(Alert(), [NARROWED, BAD, NARROWED], Rule(), 0.0) == (Alert(), None)
    assert counted_runs([NARROWED, BAD, NARROWED], Rule()) == [NARROWED, BAD]


def test_a_clock_that_is_set_back_delays_one_reminder() -> None:
    """The wait for the reminder starts again, and a negative duration is None."""
    runs = [AlertRun("incident", START.isoformat())] * 2
    rule = Rule(remind_every=100)
    alert, _ = next_alert(Alert(), runs, rule, 10_000.0)
    alert, nothing = next_alert(alert, [*runs, runs[0]], rule, 50.0)
    assert (nothing, alert.notified) == (None, 50.0)
    alert, change = next_alert(alert, [*runs, *runs], rule, 160.0)
    assert change is not None
    assert change.event == "reminder"
    early = AlertRun("healthy", (START - timedelta(days=1)).isoformat())
    _, over = next_alert(alert, [*runs, early], rule, 170.0)
    assert over is not None
    assert (over.event, over.seconds) == ("recovery", None)
