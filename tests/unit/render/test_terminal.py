"""The verdict fits a screen of 24 lines and 80 columns, whatever the report says."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core.journey import Journey, Stage
from core.language import ENGLISH, set_language
from core.outcome import STATUSES, Affected, Status
from reports.history.incidents import RunRecord
from reports.model.build import remedies_for
from reports.model.report import Remedy
from reports.render.first_steps import actions_command, verify_command
from reports.render.terminal import render
from reports.render.terminal_commands import step_lines, wrap
from reports.render.terminal_verdict import Footer
from reports.render.verdict_words import accusing, failed_causes_first
from reports.render.words import as_ascii, has_unicode, ordinal, plain
from reports.runbook.conditions import facts_of
from reports.runbook.document import Command, Step
from tests import made
from tests.unit.render.test_snapshots import FOOTER, REPORTS

if TYPE_CHECKING:
    from core.outcome import Status
    from reports.model.report import Report

LONG_ID = "a1b2c3d4" * 8


def test_a_named_upload_without_a_status_is_unknown() -> None:
    """The same words as in the headline; without a stage nothing was gone through."""
    received = Stage("received", True, 60.0, "uploads")
    for stages, where in (
        ((), "nothing else is known of it"),
        ((received,), "through every stage"),
    ):
        report = replace(REPORTS["incident"](), journeys=(Journey("upload-1", None, stages),))
        assert f"is unknown: {where}" in render(report, 100, FOOTER)


def test_a_command_of_a_saved_report_may_be_anything() -> None:
    """One that no shell could read ends no rendering."""
    report = REPORTS["incident"]()
    odd = replace(report, target=replace(report.target, command="pytest --targets-file='x"))
    assert actions_command(odd, "out/live") == "python -m actions out/live"


def test_a_command_names_no_id_that_a_shell_acts_on() -> None:
    """The id comes from the target's table, and the command is there to be copied."""
    plain_one, hostile = Affected("upload-1"), Affected("x; touch /tmp/y #")
    seen = {one.id: verify_command(made.report(stuck=[one])) for one in (plain_one, hostile)}
    assert seen == {
        plain_one.id: "pytest --target live --upload-id=upload-1",
        hostile.id: "pytest --target live",
    }


def assert_fits(text: str, width: int = 80) -> None:
    """Fail for a text of more than 23 lines, which leave one for the prompt, or a wider line."""
    lines = text.rstrip("\n").split("\n")
    assert len(lines) <= 23, text
    assert max(map(cell_len, lines)) <= width, text


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_every_state_fits_the_screen(name: str, width: int) -> None:
    """The whole verdict is on the last screen, also on a small one."""
    assert_fits(render(REPORTS[name](), width, FOOTER), width)


def test_a_healthy_run_is_three_lines() -> None:
    """There is nothing to do, so there is little to read."""
    assert len(render(REPORTS["healthy"](), 80, FOOTER).strip().split("\n")) == 3


@pytest.mark.parametrize("width", range(40, 60))
def test_a_line_is_not_broken_at_a_no_break_space(width: int) -> None:
    """No line of French begins with a colon or ends with an opening quote."""
    seen = "la base\u00a0: «\u00a0refus\u00a0» depuis 15\u00a0min\u202f; vérifier " * 4
    report = made.report(["worker/process_is_running"], seen=seen)
    text = render(report, width, FOOTER, verbose=True)
    lines = [line.strip() for line in text.split("\n")]
    assert any("base\u00a0:" in line for line in lines)
    assert not [line for line in lines if line[:1] in list(":;»") or line.endswith("«")]


def test_components_that_were_not_seen_have_the_words_of_the_language() -> None:
    """A component is a key in a report, and a word on the screen."""
    try:
        set_language("fr")
        text = render(REPORTS["unclear"](), 120, FOOTER)
    finally:
        set_language(ENGLISH)
    assert "non vu\u00a0: API, file, worker, journaux, base et stockage" in text


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=400
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,98}", fullmatch=True)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@cache
def every_cause() -> Report:
    """A report that names all of the runbook's causes, and those outside of it."""
    report = REPORTS["two causes"]()
    diagnosis = report.diagnosis
    sure = tuple(replace(f, probability=0.95, own_evidence=True) for f in diagnosis.causes)
    ids = tuple(finding.id for finding in diagnosis.hypotheses)
    diagnosis = replace(
        diagnosis,
        hypotheses=sure[: len(ids)],
        outside=sure[len(ids) :],
        most_likely_set=ids,
        most_likely_outside=tuple(finding.id for finding in diagnosis.outside),
    )
    facts = facts_of([result.outcome for result in report.results], report.target.components, ())
    remedies = remedies_for(diagnosis, made.bundle(), {}, facts)
    return replace(report, diagnosis=diagnosis, remedies=remedies)


