"""When somebody is told, as a function of the last runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reports.alerts.policy import Alert, Change, Rule, Seen, judging, step

STATES = {"h": "healthy", "r": "at risk", "i": "incident", "u": "unknown"}
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
EVERY = 300.0


def told(letters: str, rule: Rule | None = None) -> list[tuple[int, str, str]]:
    """What is told at which run, for runs every five minutes: number, what, kind of alert."""
    return [(number, one.what, one.kind) for number, one in changes(letters, rule)]


def changes(letters: str, rule: Rule | None = None) -> list[tuple[int, Change]]:
    """The changes by the number of the run, from 1."""
    alert, runs, found = Alert(), list[Seen](), list[tuple[int, Change]]()
    for number, letter in enumerate(letters, start=1):
        moment = START + timedelta(seconds=EVERY * (number - 1))
        runs.append(Seen(STATES[letter], moment.isoformat()))
        alert, change = step(alert, runs, rule or Rule(), moment.timestamp())
        if change:
            found.append((number, change))
    return found


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
        # A run that could not tell is neither for nor against an incident.
        ("iui", [(3, "alert", "incident")]),
        ("iiuui", [(2, "alert", "incident")]),
        ("iiuuh", [(2, "alert", "incident"), (5, "recovery", "incident")]),
        ("uihu", []),
        # Silence is not health.
        ("huuuu", [(3, "alert", "unknown")]),
        ("uuh", [(2, "alert", "unknown"), (3, "recovery", "unknown")]),
        ("uuiih", [(2, "alert", "unknown"), (4, "alert", "incident"), (5, "recovery", "incident")]),
    ],
)
def test_what_is_told_of_a_row_of_runs(letters: str, expected: list[tuple[int, str, str]]) -> None:
    """One alert when it is confirmed, one recovery, and nothing in between."""
    assert told(letters) == expected


def test_two_of_three_is_calm_where_a_check_flaps() -> None:
    """By k of n a fault that comes and goes is one alert, and over when it stays away."""
    rule = Rule(confirm=2, of=3)
    expected = [(3, "alert", "incident"), (9, "recovery", "incident")]
    assert told("ihihiihihhh"[:8] + "hhh", rule)[:1] == expected[:1]
    assert told("ihiihiihhh", rule) == [(3, "alert", "incident"), (9, "recovery", "incident")]


def test_a_single_run_can_be_enough() -> None:
    """With confirm 1 the first bad run is told."""
    assert told("hih", Rule(1, 1)) == [(2, "alert", "incident"), (3, "recovery", "incident")]


def test_a_risk_is_told_where_that_is_asked_for_and_so_is_its_turn_for_the_worse() -> None:
    """A risk that becomes an incident is a change of state of one story."""
    found = changes("rrriirh", Rule(at_risk=True))
    assert [(number, one.what, one.kind) for number, one in found] == [
        (2, "alert", "at risk"),
        (5, "alert", "incident"),
        (7, "recovery", "incident"),
    ]
    assert found[-1][1].seconds == 6 * EVERY


def test_the_duration_is_from_the_first_bad_run_to_the_first_good_one() -> None:
    """What was before the confirmation belongs to the incident."""
    *_, (_, over) = changes("hhiiiih")
    assert over.since == (START + timedelta(seconds=2 * EVERY)).isoformat()
    assert over.seconds == 4 * EVERY


def test_a_reminder_comes_at_its_interval_and_not_after_the_end() -> None:
    """While it lasts there is one reminder each interval, counted from the last message."""
    rule = Rule(remind_every=4 * EVERY)
    reminders = [
        number for number, what, _ in told("hiiiiiiiiiiihhhhhhh", rule) if what == "reminder"
    ]
    assert reminders == [7, 11]


SIGNAL, CAUSE = "signal/no_upload_is_stuck", "worker/process_is_running"
BAD = Seen("incident", START.isoformat(), (SIGNAL,), {SIGNAL: "failed", CAUSE: "failed"})
ASIDE = Seen("healthy", START.isoformat(), (), {"storage/disk_space_is_free": "passed"})
ROLES = [
    (Rule(), {SIGNAL: "passed"}),
    (Rule(at_risk=True), {SIGNAL: "passed", CAUSE: "passed"}),
]


@pytest.mark.parametrize(("rule", "passes"), ROLES)
def test_only_who_has_looked_again_tells_of_an_end(rule: Rule, passes: dict[str, str]) -> None:
    """A good run ends what was told when all checks that were the matter pass in it."""
    good = Seen("healthy", START.isoformat(), (), passes)
    alert, change = step(Alert(), [BAD, BAD], rule, 0.0)
    assert (change and change.what) == "alert"
    for missing in passes:
        part = {check: status for check, status in passes.items() if check != missing}
        partial = Seen("healthy", START.isoformat(), (), part)
        assert step(alert, [BAD, BAD, partial], rule, 0.0) == (alert, None)
    alert, change = step(alert, [BAD, BAD, ASIDE, good], rule, 0.0)
    assert (change and change.what) == "recovery"


def test_who_has_not_looked_does_not_put_an_alert_off() -> None:
    """Bad runs are in a row whatever looked elsewhere in between, and such a run reminds nobody."""
    alert, change = step(Alert(), [BAD, ASIDE, BAD], Rule(), 0.0)
    assert (change and change.what) == "alert"
    assert step(alert, [BAD, ASIDE, BAD, ASIDE], Rule(remind_every=1.0), 99.0) == (alert, None)


def test_without_an_incident_a_narrowed_run_is_a_good_one() -> None:
    """Where nothing is the matter there is nothing that it must have looked at."""
    assert step(Alert(), [ASIDE, BAD, ASIDE], Rule(), 0.0) == (Alert(), None)
    assert judging([ASIDE, BAD, ASIDE], Rule()) == [ASIDE, BAD]


def test_a_clock_that_is_set_back_costs_one_interval_and_no_sense() -> None:
    """After it the reminder's wait begins again, and a duration that would be negative is none."""
    runs = [Seen("incident", START.isoformat())] * 2
    rule = Rule(remind_every=100)
    alert, _ = step(Alert(), runs, rule, 10_000.0)
    alert, nothing = step(alert, [*runs, runs[0]], rule, 50.0)
    assert (nothing, alert.told) == (None, 50.0)
    alert, change = step(alert, [*runs, *runs], rule, 160.0)
    assert change is not None
    assert change.what == "reminder"
    early = Seen("healthy", (START - timedelta(days=1)).isoformat())
    _, over = step(alert, [*runs, early], rule, 170.0)
    assert over is not None
    assert (over.what, over.seconds) == ("recovery", None)
