"""The HTML report: whole, self-contained, of bounded size, and safe from what a target says."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.journey import Journey, Stage
from core.language import ENGLISH, PSEUDO, set_language, tr
from core.outcome import Affected, Observation, Outcome
from core.text import clean
from reports.history.trend import POINTS_MAX, Point, trend_of
from reports.model.report import Report, SeenBefore
from reports.model.report_json import parse_report, to_json
from reports.render.html import charts
from reports.render.html.checks import checks_of
from reports.render.html.environment import BYTES_MAX
from reports.render.html.page import render
from reports.render.path import Station, stations
from reports.render.verdict import impact
from reports.runbook.document import is_dangerous
from tests import made, saved_runs
from tests.html_page import NASTY, Page, harmless


def seen_as(report: Report, text: str) -> Report:
    """The report with `text` wherever a target can put one."""
    results = tuple(
        replace(
            result,
            outcome=replace(
                result.outcome,
                seen=text,
                expected=text,
                observations=(*result.outcome.observations, Observation("api.reach", text, {}, 0)),
            ),
        )
        for result in report.results
    )
    sources = tuple(replace(source, place=text) for source in report.coverage)
    return replace(
        report,
        results=results,
        coverage=sources,
        problems=(text,),
        headline=text,
        target=replace(report.target, name=text, environment=text),
    )


def point(minute: int, state: str = "healthy", **figures: Any) -> Point:
    """A run on the day of the reports made for tests, before them."""
    return Point(f"2026-03-02T08:{minute:02}:00+00:00", state, 0.5, figures)


def station(report: Report, key: str) -> Station:
    """One station of the report's path."""
    return next(one for one in stations(report) if one.key == key)


def storage_only(outcome: Outcome) -> Outcome | None:
    """Keep what `-k storage` selects."""
    return outcome if outcome.check.startswith("storage/") else None


REPORTS = {
    "healthy": made.recovered(),
    "incident": made.incident(),
    "outside": made.report(
        [
            "database/database_is_reachable",
            "upload_status/api_is_reachable",
            "logs/no_recent_processing_errors",
        ],
        statuses={
            row.id: "unreachable"
            for row in made.bundle().evidence.checks
            if row.id.startswith(("signal/", "database/", "upload_status/"))
        },
    ),
    "unclear": made.report(["worker/process_is_settled"]),
    "blind": made.report(statuses={r.id: "unreachable" for r in made.bundle().evidence.checks}),
    "skipped": made.report(statuses={r.id: "skipped" for r in made.bundle().evidence.checks}),
    "nothing": made.report(none=True, problems=["checks/x.py cannot be collected: SyntaxError"]),
}


@pytest.mark.parametrize("name", REPORTS)
def test_page_is_well_formed_and_self_contained(name: str) -> None:
    """Every kind of report is nested rightly, links only into itself, and forbids the network."""
    text = render(REPORTS[name], [point(1, uploads_stuck=1.0), point(2, uploads_stuck=None)])
    page = Page(text)
    harmless(page)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.values("href")} <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert text.startswith("<!DOCTYPE html>")
    assert "http-equiv" in dict(page.attributes)
    assert any(value.startswith("default-src 'none'") for value in page.values("content"))
    assert impact(REPORTS[name]) in page.text
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("name", REPORTS)
def test_same_report_gives_same_bytes(name: str) -> None:
    """Rendering twice gives one page."""
    history = [point(n, backlog=float(n)) for n in range(9)]
    assert render(REPORTS[name], history) == render(REPORTS[name], history)


@settings(max_examples=40)
@given(text=st.one_of(st.text(), st.text(alphabet="<>&\"'`*/{}%#-! scriptonx=\x00\u202e\ud800")))
def test_no_text_of_a_target_becomes_markup(text: str) -> None:
    """Whatever a target says, the page has no element, handler or link that is not its own."""
    harmless(Page(render(seen_as(REPORTS["incident"], text))))


def test_log_line_with_a_script_is_text() -> None:
    """A script in a log line is shown letter by letter, without what reverses its direction."""
    page = Page(render(seen_as(REPORTS["incident"], NASTY)))
    harmless(page)
    assert " ".join(clean(NASTY).split()) in page.text
    assert "\u202e" not in page.text
    assert "{{ 7*7 }}" in page.text


