"""report.json read back: a valid file is the same report, any other is one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from core.outcome import Affected
from reports.model.report import SCHEMA, Report, SeenBefore
from reports.model.report_json import (
    LoadError,
    json_schema,
    load_report,
    newest_report,
    parse_report,
    to_json,
)
from reports.render.terminal import render as render_terminal
from tests import made

MADE: dict[str, Callable[[], Report]] = {
    "healthy": made.recovered,
    "incident": made.incident,
    "unknown": lambda: made.report(none=True, problems=["the run was interrupted"]),
}


def document(**changes: Any) -> dict[str, Any]:
    """Return an incident's report.json, parsed, with some of its keys replaced."""
    return {**json.loads(to_json(made.incident())), **changes}


def raw(value: Any) -> bytes:
    """Return a JSON document as bytes."""
    return json.dumps(value).encode()


@pytest.mark.parametrize("state", MADE)
def test_a_report_read_back_is_the_same(state: str) -> None:
    """A report is read and written again byte for byte."""
    text = to_json(MADE[state]())
    assert to_json(parse_report(text.encode(), "it")) == text


def test_whole_numbers_are_written_in_one_way() -> None:
    """A probe may measure 100 where the report has a float, which is read back as 100.0."""
    upload = Affected("upload-1", progress=100, age_seconds=900)
    text = to_json(made.incident(stuck=[upload]))
    assert '"progress": 100,' in text
    assert to_json(parse_report(text.encode(), "it")) == text


@pytest.mark.parametrize("state", MADE)
def test_a_report_is_valid_by_the_published_schema(state: str) -> None:
    """A written report is valid by the published JSON Schema."""
    schema = json.loads((made.ROOT / "reports/model/schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(to_json(MADE[state]())))


def test_the_published_schema_is_that_of_the_code() -> None:
    """The published schema is the one of the report's dataclasses.

    To publish a change: python -c "import json; from reports.model.report_json import json_schema;
    print(json.dumps(json_schema(), indent=1))" > reports/model/schema.json
    """
    assert json.loads((made.ROOT / "reports/model/schema.json").read_text()) == json_schema()


def test_the_schema_refuses_a_report_without_its_state() -> None:
    """The loader refuses it too."""
    broken = document()
    del broken["state"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(broken)


def test_unknown_keys_are_left_out() -> None:
    """A later version of the same schema may have more fields."""
    more = document(weather="fine")
    assert parse_report(raw(more), "it") == made.incident()


def nested() -> bytes:
    """Return JSON that is nested too deeply for any parser."""
    return b'{"schema": 1, "target": ' + b"[" * 200_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe{}", "it is not a report: byte 0 is not UTF-8"),
        (b"[]", "it is not a report: it has no schema number"),
        (b'{"state": "healthy"}', "it is not a report: it has no schema number"),
        (b"{'schema': 1}", "it is not JSON"),
        (b'{"schema": 7}', f"it has schema '7', and this version reads {SCHEMA}"),
        (b'{"schema": true}', "it has schema 'True'"),
        (b"# A page\n\nof text\n", "it is not JSON: Expecting value in line 1"),
        (b'{"schema": 1}', "it is not a usable report: target is missing"),
        (b'{"schema": 1, "seconds": NaN}', "it contains NaN"),
        (b'{"schema": 1, "seconds": 1e999}', "a number that is too large"),
        (b'{"schema": 1, "seconds": ' + b"9" * 9999 + b"}", "a number that is too large"),
        (nested(), "nested too deeply"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused(content: bytes, sentence: str) -> None:
    """Each kind of file gets its own sentence of one line."""
    with pytest.raises(LoadError) as refused:
        parse_report(content, "it")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_report_is_said_to_be_cut_short(part: float) -> None:
    """A report cut anywhere is called cut short."""
    text = to_json(made.incident())
    with pytest.raises(LoadError, match="it is cut short: it ends within line"):
        parse_report(text[: int(len(text) * part)].rstrip("}\n ").encode(), "it")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "splendid"}, "state must be 'healthy', 'at risk', 'incident' or 'unknown'"),
        ({"seconds": "long"}, "seconds must be a number"),
        ({"seconds": True}, "seconds must be a number"),
        ({"seconds": -1}, "seconds must not be negative"),
        ({"started": "yesterday"}, "started must be a time with its zone"),
        ({"started": "2026-03-02T10:00:00"}, "started must be a time with its zone"),
        ({"results": {}}, "results must be a list"),
        ({"results": [{"outcome": None}]}, "results[0].outcome must be a table"),
        ({"problems": [3]}, "problems[0] must be text"),
        ({"target": {"components": {}, "placeholders": {}}}, "target.name is missing"),
        ({"target": {**asdict(made.TARGET), "name": "../../etc"}}, "a name, not a path"),
        (
            {"target": {**asdict(made.TARGET), "components": {"api": 4}}},
            "target.components.api must",
        ),
        (
            {"target": {**asdict(made.TARGET), "placeholders": None}},
            "target.placeholders must be a table",
        ),
        (
            {"figures": [{"id": "x y", "value": 1, "unit": "", "meaning": ""}]},
            "figures must be named in lower case",
        ),
        ({"figures": [{"id": "x", "value": 1, "unit": "", "meaning": ""}] * 2}, "name x once"),
    ],
)
def test_a_wrong_value_is_named(changes: dict[str, Any], sentence: str) -> None:
    """A report with one wrong value is refused with the place of that value."""
    with pytest.raises(LoadError) as refused:
        parse_report(raw(document(**changes)), "it")
    assert sentence in str(refused.value)


