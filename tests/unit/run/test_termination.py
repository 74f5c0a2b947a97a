"""Signals that end a run or a check wait until an import is over."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.run import termination, watchdog
from fixtures.run.budget import CHECK_ENDS, ENDS, OVER, DeadlineExceeded, deadline
from fixtures.run.termination import Interrupt
from tests.waiting import PATIENCE

NAME = "imported_while_a_signal_comes"
SIGNALLED = "import signal\nsignal.raise_signal(signal.{number})\nfinished = True\n"
HANGING = "import threading\n" + SIGNALLED + "threading.Event().wait({patience})\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported; they are forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop(NAME, None)


@contextmanager
def handled(number: signal.Signals) -> Iterator[None]:
    """Have the signal interrupt, as in a run."""
    interrupt = Interrupt()
    interrupt.checks_run = True
    former = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, former)


def import_and_wait() -> None:
    importlib.import_module(NAME)
    threading.Event().wait(PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_comes_after_the_import(folder: Path, number: signal.Signals) -> None:
    """The module is imported whole, and the interrupt is not lost."""
    (folder / f"{NAME}.py").write_text(SIGNALLED.format(number=number.name))
    with handled(number), pytest.raises(KeyboardInterrupt):
        import_and_wait()
    assert sys.modules[NAME].finished


def test_the_deadline_of_a_check_comes_after_the_import(folder: Path) -> None:
    """The module is imported whole, and the check is stopped."""
    (folder / f"{NAME}.py").write_text(SIGNALLED.format(number="SIGALRM"))
    config = SimpleNamespace(getoption=lambda _: False)
    item = SimpleNamespace(stash={CHECK_ENDS: time.monotonic() + PATIENCE}, config=config)
    with deadline(cast("Any", item)), pytest.raises(DeadlineExceeded):
        import_and_wait()
    assert sys.modules[NAME].finished


def test_an_import_that_hangs_is_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module on a file system that does not answer must not keep the run."""
    monkeypatch.setattr(termination, "IMPORT_MAX", 0.1)
    (folder / f"{NAME}.py").write_text(HANGING.format(number="SIGTERM", patience=PATIENCE))
    with handled(signal.SIGTERM), pytest.raises(KeyboardInterrupt):
        import_and_wait()
    assert NAME not in sys.modules


def test_a_person_in_a_debugger_is_not_thrown_out() -> None:
    """With --pdb a check waits for a person; the budget ends neither it nor the process."""
    cleanups: list[object] = []
    config = SimpleNamespace(
        stash={ENDS: time.monotonic() + PATIENCE, OVER: time.monotonic() + PATIENCE},
        getoption=lambda _: True,
        add_cleanup=cleanups.append,
    )
    watchdog.pytest_configure(cast("pytest.Config", config))
    assert cleanups == []