def test_sentences_are_translated_and_what_they_quote_is_escaped() -> None:
    """The sentences have accents in the language for translators; a text is still a text."""
    set_language(PSEUDO)
    try:
        page = Page(render(seen_as(REPORTS["incident"], NASTY)))
        headings = [tr("Corrective actions"), tr("Checks"), tr("Copy for chat")]
    finally:
        set_language(ENGLISH)
    harmless(page)
    assert [words for words in headings if words not in page.text or words.isascii()] == []
    assert " ".join(clean(NASTY).split()) in page.text


def test_hundred_thousand_stuck_uploads_are_a_count_and_twenty_rows() -> None:
    """A large incident is counted; the page lists the oldest and stays small."""
    rows = [
        Affected(f"{n:036}", user_id="ada", age_seconds=9e5 - n, error_message=NASTY)
        for n in range(500)
    ]
    figures = {"uploads_stuck": 100_000, "users_affected": 321}
    text = render(made.incident(stuck=rows, figures=figures))
    page = Page(text)
    assert "100,000 uploads stuck, of 321 users." in page.text
    assert text.count('<th scope="row" class="id">') == 20
    assert len(text.encode()) < 200_000


def test_page_never_exceeds_its_size() -> None:
    """Two thousand checks that say the longest and most expensive things still fit."""
    report = seen_as(REPORTS["incident"], '"' * 2000 + "\U0001f600" * 2000)
    many = tuple(
        replace(result, outcome=replace(result.outcome, check=f"{result.outcome.check}[{n}]"))
        for n in range(40)
        for result in report.results
    )
    report = replace(report, results=many, problems=report.problems * 500)
    text = render(report)
    harmless(Page(text))
    assert len(text.encode()) <= BYTES_MAX
    assert "more checks are in report.json" in text


def test_what_passed_gives_way_first() -> None:
    """Where not all checks have room, those that failed are kept."""
    report = REPORTS["incident"]
    kept = checks_of(report, 10)
    failed = [r.outcome.check for r in report.results if r.outcome.status == "failed"]
    assert len(kept.places) == 10
    assert set(failed) <= set(kept.places)
    assert kept.hidden == len(report.results) - 10


def test_passed_checks_are_folded_and_the_others_are_not() -> None:
    """Checks that did not pass stand open, the failed ones first; the others are counted."""
    report = made.incident(statuses={"logs/no_recent_processing_errors": "skipped"})
    checks = checks_of(report, 400)
    assert {one.outcome.status for reason in checks.reasons for one in reason.checks} == {"failed"}
    folds = {fold.status: fold.total for fold in checks.folds}
    assert folds == {"passed": len(report.results) - len(made.DEAD_WORKER) - 1, "skipped": 1}
    assert not checks_of(REPORTS["healthy"], 400).reasons


def test_same_reason_is_told_once_with_its_checks() -> None:
    """A database that is down is one reason, also for the checks that quote it."""
    report = REPORTS["outside"]
    down = "database veza opens no session: Connection refused"
    sentences = {
        "database/database_is_reachable": down,
        "signal/no_upload_is_stuck": down,
        "signal/uploads_are_completing": f"the flow is not known: {down}",
    }
    results = tuple(
        replace(r, outcome=replace(r.outcome, seen=sentences.get(r.outcome.check, r.outcome.seen)))
        for r in report.results
    )
    reasons = checks_of(replace(report, results=results), 400).reasons
    (shared,) = [reason for reason in reasons if reason.text == down]
    assert sorted(check.outcome.check for check in shared.checks) == sorted(sentences)
    assert shared.counts == "1 failed, 2 unreachable"
    assert reasons[0].status == "failed"


def test_break_is_where_the_cause_is() -> None:
    """A dead worker breaks the path at the worker; what comes after it stands still."""
    row = stations(REPORTS["incident"])
    assert [one.key for one in row if one.kind == "broken"] == ["worker"]
    assert [one.key for one in row if one.link == "cut"] == ["worker"]
    assert [one.key for one in row if one.link == "stalled"] == ["completed"]
    assert station(REPORTS["incident"], "worker").cause == "Job worker down"
    assert station(REPORTS["incident"], "queue").kind == "fails"


