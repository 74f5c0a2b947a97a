"""The lock that keeps a second run away from a target."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.suite import Run, run_suite
from tests.targets import storage_target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a target's reports, beside a targets file that names its own folder."""
    (tmp_path / "targets.toml").write_text(storage_target("here", tmp_path))
    folder = tmp_path / "out" / "here"
    folder.mkdir(parents=True)
    return folder


def run_one_check(folder: Path, *options: str) -> Run:
    out = folder.parent
    return run_suite(
        f"--targets-file={out.parent / 'targets.toml'}", "--target", "here", "-n0", "-k",
        "directory_exists", *options, out=out,
    )  # fmt: skip


def test_the_holder_is_replaced_whole(folder: Path) -> None:
    """A second run reads the name of the former or of the present run, never a part of one."""
    holder, former = folder / ".holder", folder / "former"
    holder.write_text("process 1, since 03:00:00 UTC, and more than the next run writes")
    os.link(holder, former)
    assert run_one_check(folder).status == 0
    assert former.read_text().startswith("process 1, "), "the old content is not overwritten"
    assert holder.read_text().startswith("process ")
    assert "and more" not in holder.read_text()


def test_a_holder_that_cannot_be_written_stops_no_run(folder: Path) -> None:
    """The name of the run is for the sentence of another one; the checks run without it."""
    (folder / ".holder").mkdir()
    run = run_one_check(folder)
    assert run.status == 0
    assert set(run.statuses.values()) == {"passed"}


def test_a_folder_that_cannot_be_made_is_a_sentence(folder: Path) -> None:
    """What cannot be written is said without a warning of pytest's, which has a library's path."""
    folder.rmdir()
    folder.touch()
    run = run_one_check(folder, "-o", f"cache_dir={folder}/cache")
    assert run.errors.startswith(f"warning: {folder} cannot be locked, so another run may check ")
    assert run.errors.endswith(" at the same time: File exists\n")
    assert "warnings summary" not in run.text
    assert "The report was not written: " in run.text
    assert run.status == 1
