"""`python -m reports watch`: what it hands on to the runs that it makes."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.language import PSEUDO, choose_language
from reports.cli import watch
from reports.cli.main import main


class Interrupted:
    """Looks of which the first is interrupted; keeps the arguments of the last ones made."""

    arguments: Sequence[str] = ()

    def __init__(self, arguments: Sequence[str]) -> None:
        Interrupted.arguments = arguments

    def look(self) -> tuple[int, str]:
        """Be interrupted."""
        raise KeyboardInterrupt

    def end(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("named", ["all", "upload_stuck,login_fails"])
def test_a_watch_has_one_runbook(
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Several are refused, also from VEZA_RUNBOOK; the runs get the one that was named."""
    monkeypatch.setattr(watch, "Looks", Interrupted)
    before = signal.getsignal(signal.SIGTERM)
    call = ["watch", "--target=live", f"--out={tmp_path}"]
    try:
        with pytest.raises(SystemExit):
            main([*call, f"--runbook={named}"])
        monkeypatch.setenv("VEZA_RUNBOOK", named)
        with pytest.raises(SystemExit):
            main(call)
        assert capsys.readouterr().err.count("--runbook: name one runbook") == 2
        assert main([*call, "--runbook=login_fails"]) == watch.INTERRUPTED
        assert "--runbook=login_fails" in Interrupted.arguments
        monkeypatch.setenv("VEZA_RUNBOOK", "upload_stuck")
        assert main(call) == watch.INTERRUPTED
        assert "--runbook=upload_stuck" in Interrupted.arguments
    finally:
        signal.signal(signal.SIGTERM, before)


class Unwritten(Interrupted):
    """Looks that cannot write their report: the first is made, the second is interrupted."""

    def look(self) -> tuple[int, str]:
        """Print the end of such a run, which breaks its lines."""
        Unwritten.look = Interrupted.look  # type: ignore[method-assign]
        return 1, "  The report was not written: /srv/out/live/report.json\n  cannot be written\n"

    def replace(self) -> None:
        """Do nothing."""


def test_a_look_that_cannot_write_its_report_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line of what it has printed is a part of a sentence."""
    monkeypatch.setattr(watch, "Looks", Unwritten)
    monkeypatch.setattr(watch, "PAUSE_MIN", 0.0)
    before = signal.getsignal(signal.SIGTERM)
    try:
        main(["watch", "--target=live", f"--out={tmp_path}", "--every=1ms"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert f"lost: it could not write its report into {tmp_path}/live\n" in capsys.readouterr().out


def test_a_watch_and_its_runs_have_one_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs get --lang as it was given; without it they choose for themselves."""
    monkeypatch.setattr(watch, "Looks", Interrupted)
    before = signal.getsignal(signal.SIGTERM)
    call = ["watch", "--target=live", f"--out={tmp_path}"]
    try:
        assert main([*call, "--lang", PSEUDO]) == watch.INTERRUPTED
        assert f"--lang={PSEUDO}" in Interrupted.arguments
        assert "löök" in capsys.readouterr().out
        main(["--lang", PSEUDO, *call])
        assert f"--lang={PSEUDO}" in Interrupted.arguments
        main(call)
        assert not any(argument.startswith("--lang") for argument in Interrupted.arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
        choose_language(None)