def test_risk_is_no_break() -> None:
    """A cause without a symptom is named at its station; the way is not said to be broken."""
    failed = ["storage/disk_space_is_free", "storage/inodes_are_free"]
    row = stations(made.report(failed))
    assert [(one.key, one.kind) for one in row if one.cause] == [("storage", "fails")]
    assert {one.link for one in row} == {"whole"}


def cuts(report: Report) -> list[tuple[str, str]]:
    """The stations between which the path is cut."""
    keys = [one.key for one in stations(report)]
    return [
        (before, one.key)
        for before, one in zip(keys, stations(report)[1:], strict=False)
        if one.link == "cut"
    ]


def test_full_disk_cuts_the_path_from_the_api_to_the_storage() -> None:
    """An upload that cannot be written gets no further than the API."""
    failed = ["signal/no_upload_is_stuck", "storage/disk_space_is_free"]
    failed.append("storage/directory_is_writable_by_service")
    assert cuts(made.report(failed)) == [("api", "storage")]


def test_unreadable_files_cut_the_path_behind_the_worker() -> None:
    """Files that were stored and cannot be read stop the worker, not the API."""
    failed = ["signal/no_upload_is_stuck", "storage/stuck_files_are_readable"]
    report = made.report(failed)
    assert report.diagnosis.most_likely_set == ("storage_problem",)
    assert cuts(report) == [("worker", "completed")]


@pytest.mark.parametrize(
    ("backlog", "cut"), [(0, ("database", "queue")), (10, ("queue", "worker"))]
)
def test_blocked_queue_is_cut_where_the_messages_stop(backlog: int, cut: tuple[str, str]) -> None:
    """Messages that wait have arrived in the queue; where none waits, none arrived."""
    failed = ["signal/no_upload_is_stuck", "queue/queue_is_draining", "queue/broker_has_no_alarm"]
    failed.append("database/jobs_start_promptly")
    report = made.report(failed, figures={"backlog": backlog})
    assert report.diagnosis.most_likely_set == ("queue_blocked",)
    assert cuts(report) == [cut]


def test_cause_outside_the_runbook_breaks_its_component() -> None:
    """A database that is down breaks the path at the database."""
    assert station(REPORTS["outside"], "database").kind == "broken"


def test_no_break_is_shown_where_no_cause_is_held() -> None:
    """An unclear cause breaks nothing: the stations that fail only say so."""
    row = stations(REPORTS["unclear"])
    assert not [one for one in row if one.kind == "broken"]
    assert station(REPORTS["unclear"], "worker").kind == "fails"


def test_silence_is_not_shown_as_health() -> None:
    """A station that was not seen, or only in part, does not hold."""
    assert {one.kind for one in stations(REPORTS["blind"])} <= {"unseen", "absent"}
    part = made.report(statuses={"storage/directory_exists": "unreachable"})
    assert station(part, "storage").kind == "partly"
    assert station(part, "storage").summary == "7 of 8 checks passed, 1 not observed"


def test_what_is_there_once_is_counted_as_one() -> None:
    """One upload of one user is told as such, and so is the only check of a station."""
    upload = Affected("upload-1", user_id="ada", age_seconds=900.0)
    client = station(made.incident(stuck=[upload]), "client")
    assert [f"{one.value} {one.noun}" for one in client.measures] == [
        "1 upload stuck",
        "15 min the oldest",
        "1 user affected",
    ]
    only = made.report(only="queue/queue_exists")
    assert station(only, "queue").summary == "1 of 1 check passed"


def test_station_left_out_of_the_target_says_so() -> None:
    """A component that the target file leaves out is no failure and no success."""
    skipped = {
        row.id: "skipped" for row in made.bundle().evidence.checks if row.component == "queue"
    }
    assert station(made.report(statuses=skipped), "queue").kind == "absent"  # type: ignore[arg-type]


