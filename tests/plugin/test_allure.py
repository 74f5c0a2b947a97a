"""The Allure results of a run: each check once, its cause as its category, no secret in any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from reports.model.attribution import ERROR, UNREACHABLE
from reports.render.allure import executor, old_categories, properties, source_address
from reports.render.markdown import escaped
from tests.suite import Run

BODY = '''
import pytest

def test_queue_exists():
    """The queue exists."""

def test_broker_has_no_alarm():
    """The queue is consumed."""
    print("swordfish on the output")
    assert not "0 consumers, as swordfish saw", "queue q: 3 ready, 0 consumers, says swordfish"

def test_broker_is_reachable(refused):
    """The broker answers."""

def test_backlog_is_bounded(refusing):
    """The backlog is bounded."""
    refusing()

def test_dead_letters_are_empty():
    """Nothing is dead."""
    pytest.skip("no dead-letter queue is configured, swordfish")

def test_queue_is_draining():
    """It drains."""
    raise KeyError("swordfish")

@pytest.fixture
def closes_badly():
    yield
    raise RuntimeError("teardown broke on swordfish")

def test_deliveries_are_acknowledged(closes_badly):
    """Acknowledged."""
'''

CASES = '''
import pytest

@pytest.mark.parametrize("host", ["a", "b"])
def test_queue_exists(host):
    """The queue exists."""
'''

OWN = '''
import allure

def test_queue_exists(tmp_path):
    """The queue exists."""
    file = tmp_path / "answer.txt"
    file.write_text("swordfish in a file")
    allure.dynamic.label("owner", "swordfish")
    allure.dynamic.link("https://example/swordfish", name="swordfish")
    with allure.step("log in with swordfish"):
        allure.attach("swordfish in a text", "answer of swordfish", allure.attachment_type.TEXT)
        allure.attach.file(file, "file of swordfish", allure.attachment_type.TEXT)
        allure.attach(bytes([255, 254]), "picture", allure.attachment_type.PNG)
'''

REMOVED = '''
import pathlib
import shutil

def test_queue_exists():
    """The queue exists."""
    for folder in pathlib.Path().glob("allure*"):
        shutil.rmtree(folder)

def test_broker_has_no_alarm():
    """The queue is consumed."""
    assert not "consumers", "0 consumers"
'''

MOVED = '''
import pathlib

def test_queue_exists():
    """The queue exists."""
    for folder in pathlib.Path().glob("allure*"):
        folder.rename(f"away-{folder}")

def test_broker_has_no_alarm():
    """The queue is consumed."""
    for folder in pathlib.Path().glob("away-*"):
        folder.rename(str(folder).removeprefix("away-"))
'''

INTERRUPTED = '''
import json
import pathlib

def test_queue_exists():
    """The queue exists."""
    # As a run of another pytest does that writes into the same folder.
    late = {
        "uuid": "late",
        "status": "passed",
        "historyId": "late",
        "labels": [{"name": "check", "value": "queue/broker_has_no_alarm"}],
        "parameters": [{"name": "target", "value": "made-up"}],
    }
    pathlib.Path("allure", "late-result.json").write_text(json.dumps(late))

def test_broker_has_no_alarm():
    """The queue is consumed."""
    raise KeyboardInterrupt

def test_broker_is_reachable():
    """The broker answers."""
'''

STATUSES = {
    "queue/queue_exists": "passed",
    "queue/broker_has_no_alarm": "failed",
    "queue/broker_is_reachable": "broken",
    "queue/backlog_is_bounded": "broken",
    "queue/dead_letters_are_empty": "skipped",
    "queue/queue_is_draining": "broken",
    "queue/deliveries_are_acknowledged": "broken",
}

PLUGINS = ("-p", "allure_pytest.plugin", "-p", "reports.run.allure")

_FILES: dict[tuple[str, ...], dict[str, str]] = {}
"""Files by what was run: a run that several tests look at is made once."""


@pytest.fixture
def results(run_checks: Callable[..., Run], pytester: pytest.Pytester) -> Callable[..., Results]:
    """Run the text of test_queue.py with these arguments and read its Allure results."""

    def run(body: str, *args: str) -> Results:
        # A folder for each kind of run: Allure's files of several runs add up in one.
        name = "-".join(["allure", *(arg.strip("-") for arg in args)])
        done = run_checks(body, *PLUGINS, f"--alluredir={name}", *args)
        folder = pytester.path / name
        if (body, *args) not in _FILES:
            files = folder.iterdir() if folder.is_dir() else ()
            _FILES[(body, *args)] = {path.name: path.read_text(errors="replace") for path in files}
        return Results(done, _FILES[(body, *args)])

    return run


class Results:
    """A finished run and its files by name."""

    def __init__(self, run: Run, files: dict[str, str]) -> None:
        self.run = run
        self.files = files

    def all(self, ending: str) -> list[dict[str, Any]]:
        """The files with this ending, read as JSON."""
        return [json.loads(text) for name, text in self.files.items() if name.endswith(ending)]

    @property
    def by_check(self) -> dict[str, dict[str, Any]]:
        """The results by check; a check with two of them fails the test."""
        contents = self.all("-result.json")
        assert contents, self.run.text + self.run.errors
        assert len({result["historyId"] for result in contents}) == len(contents)
        named = {label(result, "check"): result for result in contents}
        assert len(named) == len(contents)
        return named

    def category(self, check: str) -> tuple[str, str]:
        """The category that Allure 2 finds for a check, and the one that Allure 3 finds."""
        result = self.by_check[check]
        details, status = result["statusDetails"], result["status"]
        old = [
            rule["name"]
            for rule in json.loads(self.files["categories.json"])
            if status in rule["matchedStatuses"]
            and re.fullmatch(rule["traceRegex"], details["trace"])
        ]
        rules = json.loads(self.files["allurerc.json"])["categories"]["rules"]
        new = [
            rule["name"]
            for rule in rules
            if status in rule["matchers"]["statuses"]
            and re.search(rule["matchers"]["labels"]["defect"], label(result, "defect"))
        ]
        assert len(old) == len(new) == 1, (old, new)
        return old[0], new[0]


def label(result: dict[str, Any], name: str) -> str:
    """The one label of a result with this name; empty where there is none."""
    values = [str(one["value"]) for one in result["labels"] if one["name"] == name]
    assert len(values) < 2
    return "".join(values)


def test_each_check_has_one_result(results: Callable[..., Results]) -> None:
    """Failed is "the target is bad", broken is "could not look", and nothing is there twice."""
    written = results(BODY)
    assert {check: one["status"] for check, one in written.by_check.items()} == STATUSES
    assert written.all("-container.json") == []
    assert written.run.status == 1


def test_a_result_says_where_it_belongs(results: Callable[..., Results]) -> None:
    """A result carries runbook, verification, severity, its sentence as title, and a link."""
    by_check = results(BODY).by_check
    consumer = by_check["queue/broker_has_no_alarm"]
    assert consumer["name"] == "The queue is consumed."
    assert label(consumer, "epic") == "Upload stuck"
    assert label(consumer, "feature") == "4. The queue"
    assert label(consumer, "severity") == "normal"
    assert consumer["links"][0]["url"].endswith("/runbooks/upload_stuck/runbook.md")
    assert consumer["start"] <= consumer["stop"]


def test_a_symptom_is_critical(results: Callable[..., Results], pytester: pytest.Pytester) -> None:
    """What users suffer from is critical, and comes before the runbook's steps."""
    signal = pytester.path / "checks" / "upload_stuck" / "test_signal.py"
    signal.write_text("def test_no_upload_is_stuck(refused):\n    pass\n")
    by_check = results(BODY, "-k", "no_upload_is_stuck").by_check
    assert label(by_check["signal/no_upload_is_stuck"], "severity") == "critical"
    assert label(by_check["signal/no_upload_is_stuck"], "feature") == "0. Signal"