def rewritten(report: Report, seen: str, status: Status, name: str, ids: list[str]) -> Report:
    """Return the report with another sentence for each check, target and uploads.

    What passed has this status.
    """
    stuck = tuple(Affected(one, user_id="ada", age_seconds=2820.0) for one in ids)
    results = []
    for result in report.results:
        outcome = result.outcome
        changed = replace(
            outcome,
            status=status if outcome.status == "passed" else outcome.status,
            seen=f"{outcome.check} {seen}",
            expected=seen or outcome.expected,
            observations=tuple(replace(o, affected=stuck) for o in outcome.observations),
        )
        results.append(replace(result, outcome=changed))
    target = replace(report.target, name=name)
    return replace(report, results=tuple(results), target=target)


@cache
def base(name: str) -> Report:
    """Return one of the reports."""
    return every_cause() if name == "every cause" else REPORTS[name]()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_report_fits_the_screen(data: st.DataObject) -> None:
    """Many causes, long ids, long names, many problems: the least important is left out."""
    draw = data.draw
    report = rewritten(
        base(draw(st.sampled_from(["every cause", *REPORTS]))),
        seen=draw(TEXTS),
        status=draw(st.sampled_from(STATUSES)),
        name=draw(NAMES),
        ids=draw(st.lists(IDS, max_size=3)),
    )
    problems = tuple(draw(st.lists(TEXTS.filter(bool), max_size=4)))
    report = replace(report, problems=problems, partial=draw(st.booleans()))
    footer = Footer(page=draw(TEXTS), decision=draw(TEXTS), unwritten=draw(TEXTS))
    for unicode in (True, False):
        text = render(report, 80, footer, unicode=unicode)
        assert_fits(text)
        assert unicode or text.isascii()


def test_one_reason_is_said_once_with_a_count() -> None:
    """Behind a database that is down stand many checks, and one sentence."""
    report = REPORTS["nothing observed"]()
    text = render(report, 80, FOOTER)
    assert text.count("does not answer") == 1
    assert f"does not answer within 5 s ({len(report.results)} checks)" in text


def record(report: Report, number: int, started: str) -> RunRecord:
    """Return the run of a report as the history has it."""
    return RunRecord(
        started=started,
        state=report.state,
        figures={},
        number=number,
        headline="",
        certainty="",
        outcomes={},
        accepted={},
        seconds=1.0,
    )


def test_the_streak_of_bad_runs_is_counted() -> None:
    """A healthy run between them ends it."""
    bad, good = made.report(["worker/process_is_running"]), made.recovered()
    runs = [
        record(bad, 1, "2026-03-02T09:00:00+00:00"),
        record(good, 2, "2026-03-02T09:40:00+00:00"),
        record(bad, 3, "2026-03-02T09:50:00+00:00"),
        record(bad, 4, made.STARTED),
    ]
    text = render(bad, 80, FOOTER, runs)
    assert "AT RISK  live · since 09:50 UTC · 2nd bad run in a row" in text


