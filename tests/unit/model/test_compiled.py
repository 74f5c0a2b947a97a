"""What was read from a runbook's files is kept, and never used once it may be out of date."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.language import set_language
from core.runbooks import names_in
from reports.diagnosis.evidence import EvidenceError
from reports.model import compiled as module
from reports.model.bundle import RUNBOOKS, load_bundle
from reports.model.compiled import compiled
from reports.runbook.document import RunbookError

Read = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is kept, and the code's, of this test alone."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/reads.py").write_text("")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "CODE", ("code",))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "kept"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "runbook.md"
    file.write_text("# one")
    return file


@pytest.fixture
def read(file: Path) -> Read:
    """Reads the file, and fails when it has not changed."""
    seen: list[str] = []

    def read() -> list[str]:
        text = file.read_text()
        assert text not in seen, "read twice"
        seen.append(text)
        return [text]

    return read


def test_what_was_read_is_not_read_again(file: Path, read: Read) -> None:
    assert compiled("one", [file], read) == ["# one"]
    assert compiled("one", [file], read) == ["# one"]


def test_a_file_that_changed_is_read_again(file: Path, read: Read) -> None:
    compiled("one", [file], read)
    file.write_text("# two")
    assert compiled("one", [file], read) == ["# two"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda code: code.write_text("# other"), id="edited"),
        pytest.param(lambda code: os.utime(code, (1, 1)), id="replaced by one of the same size"),
        pytest.param(lambda code: code.unlink(), id="removed"),
        pytest.param(lambda code: code.with_name("new.py").write_text(""), id="added"),
    ],
)
def test_code_that_changed_reads_again(
    change: Callable[[Path], object], file: Path, tmp_path: Path
) -> None:
    compiled("one", [file], lambda: "before")
    change(tmp_path / "code/reads.py")
    assert compiled("one", [file], lambda: "after") == "after"


def test_each_language_has_its_own(file: Path) -> None:
    compiled("one", [file], lambda: "English")
    set_language("fr")
    try:
        assert compiled("one", [file], lambda: "French") == "French"
        assert compiled("one", [file], lambda: "read again") == "French"
    finally:
        set_language("en")
    assert compiled("one", [file], lambda: "read again") == "English"


def test_files_of_another_place_are_read(file: Path, tmp_path: Path) -> None:
    compiled("one", [file], lambda: "here")
    other = tmp_path / "other.md"
    other.write_text(file.read_text())
    assert compiled("one", [other], lambda: "there") == "there"


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda _: b"", lambda data: data * 2],
    ids=["cut", "empty", "twice"],
)
def test_a_damaged_one_is_read_again(
    damage: Callable[[bytes], bytes], file: Path, folder: Path
) -> None:
    compiled("one", [file], lambda: "read")
    (kept,) = folder.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert compiled("one", [file], lambda: "read again") == "read again"
    assert compiled("one", [file], lambda: "never") == "read again"


def test_nothing_is_kept_where_python_keeps_nothing(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled("one", [file], lambda: "read") == "read"
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_costs_nothing(file: Path, folder: Path) -> None:
    folder.write_text("a file in its place")
    assert compiled("one", [file], lambda: "read") == "read"


def test_a_file_that_cannot_be_read_is_left_to_its_reader(tmp_path: Path) -> None:
    def read() -> str:
        raise RunbookError("there is none")

    with pytest.raises(RunbookError, match="there is none"):
        compiled("one", [tmp_path / "none.md"], read)


def test_a_file_that_changes_while_it_is_read_is_not_kept(file: Path, folder: Path) -> None:
    def read() -> str:
        file.write_text("# two")
        return "of which?"

    assert compiled("one", [file], read) == "of which?"
    assert not folder.exists()


def test_an_error_is_not_kept(file: Path, read: Read) -> None:
    def refuse() -> list[str]:
        raise RunbookError("refused")

    for _ in range(2):
        with pytest.raises(RunbookError):
            compiled("one", [file], refuse)
    assert compiled("one", [file], read) == ["# one"]


@pytest.mark.parametrize("name", names_in(RUNBOOKS.parent))
def test_each_runbook_is_the_same_when_it_was_kept(name: str, folder: Path) -> None:
    first = load_bundle(RUNBOOKS / name)
    assert [path.suffix for path in folder.iterdir()] == [".pickle"]
    assert load_bundle(RUNBOOKS / name) == first


def test_a_mistake_in_a_runbook_that_was_kept_is_found(tmp_path: Path) -> None:
    for name in ("evidence.toml", "report.toml", "runbook.md"):
        (tmp_path / name).write_bytes((RUNBOOKS / "upload_stuck" / name).read_bytes())
    load_bundle(tmp_path)
    with (tmp_path / "runbook.md").open("a") as document:
        document.write("\n## One more part\n")
    with pytest.raises(RunbookError, match="One more part"):
        load_bundle(tmp_path)
    (tmp_path / "evidence.toml").write_text("checks = 1")
    with pytest.raises(EvidenceError):
        load_bundle(tmp_path)