def test_what_was_seen_is_attached(results: Callable[..., Results]) -> None:
    """Each observation is attached, a defect has the verdict too, no attachment is missing."""
    written = results(BODY)
    consumer = written.by_check["queue/broker_has_no_alarm"]
    (step,) = consumer["steps"]
    assert step["name"] == "made.up: what was seen"
    observation = json.loads(written.files[step["attachments"][0]["source"]])
    assert observation == {"seen": "what was seen", "data": {"depth": 3}}
    sources = {one["name"]: one["source"] for one in consumer["attachments"]}
    assert sources.keys() == {"stdout", "Verdict"}
    verdict = written.files[sources["Verdict"]]
    assert written.run.report is not None
    assert written.run.report["headline"][:60] in " ".join(verdict.split())
    named = re.findall(r'"source": "([^"]+)"', "".join(written.files.values()))
    there = [name for name in written.files if "-attachment." in name]
    assert sorted(named) == sorted(there), "each attachment belongs to one place"


def test_a_defect_s_page_begins_with_the_verdict_and_the_actions(
    results: Callable[..., Results],
) -> None:
    """Each check that does not hold, so also the first, has both as its description."""
    written = results(BODY)
    report = written.run.report
    assert report is not None
    step = report["remedies"][0]["steps"][0]
    for check, result in written.by_check.items():
        text = result["description"]
        if result["status"] in ("passed", "skipped"):
            assert "Do this:" not in text
            continue
        assert text.startswith(f"**{escaped(report['headline'])}**"), check
        assert f"\n\n1\\. {escaped(step['title'])}" in text
        assert text.index("Do this:") < text.index("Then verify: `pytest --target made-up`")
        assert f"`{check}`: a cause" in text