def test_the_whole_id_stands_in_the_command_alone() -> None:
    """A person reads eight characters and pastes all of them."""
    report = made.report(
        made.DEAD_WORKER, stuck=[Affected(LONG_ID, user_id="ada", age_seconds=2820.0)]
    )
    text = render(report, 80, FOOTER)
    assert "1 upload of 1 user stuck, oldest 47 min (…1b2c3d4)" in text
    assert text.count(LONG_ID) == 1


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        (
            "queue q at the broker at amqp://10.0.0.1:5672: 10 ready, 0 consumers",
            "queue q: 10 ready, 0 consumers",
        ),
        ("the API at https://veza.example/v1 answers HTTP 503", "the API answers HTTP 503"),
        ("database veza at db.internal:5432: 8 uploads", "database veza: 8 uploads"),
        (
            "bcb9269b-800b-4717-9841-05a4b1aed44c is missing `completed`",
            "bcb9269b is missing completed",
        ),
        # Ids that begin with the time differ in their last characters.
        ("0193a2f4-7c1e-7d55-8a90-3f6b1c2d4e5f is late", "…c2d4e5f is late"),
        ("01JDM3Q8ZV5T2N7R9W4X6Y8B1C is late", "…X6Y8B1C is late"),
        ("upl_01m8cxbdsygcg3w2f8a0eyfw7z is late", "…0eyfw7z is late"),
        ("at 100 %, 47 min old", "at 100 %, 47 min old"),
        ("nothing looks at storage\nat all", "nothing looks at storage at all"),
    ],
)
def test_sentences_lose_what_nobody_reads_aloud(sentence: str, text: str) -> None:
    """Addresses and the rest of long ids are in the report."""
    assert plain(sentence) == text


@pytest.mark.parametrize(
    "command",
    [
        "sudo systemctl restart veza-backend-api",
        "grep -hF 'Job Worker started   twice' /var/log/veza/*.log | tail -n 3 && echo done",
        'curl -sS -m 5 -H "Authorization: Bearer it\'s" http://127.0.0.1:40275/api/v1/uploads/x',
        r"find /srv/a\ folder/that\ has\ spaces -name 'x y' -o -name z -o -name w -ls",
    ],
)
def test_a_wrapped_command_is_the_same_command(command: str) -> None:
    """A shell reads the lines, indented as they are shown, as it reads the command."""
    lines = wrap(command, 60, " \\")
    assert lines
    assert max(map(len, lines)) <= 60
    assert shlex.split("\n    ".join(lines).replace("\\\n", "")) == shlex.split(command)


LOOK, REPAIR, LONG = "ls -ld /srv", "sudo chown veza: /srv", "UPDATE jobs SET status = 1; " * 20


@pytest.mark.parametrize(
    ("commands", "room", "shown", "is_whole"),
    [
        ((LOOK, REPAIR), 2, [LOOK, REPAIR], True),
        # What looks says whether the change may be made.
        ((LOOK, REPAIR), 1, [LOOK], False),
        ((LOOK, LOOK, REPAIR), 2, [LOOK], False),
        ((REPAIR, f"# or, in Docker\n{REPAIR}"), 9, [REPAIR], False),
        ((REPAIR, f"# ou, avec Docker\n{REPAIR}"), 9, [REPAIR], False),
        # What follows a command that is too long may need it.
        ((LONG, REPAIR), 3, [], False),
        ((LOOK, LONG, REPAIR), 3, [LOOK], False),
        # A look needs no other one.
        ((f"grep -E '{'x' * 80}' /srv/a", LOOK), 3, [LOOK], False),
        (("cat \\\n  /srv/a",), 1, ["cat \\", "/srv/a"], True),
    ],
)
def test_a_step_shows_its_commands_in_their_order(
    commands: tuple[str, ...], room: int, shown: list[str], is_whole: bool
) -> None:
    """Each in full, in its order, and only as many as there is room for."""
    step = Step(1, "Step", "", tuple(Command("bash", text, 1) for text in commands), 1)
    lines, whole = step_lines(step, 60, room)
    text = " ".join(line.plain.strip() for line in lines)
    found = [command for command in shown if command in text]
    assert found == shown, text
    assert text.count("chown") == "".join(shown).count("chown")
    assert text.count("UPDATE") == 0
    assert whole == is_whole


def test_a_word_that_does_not_fit_is_not_broken() -> None:
    """There is no place where a command may be broken within a word."""
    assert wrap(f"ls {'x' * 80}", 60, " \\") is None


@pytest.mark.parametrize(
    ("encoding", "environ", "unicode"),
    [
        ("utf-8", {}, True),
        ("utf-8", {"LANG": "C.UTF-8"}, True),
        ("utf-8", {"LANG": "C"}, False),
        ("utf-8", {"LANG": "C", "LC_ALL": "fr_FR.UTF-8"}, True),
        ("ascii", {}, False),
        ("iso-8859-1", {"LANG": "de_DE"}, False),
        (None, {}, False),
    ],
)
def test_the_terminal_says_what_it_can_show(
    encoding: str | None, environ: dict[str, str], unicode: bool
) -> None:
    """By the encoding of the output, and by a locale that somebody has asked for."""
    assert has_unicode(encoding, environ) is unicode


