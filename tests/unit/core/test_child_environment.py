"""The environment of the programs that a run starts."""

from __future__ import annotations

import os
import threading

import pytest

from core.secrets import child_environment


def test_another_thread_may_change_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that comes and goes, as pytest's own, is in the answer or is not."""
    name = "VEZA_TEST_COMES_AND_GOES"
    monkeypatch.setenv(name, "there")
    ended = threading.Event()

    def toggle() -> None:
        while not ended.is_set():
            os.environ.pop(name, None)
            os.environ[name] = "there"

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        values = {child_environment().get(name) for _ in range(5000)}
    finally:
        ended.set()
        thread.join()
    assert values <= {"there", None}