def test_the_message_is_the_sentence(results: Callable[..., Results]) -> None:
    """Allure shows what was seen, no traceback, and why in the trace's place."""
    details = results(BODY).by_check["queue/broker_has_no_alarm"]["statusDetails"]
    assert details["message"] == "queue q: 3 ready, 0 consumers, says ***"
    assert "Traceback" not in details["trace"]
    assert "Explained by: " in details["trace"]


def test_a_defect_has_one_category(results: Callable[..., Results]) -> None:
    """Hypotheses are categories; what says nothing of the target is in one of its own."""
    written = results(BODY)
    assert written.run.report is not None
    first = written.run.report["diagnosis"]["hypotheses"][0]
    expected = (first["title"], first["title"])
    assert written.category("queue/broker_has_no_alarm") == expected
    assert label(written.by_check["queue/broker_has_no_alarm"], "hypothesis") == first["id"]
    assert written.category("queue/broker_is_reachable") == (UNREACHABLE, UNREACHABLE)
    assert written.category("queue/queue_is_draining") == (ERROR, ERROR)


def test_no_secret_is_in_any_file(results: Callable[..., Results]) -> None:
    """A password in an assertion, an exception, a skip, a teardown or the output stays out."""
    written = results(BODY, "--tb=long", "--showlocals")
    assert [name for name, text in written.files.items() if "swordfish" in text] == []


def test_what_a_check_attaches_itself_is_kept_and_redacted(
    results: Callable[..., Results],
) -> None:
    """A check that uses Allure's own functions finds its steps and files there, without secrets."""
    written = results(OWN)
    first, second = written.by_check["queue/queue_exists"]["steps"]
    assert (first["name"], second["name"]) == ("log in with ***", "made.up: what was seen")
    assert {one["name"] for one in first["attachments"]} == {
        "answer of ***",
        "file of ***",
        "picture",
    }
    texts = {written.files[one["source"]] for one in first["attachments"][:2]}
    assert texts == {"*** in a text", "*** in a file"}
    assert "swordfish" not in "".join(written.files.values())


def test_an_interrupted_check_is_no_pass(results: Callable[..., Results]) -> None:
    """What was running when the run ended, and what was still to run, are broken."""
    written = results(INTERRUPTED)
    assert {check: one["status"] for check, one in written.by_check.items()} == {
        "queue/queue_exists": "passed",
        "queue/broker_has_no_alarm": "broken",
        "queue/broker_is_reachable": "broken",
    }


def test_a_check_keeps_its_history(results: Callable[..., Results]) -> None:
    """The history id is the same in another folder, and no two checks share it."""
    one, two = (results(BODY, *args).by_check for args in ((), ("-v",)))
    ids = {check: result["historyId"] for check, result in one.items()}
    assert ids == {check: result["historyId"] for check, result in two.items()}
    assert len(set(ids.values())) == len(ids)
    name = "checks.upload_stuck.test_queue#test_queue_exists"
    assert one["queue/queue_exists"]["fullName"] == name


@pytest.mark.patient
def test_targets_and_cases_have_histories_of_their_own(
    results: Callable[..., Results], pytester: pytest.Pytester
) -> None:
    """A check's results on two targets, or of two cases, are not each other's past."""
    here = results(CASES).by_check
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("made-up", "elsewhere"))
    there = results(CASES, "--clean-alluredir").by_check
    ids = [result["historyId"] for found in (here, there) for result in found.values()]
    assert len(set(ids)) == 4


def test_the_run_says_what_it_looked_at(results: Callable[..., Results]) -> None:
    """environment.properties holds target and verdict, executor.json who ran it."""
    written = results(BODY)
    environment = written.files["environment.properties"]
    assert "Target=made-up\n" in environment
    assert "Queue=q at amqp://127.0.0.1\n" in environment
    assert re.search(r"^Verdict=At risk: ", environment, re.MULTILINE)
    assert json.loads(written.files["executor.json"])["reportName"] == "Upload stuck on made-up"
    (overall,) = written.all("-globals.json")
    assert [one["name"] for one in overall["attachments"]] == ["Verdict", "report.json"]


