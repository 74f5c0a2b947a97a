"""Reports on many hosts: those that are alike are told once, and each bad one can be found."""

from __future__ import annotations

import io
import re

from rich.console import Console

from core.outcome import Observation, Outcome
from reports.model.build import EndedRun, build_report
from reports.model.report import Report
from reports.render import chat
from reports.render.html.checks import checks_of
from reports.render.html.page import render
from reports.render.terminal_checks import print_checks
from reports.render.terminal_verdict import Footer, verdict
from tests import made

REFUSED = "cannot be reached: Connection refused"


def reach(number: int, verdict: str) -> Outcome:
    """Return the outcome of one host's check."""
    host = f"ssh://web-{number:02}"
    failed = verdict != "answered"
    seen = f"host {host} {verdict.replace(': ', f': connect to host 10.0.0.{number} port 22: ')}"
    data = {"host": host, "ok": not failed, "verdict": verdict}
    return Outcome(
        f"hosts/host_is_reachable[ssh-web-{number:02}]",
        "failed" if failed else "passed",
        "The host runs a command.",
        seen if failed else "",
        (Observation("hosts.reach", seen, data, 0.1),),
    )


def report() -> Report:
    """A run on 48 hosts of which five refuse, one is unknown, and storage could not be seen."""
    verdicts = [REFUSED] * 5 + ["cannot be reached: Could not resolve hostname"]
    outcomes = [reach(number, verdict) for number, verdict in enumerate(verdicts, start=1)]
    outcomes += [reach(number, "answered") for number in range(7, 49)]
    outcomes.append(Outcome("storage/directory_exists", "unreachable", "It is.", outcomes[0].seen))
    return build_report(EndedRun(outcomes, (), made.TARGET, made.STARTED, 1.0), made.bundle())


FIVE = (
    "5 of 48 hosts (ssh://web-01, ssh://web-02, ssh://web-03, ssh://web-04, ssh://web-05) "
    "cannot be reached: Connection refused"
)


def test_hosts_that_are_alike_are_one_line_of_the_terminal() -> None:
    """With -v there is one line for the hosts that failed alike and one for those that passed."""
    out = io.StringIO()
    print_checks(Console(file=out, width=300), report())
    lines = [line.strip() for line in out.getvalue().splitlines() if "hosts" in line]
    assert FIVE in lines
    assert sum("host_is_reachable" in line for line in lines) == 3
    assert any(re.match(r"42 of 48 hosts .* answered$", line) for line in lines)


def test_hosts_that_are_alike_are_one_line_of_the_verdict() -> None:
    """The verdict and a chat message name the hosts once, and count all checks with that reason."""
    text = "\n".join(line.plain for line in verdict(report(), 200, Footer()))
    assert f"✗ {FIVE} (6 checks)" in text
    assert text.count("Connection refused") == 1
    assert chat.render(report()).count("Connection refused") == 1
    assert report().headline.startswith(f"At risk: {FIVE} (1 more cause failed)")


def test_hosts_that_are_alike_are_one_row_of_the_page() -> None:
    """One reason has all hosts that failed alike, and passed hosts share a row."""
    checks = checks_of(report(), 1000)
    assert [(reason.text, len(reason.checks)) for reason in checks.reasons][:1] == [(FIVE, 6)]
    (fold,) = checks.folds
    assert (fold.total, sum(len(group.checks) for group in fold.groups)) == (42, 1)
    numbers = {checks.places[f"hosts/host_is_reachable[ssh-web-{n:02}]"] for n in range(7, 49)}
    assert len(numbers) == 1
    page = render(report())
    assert page.count('class="check passed"') == 1
    assert all(f"host_is_reachable[ssh-web-0{n}]" in re.sub("<wbr>", "", page) for n in range(1, 7))
