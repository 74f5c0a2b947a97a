"""The command line: values that are refused before anything runs, and how to look again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.run.options import _command
from fixtures.subjects import upload_id


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "x' OR '1'='1", "two\nlines", "ids\n", "é", "x" * 10_000]
)
def test_what_cannot_be_an_upload_id_is_refused(text: str) -> None:
    """One short line repeats it in ASCII and says what an id is made of."""
    with pytest.raises(
        pytest.UsageError, match="is not an upload ID: write 1 to 64 letters"
    ) as refused:
        upload_id(text)
    sentence = str(refused.value)
    assert len(sentence) < 220
    assert sentence.isascii()
    assert sentence.isprintable()


@pytest.mark.parametrize("text", ["7f9c", "x" * 64, "2c1e-4_b", "-V1StGXR8_Z5jdHi6B-m"])
def test_an_upload_id_is_taken_as_it_is(text: str) -> None:
    """Letters, digits, dashes and underscores, 64 at most."""
    assert upload_id(text) == text


def test_the_command_to_look_again_names_the_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script looks with the default runbook, so the option of this run is in its command too."""
    given = {"runbook": "login_fails", "out": "/var/lib/veza-checks"}
    config = cast(
        "pytest.Config",
        SimpleNamespace(getoption=lambda name, default=None: given.get(name, default)),
    )
    monkeypatch.delenv("VEZA_CHECKS_COMMAND", raising=False)
    command = "pytest --out=/var/lib/veza-checks --runbook=login_fails --target live"
    assert _command(config, "live") == command
    monkeypatch.setenv("VEZA_CHECKS_COMMAND", "sudo veza-checks")
    assert _command(config, "live") == "sudo veza-checks live --runbook=login_fails"
    del given["runbook"]
    monkeypatch.delenv("VEZA_RUNBOOK", raising=False)
    assert _command(config, "live") == "sudo veza-checks live"
    monkeypatch.setenv("VEZA_RUNBOOK", "login_fails")
    assert _command(config, "live") == "sudo veza-checks live --runbook=login_fails"