def test_a_properties_file_is_escaped() -> None:
    """Nothing in a value begins a line, a key or an escape of its own; all of it is ASCII."""
    text = properties({"Verdict": "C:\\x\nState=healthy", "Target": "é😀"})
    assert text == "Verdict=C:\\\\x\\nState=healthy\nTarget=\\u00e9\\ud83d\\ude00\n"


def test_the_executor_is_the_ci_system() -> None:
    """A CI system's variables name the build; a number that is none is left out."""
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "veza/ops",
        "GITHUB_RUN_NUMBER": "17",
        "GITHUB_RUN_ID": "99",
        "GITHUB_SHA": "abc",
        "GITHUB_WORKFLOW": "checks",
    }
    fields = executor(environ)
    assert fields["buildUrl"] == "https://github.com/veza/ops/actions/runs/99"
    assert fields["buildOrder"] == 17
    assert "buildOrder" not in executor(environ | {"GITHUB_RUN_NUMBER": "x"})
    assert executor({})["type"] == "local"
    assert source_address("a.md", environ) == "https://github.com/veza/ops/blob/abc/a.md"
    assert source_address("a.md", {}) == ""


def test_a_category_takes_only_its_own_title() -> None:
    """A title with the signs of regular expressions matches itself, not a longer one."""
    names = ("Queue (blocked)", "Queue (blocked) twice")
    first, second = (rule["traceRegex"] for rule in old_categories(names))
    trace = "because\nDefect: Queue (blocked) twice\n\nverdict"
    assert not re.fullmatch(first, trace)
    assert re.fullmatch(second, trace)


def test_results_that_cannot_be_written_cost_no_verdict(
    results: Callable[..., Results], pytester: pytest.Pytester
) -> None:
    """A folder that cannot be made is one sentence; verdict, report and exit status are there."""
    pytester.path.joinpath("allure").write_text("a file is in the way")
    with pytest.raises(NotADirectoryError):
        list(pytester.path.joinpath("allure").iterdir())
    run = results(BODY, "--alluredir=allure/within").run
    assert "Traceback" not in run.text + run.errors
    assert "The Allure results were not written: " in run.text
    assert "Not a directory" in run.text
    assert "AT RISK" in run.text
    assert run.status == 1
    assert run.state == "at risk"


def test_a_healthy_run_without_a_folder_is_no_success(
    results: Callable[..., Results], pytester: pytest.Pytester
) -> None:
    """Who reads the results of an earlier run must not take them for this one."""
    healthy = 'def test_queue_exists():\n    """The queue exists."""\n'
    pytester.path.joinpath("taken").write_text("a file is in the way")
    run = results(healthy, "--alluredir=taken/within").run
    assert run.status == 1
    assert run.state == "healthy"


def test_a_folder_that_goes_away_costs_no_verdict(results: Callable[..., Results]) -> None:
    """What cannot be written while the checks run is one sentence at the end, too."""
    run = results(REMOVED).run
    assert run.text.count("The Allure results were not written: ") == 1
    assert "Traceback" not in run.text + run.errors
    assert run.statuses == {"queue/queue_exists": "passed", "queue/broker_has_no_alarm": "failed"}
    assert run.status == 1


def test_a_refused_file_is_told_and_made_up_for(results: Callable[..., Results]) -> None:
    """A result that could not be written is written at the end, and a sentence says so."""
    written = results(MOVED)
    assert written.by_check.keys() == {"queue/queue_exists", "queue/broker_has_no_alarm"}
    assert written.run.text.count("The Allure results were not written: ") == 1
    assert written.run.status == 0


LAZY = '''
import sys

def test_queue_exists():
    """The queue exists."""
    assert not {"reports.run.allure_writer", "reports.render.allure"} & sys.modules.keys()
'''


def test_without_the_option_nothing_is_loaded(run_checks: Callable[..., Run]) -> None:
    """A run without --alluredir imports nothing of it and writes nothing."""
    assert run_checks(LAZY, *PLUGINS).statuses == {"queue/queue_exists": "passed"}


def test_a_collection_alone_writes_nothing(results: Callable[..., Results]) -> None:
    """--collect-only is no run: there is nothing to tell."""
    assert results(BODY, "--collect-only").files == {}