def test_what_the_system_does_not_have_is_no_station() -> None:
    """Without a broker the path goes from the database to the worker."""
    skipped = dict.fromkeys(
        (r.id for r in made.bundle().evidence.checks if r.component == "queue"), "skipped"
    )
    report = made.report(statuses=skipped)  # type: ignore[arg-type]
    without = replace(report, target=replace(report.target, absent=("queue",)))
    keys = [one.key for one in stations(report)]
    assert [one.key for one in stations(without)] == [key for key in keys if key != "queue"]


def test_figures_stand_at_their_stations_and_absent_is_not_zero() -> None:
    """What was observed is a number at its station; what was not is "not observed"."""
    queue = {one.noun: one.value for one in station(REPORTS["incident"], "queue").measures}
    assert queue == {
        "waiting": "10",
        "unacknowledged": "not observed",
        "dead-lettered": "not observed",
    }


def test_figures_stand_beside_their_limits() -> None:
    """A figure has the limit of its target and says when it lies beyond it."""
    _, oldest, users = station(REPORTS["incident"], "client").measures
    assert (oldest.value, oldest.limit, oldest.violated) == ("47 min", "max 10 min", True)
    assert (users.limit, users.violated) == ("", False)
    waiting = station(REPORTS["incident"], "queue").measures[0]
    assert (waiting.limit, waiting.violated) == ("max 100", False)
    consumers = station(REPORTS["incident"], "worker").measures[1]
    assert (consumers.limit, consumers.violated) == ("min 1", True)


def test_report_without_limits_shows_the_figures_alone() -> None:
    """A report of an older version knows no limit."""
    report = REPORTS["incident"]
    bare = replace(report, target=replace(report.target, limits={}, minimums={}))
    measures = [one for place in stations(bare) for one in place.measures]
    assert {(one.limit, one.violated) for one in measures} == {("", False)}


def test_report_of_an_older_version_is_shown() -> None:
    """A report.json without the fields that came later has a page like any other."""
    document = json.loads(to_json(REPORTS["incident"]))
    for name in ("partial", "journeys", "watch"):
        del document[name]
    for name in ("limits", "minimums", "worker_hosts"):
        del document["target"][name]
    page = Page(render(parse_report(json.dumps(document).encode(), "report.json")))
    harmless(page)
    assert "Job worker down (certain)" in page.text


def test_commands_are_whole_filled_and_marked() -> None:
    """Every command of the remedy is on the page letter by letter, dangerous ones with a word."""
    report = REPORTS["incident"]
    text = render(report)
    page = Page(text)
    commands = [c.text for remedy in report.remedies for s in remedy.steps for c in s.commands]
    first = next(command for command in commands if command in page.codes)
    assert commands
    assert set(commands) <= set(page.codes)
    # The first one stands at the top too.
    dangerous = sum(is_dangerous(command) for command in (first, *commands))
    warnings = ("May lose data or interrupt the service.", "Changes the system.")
    assert sum(map(page.text.count, warnings)) == dangerous > 0
    assert any("systemctl restart" in command for command in commands)
    assert "Left out: tail -n 200 <job_log_files>" in page.text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("outside", "The runbook has no repair for this cause. These commands only read."),
        ("unclear", "a fix for the wrong cause can be a second incident"),
        ("blind", "seen otherwise (53 checks)"),
    ],
)
def test_lack_of_actions_is_explained(name: str, reason: str) -> None:
    """A report without corrective actions says why there are none."""
    checks = len(made.bundle().evidence.checks)
    assert reason.replace("53", str(checks)) in Page(render(REPORTS[name])).text


def test_healthy_report_has_no_empty_cards() -> None:
    """Where all is well there are no causes, no actions, no stuck uploads: strip and charts."""
    ids = Page(render(REPORTS["healthy"], [point(1, backlog=1.0)])).values("id")
    assert not {"first", "actions", "causes", "uploads"} & set(ids)
    assert {"path", "trends", "checks", "coverage"} <= set(ids)


def test_the_page_says_since_when_and_how_long() -> None:
    """The bar has the begin of the trouble, by the oldest upload, and how long that was ago."""
    page = Page(render(REPORTS["incident"]))
    assert "since about 09:13 UTC (47 min)" in page.text
    assert "seen 2 Mar, 10:00 UTC" in page.text