def test_ascii_keeps_the_columns() -> None:
    """Each sign becomes one letter."""
    assert as_ascii("✗ a · b … é ß « e\u0301") == 'x a | b ~ e ? " e'


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, text: str) -> None:
    """As a person says them."""
    assert ordinal(number) == text


def test_an_unclear_cause_has_commands_that_only_look() -> None:
    """They are the runbook's, for the checks that failed, and nothing in them changes anything."""
    report = made.report(["worker/process_is_settled"])
    (remedy,) = report.remedies
    commands = [command for step in remedy.steps for command in step.commands]
    assert not report.diagnosis.accepted
    assert 0 < len(commands) <= 3
    failed = {r.outcome.check for r in report.results if r.outcome.status == "failed"}
    assert all(failed.intersection(command.checks) for command in commands)
    assert not any(command.dangerous or command.run for command in commands)
    text = render(report, 120, FOOTER)
    assert "Look at what failed" in text
    assert "check again" in text
    assert "then verify" not in text


def test_a_restart_that_each_likely_cause_has_is_no_guess() -> None:
    """A worker whose log and queue are not seen is down, or its jobs hang: it is restarted."""
    failed = (
        *("signal/no_upload_is_stuck", "signal/no_upload_overstays_processing"),
        *("signal/uploads_are_completing", "upload_status/uploads_have_left_uploading"),
        *("upload_status/progress_agrees_with_status", "logs/upload_transitions_are_logged"),
        *("database/jobs_start_promptly", "database/no_job_was_passed_over"),
        "database/jobs_finish_in_time",
    )
    unseen = (
        *("signal/processing_time_is_normal", "upload_status/worker_health_is_ok"),
        *("worker/worker_is_logging", "database/pending_jobs_are_in_the_queue"),
    )
    skipped = [row.id for row in made.bundle().evidence.checks if row.id.startswith("queue/")]
    statuses: dict[str, Status] = dict.fromkeys((*unseen, *skipped), "skipped")
    report = made.report(failed, statuses=statuses)
    assert [round(cause.probability, 1) for cause in report.diagnosis.ranked[:2]] == [0.6, 0.4]
    assert report.diagnosis.certainty == "unclear"
    text = render(report, 120, FOOTER)
    assert "Stop a job that hangs: it helps in each of these cases ⚠" in text
    assert "sudo systemctl restart veza-backend-api" in text
    # One of them alone is a guess.
    without = made.report(failed[:-1], statuses=statuses)
    assert without.diagnosis.certainty == "unclear"
    assert "sudo systemctl restart" not in render(without, 120, FOOTER)


def test_of_an_unclear_cause_what_no_cause_explains_comes_first() -> None:
    """The probabilities say nothing of it, and no guess would look at it."""
    telling = "database/no_write_is_slow"
    report = made.report(["worker/process_is_settled", telling])
    results = [
        replace(one, outcome=replace(one.outcome, seen=f"{one.outcome.check} was seen"))
        for one in report.results
    ]
    report = replace(report, results=tuple(results))
    assert report.diagnosis.certainty == "unclear"
    assert telling in report.remedies[0].steps[0].commands[0].checks
    assert telling in failed_causes_first(report)[0]


def test_a_number_names_one_step_where_one_before_it_is_not_shown() -> None:
    """What to look at is numbered after the steps, also where a step without a command is not."""
    report = REPORTS["unclear"]()
    look = Step(1, "Ask the team", "", (), 0)
    ready = Step(2, "Look", "", (Command("bash", "df -h", 0),), 0)
    report = replace(report, remedies=(Remedy("", "unclear", (look, ready)),))
    lines = render(report, 120, FOOTER).partition("DO THIS")[2].splitlines()
    assert [line[2:4] for line in lines if line[2:3].isdigit()] == ["2 ", "3 "]