def test_a_diagnosis_that_contradicts_itself_is_refused() -> None:
    """Probabilities above one and unknown causes are refused."""
    diagnosis = document()["diagnosis"]
    contradiction = {**diagnosis, "most_likely_set": ["gremlins"]}
    with pytest.raises(LoadError, match="names gremlins, which is not one of its causes"):
        parse_report(raw(document(diagnosis=contradiction)), "it")
    first = {**diagnosis["hypotheses"][0], "probability": 1.5}
    contradiction = {**diagnosis, "hypotheses": [first, *diagnosis["hypotheses"][1:]]}
    with pytest.raises(LoadError, match="must be from 0 to 1"):
        parse_report(raw(document(diagnosis=contradiction)), "it")


def test_a_check_with_two_outcomes_is_refused() -> None:
    """Every check has one outcome, also in a report that was edited."""
    results = document()["results"]
    with pytest.raises(LoadError, match="results must name signal/no_upload_is_stuck once"):
        parse_report(raw(document(results=[results[0], *results])), "it")


def test_control_characters_do_not_reach_a_terminal() -> None:
    """An escape sequence and half a surrogate pair in a report are removed when it is read."""
    report = parse_report(raw(document(headline="\x1b]0;owned\x07 \ud800 end")), "it")
    shown = render_terminal(report)
    assert "\x1b" not in shown
    assert shown.encode()


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(LoadError, match=r"report\.json cannot be read: No such file"):
        load_report(tmp_path / "report.json")


def test_a_pipe_in_place_of_the_report_does_not_hang(tmp_path: Path) -> None:
    """A pipe and a folder are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LoadError, match="not a regular file"):
        load_report(tmp_path / "pipe")
    with pytest.raises(LoadError, match=r"has no report\.json"):
        load_report(tmp_path)


def test_a_huge_file_is_not_parsed(tmp_path: Path) -> None:
    """A file larger than any report is refused."""
    path = tmp_path / "report.json"
    with path.open("wb") as file:
        file.truncate(33 << 20)
    with pytest.raises(LoadError, match="larger than 32 MiB"):
        load_report(path)


@pytest.mark.parametrize("time", ["3 Nov", "2026-11-03T09:40:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_of_an_earlier_incident_must_be_one(time: str) -> None:
    """A report with a time that no format can show is refused."""
    earlier = SeenBefore("job_worker_down", 3, time, "Restart the worker", 31.0)
    with pytest.raises(LoadError, match="seen_before: last must be a time with its zone"):
        parse_report(to_json(replace(made.incident(), seen_before=(earlier,))).encode(), "it")


def test_a_folder_stands_for_the_newest_report_in_it(tmp_path: Path) -> None:
    """So does the place of an earlier version; a partial report stands for none but itself."""
    target = tmp_path / "live"
    paths = [target / name / "report.json" for name in ("alpha", "beta", "beta/partial")]
    for age, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        os.utime(path, (1000 + age, 1000 + age))
    assert newest_report(target) == newest_report(target / "report.json") == paths[1]
    assert newest_report(target / "partial" / "report.json") == paths[2]
    assert newest_report(paths[0]) == paths[0]
    for lost in (tmp_path / "gone/report.json", tmp_path / "x.json", target / "alpha/partial"):
        assert newest_report(lost) == lost
    (target / "report.json").write_text("{}")
    assert newest_report(target / "report.json") == target / "report.json"


def test_a_folder_without_a_whole_report_says_so(tmp_path: Path) -> None:
    """Of a partial report it says where that is, as only its own path stands for it."""
    with pytest.raises(LoadError, match=r"has no report\.json: no run has written one there"):
        load_report(tmp_path)
    path = tmp_path / "upload_stuck/partial/report.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(LoadError, match=r"that of a narrowed or interrupted one is .*/partial/"):
        load_report(tmp_path)
