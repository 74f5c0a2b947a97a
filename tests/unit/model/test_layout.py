"""report.toml: what a report shows of its runbook."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.files import read_toml
from core.language import ENGLISH, set_language
from reports.diagnosis.evidence_file import load_evidence
from reports.model.bundle import RUNBOOKS
from reports.model.layout import Impact, Layout
from reports.model.layout_file import NAME, load_layout
from reports.model.report_json import LoadError, parse_report, to_json
from reports.runbook.document import RunbookError
from tests import made

FIGURE = '[[figures]]\nid = "a"\nmeaning = "things"\n'
STATION = '[[stations]]\nkey = "{}"\nname = "One"\ncomponent = "api"\n'


@pytest.mark.parametrize("folder", sorted(path.parent for path in RUNBOOKS.glob("*/report.toml")))
def test_every_shipped_layout_fits_its_evidence(folder: Path) -> None:
    """It names no cause, check or component that the evidence table lacks."""
    evidence = load_evidence(folder / "evidence.toml")
    assert list(load_layout(folder).check_against(evidence)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("path = 3", "path: must be text"),
        ("pathh = 'x'", "pathh: is not a key here"),
        (FIGURE + FIGURE, "two figures have the same id"),
        (FIGURE + 'unit = "miles"', "figures[0].unit: must be '', 'seconds' or 'ratio'"),
        (STATION.format("x"), "a path has 2 to 12 stations, or none"),
        ("[success]\nnoun='a'\nwords='b'\nlast='c'\ncount='d'", "'d' is not the id of a figure"),
        (FIGURE.replace("things", "a\\nb"), "each text must be one printable line"),
        (FIGURE + '[[metrics]]\npattern = "("\nfigure = "a"', "'(' is no pattern"),
        (STATION.format("x") + STATION.format("y") + 'read_by = "z"', "read_by names no station"),
        ("[[figures", "is not valid TOML"),
    ],
)
def test_a_wrong_file_gets_one_sentence(text: str, problem: str, tmp_path: Path) -> None:
    """It names the file, the key and what would be right."""
    (tmp_path / NAME).write_text(text)
    with pytest.raises(RunbookError) as caught:
        load_layout(tmp_path)
    assert problem in str(caught.value)
    assert str(tmp_path / NAME) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_runbook_without_the_file_has_an_empty_layout(tmp_path: Path) -> None:
    """Such a report has no path, no figures and no charts."""
    assert load_layout(tmp_path) == Layout()


@pytest.mark.parametrize("key", ["causes", "causes_behind", "checks", "read_by_checks"])
def test_a_name_that_the_evidence_lacks_is_told(key: str) -> None:
    """The sentence has the station and the name."""
    layout = made.bundle().layout
    names: dict[str, Any] = {key: ("no_such",)}
    first = replace(layout.stations[0], **names)
    changed = replace(layout, stations=(first, *layout.stations[1:]))
    problem = next(changed.check_against(made.bundle().evidence))
    assert problem.startswith("station 'client' names the ")
    assert "'no_such', which evidence.toml lacks" in problem


def test_all_names_that_the_evidence_lacks_are_told() -> None:
    """Each has its sentence, in the order of the file: none hides the next."""
    layout = made.bundle().layout
    first = replace(layout.stations[0], causes=("no_such",))
    changed = replace(layout, stations=(first, *layout.stations[1:]), stored_check="not/there")
    assert list(changed.check_against(made.bundle().evidence)) == [
        "station 'client' names the cause 'no_such', which evidence.toml lacks",
        "stored_check names 'not/there', which evidence.toml lacks",
    ]


def test_a_report_of_an_earlier_version_gets_the_layout_of_its_runbook() -> None:
    """Such a report has no layout; its checks say which runbook it was made with."""
    report = made.incident()
    document = json.loads(to_json(report))
    del document["layout"], document["runbook_name"]
    read = parse_report(json.dumps(document).encode(), "report.json")
    assert read == replace(report, runbook_name="")


def test_a_hostile_layout_in_a_report_is_refused() -> None:
    """A saved report may be anybody's: its layout is checked like the file."""
    document = json.loads(to_json(made.incident()))
    document["layout"]["stations"] *= 1000
    with pytest.raises(LoadError, match="is not a usable report: layout"):
        parse_report(json.dumps(document).encode(), "report.json")


def test_words_follow_the_noun() -> None:
    """The words that a report puts together read well for another noun and state."""
    impact = Impact("user account", "locked out", "count", plural="user accounts")
    assert impact.title == "Locked out user accounts"
    assert impact.oldest == "oldest locked out user account"
    assert impact.placeholder == "user_account"


def test_every_key_is_described() -> None:
    """docs/writing-checks.md names each key that the shipped files use."""
    text = (made.ROOT / "docs/writing-checks.md").read_text()
    used = set()
    for path in RUNBOOKS.glob("*/report.toml"):
        for key, value in read_toml(path).items():
            table = value[0] if isinstance(value, list) else value
            used |= {key, *(table if isinstance(table, dict) else ())}
    known = set(re.findall(r"`\[{0,2}(\w+)\]{0,2}`", text))
    assert sorted(used - known) == []


def test_words_of_a_station_agree_with_the_number_in_the_language() -> None:
    """English has "1 running" and "2 running", French has "1 actif" and "2 actifs"."""
    folder = RUNBOOKS / "upload_stuck"
    try:
        set_language("fr")
        layout = load_layout(folder)
    finally:
        set_language(ENGLISH)
    worker = next(one for one in layout.stations if one.key == "worker")
    assert (worker.figures[0].one, worker.figures[0].words) == ("actif", "actifs")


def test_a_figure_in_another_language_keeps_its_english_meaning() -> None:
    """Metrics need it. In English the meaning says it already."""
    folder = RUNBOOKS / "upload_stuck"
    english = load_layout(folder)
    try:
        set_language("fr")
        french = load_layout(folder)
    finally:
        set_language(ENGLISH)
    assert [one.english for one in french.figures] == [one.meaning for one in english.figures]
    assert {one.english for one in english.figures} == {""}


def test_a_no_break_space_is_part_of_a_text(tmp_path: Path) -> None:
    """French has one before a colon; a control character stays refused."""
    path = tmp_path / NAME
    path.write_text(FIGURE.replace("things", "les\u00a0choses"))
    assert load_layout(tmp_path).figures[0].meaning == "les\u00a0choses"
    path.write_text(FIGURE.replace("things", "les\\u0007choses"))
    with pytest.raises(RunbookError, match="printable"):
        load_layout(tmp_path)