def test_of_an_unclear_cause_the_most_telling_failure_comes_first() -> None:
    """Who holds the messages says more than a worker that is not healthy."""
    health, holder = "upload_status/worker_health_is_ok", "queue/deliveries_reach_the_worker"
    report = made.report(["signal/no_upload_is_stuck", health, holder])
    results = [
        replace(one, outcome=replace(one.outcome, seen=f"{one.outcome.check} was seen"))
        for one in report.results
    ]
    assert holder in failed_causes_first(replace(report, results=tuple(results)))[0]


def test_a_failure_that_accuses_nothing_names_its_component() -> None:
    """One of two workers is gone at night: the runbook knows the check, and not why."""
    report = made.report(["worker/expected_count_is_running"])
    assert "not clear; what failed: worker" in render(report, 120, FOOTER)


def test_a_cause_is_shown_with_what_accuses_it_alone() -> None:
    """Symptoms may weigh more, but they are in the first lines already and accuse every cause."""
    telling = "database/stuck_uploads_have_a_job"
    symptoms = (
        "signal/no_upload_is_stuck",
        "upload_status/uploads_have_left_uploading",
        "upload_status/progress_agrees_with_status",
        "logs/upload_transitions_are_logged",
    )
    report = made.report((*symptoms, telling), stuck=())
    [finding] = report.diagnosis.accepted
    assert finding.id == "processing_failed_silently"
    weaker = sorted(finding.supporting, key=lambda one: one.check == telling)
    finding = replace(finding, supporting=tuple(weaker))
    strongest = next(one.check for one in finding.supporting if one.status == "failed")
    assert strongest == symptoms[0]
    assert accusing(report, finding)[0] == telling


def test_a_quotation_that_a_line_cuts_has_a_line_of_its_own() -> None:
    """The words of a log are what tells: a second line has them, once, and a third their end."""
    checks = ("logs/no_storage_errors_are_logged", "logs/no_recent_processing_errors")
    where = "web-1, " * 4
    words = "[Errno 28] no " + "space " * 12
    seen = f'4 storage error lines in the last 15 min on {where}the newest: "{words}"'
    text = render(made.report(checks, seen=seen), 80, FOOTER)
    assert "Storage problem" in text
    assert text.count('    "[Errno 28] no space') == 1
    assert 'space "\n' in text


def test_the_words_of_the_log_come_before_more_commands() -> None:
    """They stay on a full screen, and the lines of a command make way."""
    access = "logs/no_database_access_is_refused"
    checks = (access, "upload_status/api_is_ready", "signal/no_upload_is_stuck")
    seen = f'58 database refusal lines, the newest 0 s ago: "{"permission denied " * 8}"'
    report = made.report(checks, stuck=[Affected("upload-1")], problems=["one", "another"])
    results = tuple(
        replace(one, outcome=replace(one.outcome, seen=seen))
        if one.outcome.check == access
        else one
        for one in report.results
    )
    command = "pytest --targets-file=/etc/veza-checks/targets.toml --target staging"
    crowded = replace(report, results=results, target=replace(report.target, command=command))
    text = render(crowded, 80, Footer("out/staging/upload_stuck/report.html"))
    assert "Application cannot use the database" in text
    assert '    "permission denied' in text


def test_the_list_of_all_steps_has_the_runs_targets_file() -> None:
    """The command that a report prints works where it is pasted."""
    report = REPORTS["two causes"]()
    command = "pytest '--targets-file=/etc/veza checks/targets.toml' --target lab"
    given = replace(report, target=replace(report.target, command=command))
    lines = "python -m actions out/lab '--targets-file=/etc/veza checks/targets.toml'"
    assert lines in render(given, 120, FOOTER)
    script = replace(report, target=replace(report.target, command="it's-a-script lab"))
    assert "python -m actions out/lab\n" in render(script, 120, FOOTER)


def test_all_steps_are_offered_where_only_the_first_are_shown() -> None:
    """Though each of those has all its commands."""
    report = REPORTS["incident"]()
    [remedy] = report.remedies
    steps = tuple(Step(n, f"Step {n}", "", (Command("bash", "true", 1),), 1) for n in range(1, 5))
    for shown, offered in ((steps[:3], False), (steps, True)):
        text = render(replace(report, remedies=(replace(remedy, steps=shown),)), 120, FOOTER)
        assert ("python -m actions" in text) is offered
