"""The sentences of the probes about many hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.language import set_language, tr
from fixtures.probes.host.processes import Process, Responsiveness, Running
from fixtures.probes.host.shell import Shell, TimedOut
from fixtures.probes.host.storage import StorageProbe
from fixtures.probes.logs.results import Activity, MatchingLines

HOSTS = tuple(f"web-{number}" for number in range(1, 49))


def processes(*hosts: str) -> tuple[Process, ...]:
    """Return a stopped worker process on each of the hosts."""
    return tuple(Process(host, 7, 1, "T", 60.0, "worker") for host in hosts)


def test_the_hosts_without_a_worker_are_named() -> None:
    """Where all hosts but one run a worker, that one is named."""
    assert "match /w/ on 47 of 48 hosts (all but web-48): worker (pid 7)" in str(
        Running("w", HOSTS, processes(*HOSTS[:47]))
    )
    assert "matches /w/ on 48 hosts; if" in str(Running("w", HOSTS, ()))


def test_the_hosts_of_many_stopped_workers_are_named() -> None:
    """Of more processes than a sentence names, it names the hosts."""
    stuck = Responsiveness(48, processes(*HOSTS[:5]), HOSTS)
    assert str(stuck).startswith(
        "5 of 48 worker processes cannot run on 5 of 48 hosts (web-1, web-2, web-3, web-4, web-5): "
        "process 7 on web-1 is stopped (T)"
    )


def test_the_hosts_with_lines_are_named() -> None:
    """Lines on some hosts are counted with those hosts, and with the one that has most."""
    counts = (0, 5, 1, *(0,) * 45)
    lines = MatchingLines("error", 900.0, HOSTS, counts, False, 60.0, (), 0, (), 9, 48)
    where = "on 2 of 48 hosts (web-2, web-3), most on web-2: 5"
    assert f"6 error lines in the last 15 min {where}" in str(lines)
    none = replace(lines, counts=(0,) * 48, newest=None)
    assert str(none) == ("no error line in the last 15 min on 48 hosts, among 9 lines of 48 files")


def test_the_hosts_that_are_silent_longest_are_named() -> None:
    """Of many logs the oldest last writes are told with their hosts."""
    silences = tuple((host, 60.0 * number) for number, host in enumerate(HOSTS, start=1))
    text = str(Activity(("/a.log",), silences, ()))
    assert text.startswith("/a.log was last written to 48 min ago on web-48; 47 min ago on web-47;")
    assert text.endswith("; at most 40 min ago on 40 other hosts")


class Slow(Shell):
    """A host on which every command times out."""

    def run(self, *_: object, **__: object) -> None:  # type: ignore[override]
        """Raise TimedOut as a host does."""
        raise TimedOut(self.name, tr("a command"), 5.0)


@pytest.mark.parametrize("language", ["en", "pseudo"])
def test_hosts_that_are_slow_alike_share_a_sentence(language: str) -> None:
    """Only the name of a host differs, in each language."""
    hosts = [Slow(f"ssh://web-{number}") for number in (1, 2)]
    try:
        set_language(language)
        directory = StorageProbe(hosts, "/up", "veza").directory()
        verdicts = {host.reach().verdict for host in hosts}
    finally:
        set_language("en")
    assert len(directory.faults) == 1
    assert "ssh://web-1, ssh://web-2" in directory.faults[0]
    assert len(verdicts) == 1
    assert "web" not in verdicts.pop()