def test_partial_run_is_not_shown_as_the_state_of_the_target() -> None:
    """A narrowed run that passed says what it is, and has no colour of health."""
    passed = saved_runs.load("healthy", storage_only, partial=True)
    page = Page(render(passed))
    assert "Partial run lab 7 of" in page.text
    assert "all passed; whether the target is healthy is not known" in page.text
    assert "verdict open" in page.values("class")


def test_a_named_upload_leaves_the_rest_of_a_healthy_page_as_it_is() -> None:
    """Its sentence comes before the headline's; the impact of a healthy run has no part of it."""
    report = REPORTS["healthy"]
    named = replace(
        report,
        headline=f"Upload upload-1 is completed: through every stage. {report.headline}",
        journeys=(Journey("upload-1", "completed", ()),),
    )
    assert impact(named) == impact(report)


def test_named_upload_is_answered_first() -> None:
    """The journey of an upload that was asked for stands before the cause."""
    stages = (Stage("received", True, 60.0, "uploads"), Stage("picked up", False, None, "jobs"))
    report = replace(REPORTS["incident"], journeys=(Journey("upload-1", "uploading", stages),))
    page = Page(render(report))
    assert "upload-1 is uploading: not picked up" in page.text
    ids = page.values("id")
    assert ids.index("journeys") < ids.index("first")
    try:
        set_language(PSEUDO)
        assert "uploading: ñöt pîçkéd ûp</h3>" in render(report)
    finally:
        set_language(ENGLISH)


def test_a_named_upload_stops_at_the_first_stage_that_it_lacks() -> None:
    """Also at one that only a check has seen: its file is gone before a worker could take it."""
    stages = (Stage("received", True, 60.0, "uploads"), Stage("picked up", False, None, "jobs"))
    report = made.report(("storage/stuck_files_exist",))
    report = replace(report, journeys=(Journey("upload-1", "uploading", stages),))
    assert "upload-1 is uploading: not stored" in Page(render(report)).text


def test_first_run_has_no_trends() -> None:
    """Without an earlier run the page says so and draws nothing."""
    assert (
        "No earlier run is recorded: this begins with the next run."
        in Page(render(REPORTS["healthy"])).text
    )


def test_trend_ends_with_the_report_itself() -> None:
    """The report's own run is the last point, once; later runs are no part of it, old ones go."""
    report = REPORTS["healthy"]
    own = Point(report.started, "incident", 9.0, {})
    later = Point("2027-01-01T00:00:00+00:00", "incident", 9.0, {})
    many = [Point(f"2025-01-01T00:{n // 60:02}:{n % 60:02}+00:00", "x", 1, {}) for n in range(300)]
    points = trend_of(report, [*many, own, later])
    assert len(points) == POINTS_MAX
    assert points[-1].state == "healthy"
    assert points[-2] == many[-1]


def chart_of(points: list[Point], title: str) -> charts.Trend:
    """The chart of one figure."""
    drawn = charts.trends(charts.axis_of(points), made.TARGET, made.bundle().layout.figures)
    return next(one for one in drawn if one.title == title)


def test_run_that_saw_nothing_is_a_gap() -> None:
    """A figure that was not observed breaks the line instead of falling to zero."""
    row = [point(n, backlog=value) for n, value in enumerate((5.0, 6.0, None, 4.0))]
    chart = chart_of(row, "Queue backlog")
    assert len(re.findall("<polyline", chart.svg)) == 1
    assert len(re.findall("<circle", chart.svg)) == 3
    assert (chart.last, chart.least, chart.most) == ("4", "4", "6")


def test_time_without_a_run_is_a_gap() -> None:
    """Where no run was for long, neither the strip nor a line says anything."""
    row = [point(n, backlog=1.0) for n in (0, 1, 2, 40, 41, 42)]
    line = charts.axis_of(row)
    assert line.spans[2].end < 0.1
    assert line.spans[3].start > 0.9
    assert len(re.findall("<polyline", chart_of(row, "Queue backlog").svg)) == 2


def test_charts_have_limits_and_shaded_incidents() -> None:
    """Each chart of a figure with a limit draws it; an incident is shaded in all of them."""
    row = [
        point(n, state, oldest_stuck_seconds=1.0, disk_free_ratio=0.5)
        for n, state in enumerate(("healthy", "incident", "incident", "at risk"))
    ]
    oldest, disk = (chart_of(row, title) for title in ("Oldest stuck upload", "Free disk"))
    assert (oldest.limit, disk.limit) == ("max 10 min", "min 10 %")
    for chart in (oldest, disk):
        assert chart.svg.count('class="threshold"') == 1
        assert chart.svg.count('class="shade"') == 2
        assert chart.limit in chart.svg


def test_time_axis_goes_from_the_first_run_to_the_last() -> None:
    """The marks are those of the start, the middle and the end; days where it is longer."""
    line = charts.axis_of([point(0), point(10), point(20)])
    assert [mark[11:16] for mark in line.marks] == ["07:55", "08:10", "08:25"]
    assert line.form == "hours"
    last = replace(point(0), started="2026-03-09T08:00:00+00:00")
    assert charts.axis_of([point(0), last]).form == "days"


def test_state_of_each_run_is_told_by_shape_and_word() -> None:
    """The strip has a bar for each run, of a height that goes with its state, and the word."""
    states = ("healthy", "at risk", "incident", "unknown", "<b>")
    line = charts.axis_of([point(n, state) for n, state in enumerate(states)])
    bars = list(ET.fromstring(charts.states(line)))
    assert [bar.get("class") for bar in bars] == ["good", "warn", "bad", "open", "open"]
    assert len({bar.get("height") for bar in bars}) == 4
    assert (bars[2][0].text or "").endswith(": incident")


FIGURES = st.dictionaries(
    st.sampled_from([figure.id for figure in made.bundle().layout.figures]),
    st.one_of(st.none(), st.floats(), st.integers(), st.just("many")),
)
STAMPS = st.one_of(st.datetimes().map(lambda at: at.isoformat()), st.text())


@settings(max_examples=60)
@given(st.lists(st.builds(Point, STAMPS, st.text(), st.floats(), FIGURES), max_size=12))
def test_no_history_breaks_the_charts(history: list[Point]) -> None:
    """Whatever a history file holds, the charts are finite XML without its words as markup."""
    history.append(Point("2026-01-01T00:00:00+00:00", "healthy", math.nan, {}))
    line = charts.axis_of(history)
    assert ET.fromstring(charts.states(line)).tag == "svg"
    for one in charts.trends(line, made.TARGET, made.bundle().layout.figures):
        assert "nan" not in one.svg.casefold()
        assert not one.svg or ET.fromstring(one.svg).tag == "svg"


def test_an_earlier_incident_of_the_cause_is_told() -> None:
    """How often the cause was confirmed stands under it, and only under that cause."""
    earlier = SeenBefore("job_worker_down", 1, "2026-02-03T09:40:00+00:00", note=f"a note {NASTY}")
    text = render(replace(made.incident(), seen_before=(earlier,)))
    (paragraph,) = re.findall(r'<p class="before">(.*?)</p>', text)
    assert paragraph.startswith("Seen 1 time, on 3 Feb, note: a note &lt;script&gt;")
    other = replace(earlier, cause="queue_blocked")
    assert 'class="before"' not in render(replace(made.incident(), seen_before=(other,)))


def test_two_causes_are_told_apart() -> None:
    """Of two causes each says its own past."""
    report = saved_runs.load("two_causes")
    known = tuple(
        SeenBefore(one.id, 2, "2026-11-03T09:40:00+00:00", "Restart it", 31.0)
        for one in report.diagnosis.accepted
    )
    assert len(known) == 2
    text = render(replace(report, seen_before=known))
    first, second = (one.title for one in report.diagnosis.accepted)
    ending = "seen 2 times, last on 3 Nov, ended by: restart it (31 s)"
    assert f'<p class="before">{first}: {ending}; {second}: {ending}</p>' in text
    try:
        set_language("fr")
        text = render(replace(report, seen_before=known))
    finally:
        set_language(ENGLISH)
    assert f'<p class="before">{first}\xa0: vu 2 fois' in text
