"""Run steps: look again, and for each step announce, ask, note, run, verify."""

from __future__ import annotations

import os
import pwd
import select
import socket
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from actions.errors import Failed, Refused, Uncertain
from actions.folders import remove_abandoned
from actions.journal import Journal
from actions.operations import operation_of
from actions.plan import BY_HAND, frozen_host, plan_step, refusal_of
from core.files import FileError
from core.language import tr
from core.outcome import base_id, is_canary
from core.output import discard_output
from core.secrets import Redactor
from core.text import printable
from core.units import format_duration
from fixtures.target.lock import BusyError, take_lock

if TYPE_CHECKING:
    from actions.looks import LookSettings
    from actions.operations import Operation
    from actions.plan import PlannedCommand
    from actions.rights import Rights
    from fixtures.target.model import Target
    from reports.diagnosis.result import Finding
    from reports.model.report import Report
    from reports.runbook.document import Step

AGE_MAX = timedelta(minutes=10)
"""Age of the oldest report whose actions may run."""

ANSWER_MAX = 120.0
"""Seconds that a person has to answer: what was announced grows old."""


def cause_of(report: Report) -> Finding:
    """Return the likeliest cause of a report; raises Refused where none is accepted."""
    if not report.diagnosis.accepted or not report.remedies:
        raise Refused("the report names no cause: {headline}", headline=report.headline)
    return report.diagnosis.accepted[0]


def steps_of(report: Report) -> tuple[Step, ...]:
    """Return the runbook's steps for the likeliest cause."""
    cause = cause_of(report)
    steps = (remedy.steps for remedy in report.remedies if remedy.hypothesis == cause.id)
    return next(steps, ())


def check_age(report: Report, now: datetime) -> None:
    """Raise Refused for a report that is too old, or of the future."""
    ended = datetime.fromisoformat(report.started) + timedelta(seconds=report.seconds)
    age = now - ended
    if age > AGE_MAX:
        old = format_duration(age.total_seconds())
        raise Refused(
            "the report is {age} old: run the checks again, and act within 10 min", age=old
        )
    if age < -timedelta(minutes=1):
        raise Refused(
            "the report is of {time}, in the future: look at the clocks", time=report.started
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the target's lock, as a run of the checks does; raises Refused while another has it."""
    try:
        lock = take_lock(folder, patience=0.0, is_action=True)
    except BusyError as exc:
        raise Refused("a run or another action holds the target ({reason})", reason=exc) from exc
    except OSError as exc:
        raise Refused(
            "{folder} cannot be locked: {reason}", folder=folder, reason=exc.strerror
        ) from exc
    try:
        yield
    finally:
        lock.close()


def confirm(target: Target, title: str, yes: str | None) -> None:
    """Raise Refused unless the step may run now: on live, a person types the target's name.

    `yes` is the name that the command line gives instead, where there is nobody to ask.
    """
    name = target.name
    if yes is not None:
        if yes != name:
            raise Refused(
                "--yes names {name}, and the report is of {target}", name=yes, target=name
            )
        if not target.allow_actions:
            raise Refused("--yes needs allow_actions = true in the target {target}", target=name)
    elif target.environment == "live":
        if sys.stdin is None or not sys.stdin.isatty():
            raise Refused(
                tr(
                    "on live a person types the target's name on a terminal; "
                    "without one, write --yes TARGET"
                )
            )
        question = tr('Type {target} to run "{step}": ', target=name, step=title)
        print(f"\n{question}", end="", flush=True)
        if not select.select([sys.stdin], [], [], ANSWER_MAX)[0]:
            raise Refused(
                "no answer within {duration}; nothing was run", duration=format_duration(ANSWER_MAX)
            )
        if sys.stdin.readline().strip() != name:
            raise Refused(tr("that is not the target's name; nothing was run"))


class Execution:
    """Steps of a report on its target, with what they need; `folder` is the target's."""

    def __init__(
        self, folder: Path, looks: LookSettings, rights: Rights, known_checks: Sequence[str]
    ) -> None:
        self.journal = Journal(folder)
        self.looks = looks
        self.target = looks.target
        self.rights = rights
        self.known_checks = known_checks
        self.redactor = Redactor((*self.target.secrets(), *rights.secrets()))

    def run(
        self, report: Report, steps: Sequence[Step], host: str, yes: str | None, wait: float
    ) -> bool:
        """Run the steps one after the other; return whether each succeeded and was verified.

        The caller holds the target's lock. Raises Refused before anything was changed, and between
        two steps where the second may not run.
        """
        remove_abandoned()
        check_age(report, datetime.now(UTC))
        self._refuse_half_done()
        for step in steps:
            self._plan(step, report, host)
        self._say(tr("looking at the target again"))
        fresh = self.looks.run()
        self._check_cause(cause_of(report), fresh)
        planned = [self._plan(_same_step(step, fresh), fresh, host) for step in steps]
        for step, commands in zip(steps, planned, strict=True):
            action = self._run_step(step, commands, fresh, yes)
            checks = [check for one in commands if one.rule for check in one.rule.verify]
            is_last = step is steps[-1]
            if is_last:
                checks += _failed_symptoms(fresh)
            if not action or not self._verify(
                action, tuple(dict.fromkeys(checks)), wait, is_last=is_last
            ):
                return False
        return True

    def _run_step(
        self, step: Step, planned: Sequence[PlannedCommand], fresh: Report, yes: str | None
    ) -> str:
        """Announce, ask and run; return the action's id in the journal, empty if it failed."""
        operations = [operation_of(one, self.target, self.rights) for one in planned]
        try:
            for one, operation in zip(planned, operations, strict=True):
                self._say(f"\n{one.command.text}\n  {operation.prepare()}")
            confirm(self.target, step.title, yes)
            action = uuid.uuid4().hex[:12]
            self.journal.note("start", action, **self._facts(fresh, step))
            return action if self._run_commands(action, planned, operations) else ""
        finally:
            for operation in operations:
                operation.close()

    def _refuse_half_done(self) -> None:
        half_done = self.journal.half_done()
        if half_done:
            # Said before it is noted: a process that is killed in between says it again.
            self._say(tr("half-done: {action}", action=half_done))
            self.journal.note("told", half_done.action)
            raise Refused(tr("look at the target, and call this again if it is still needed"))

    def _check_cause(self, cause: Finding, fresh: Report) -> None:
        accepted = fresh.diagnosis.accepted
        if fresh.partial:
            raise Refused("the new look is incomplete: {headline}", headline=fresh.headline)
        if not accepted:
            raise Refused(
                "the cause was {cause}, and now none is named: {headline}",
                cause=cause.title,
                headline=fresh.headline,
            )
        if accepted[0].id != cause.id:
            raise Refused(
                "the cause was {before}, and is now {now}",
                before=cause.title,
                now=accepted[0].title,
            )

    def _plan(self, step: Step, report: Report, host: str) -> list[PlannedCommand]:
        """Return the commands of a step that may run; raises Refused without any."""
        planned = plan_step(step, self.target, self.known_checks, host, frozen_host(report))
        refusal = refusal_of(step, planned)
        if refusal == tr(BY_HAND):
            raise Refused(
                '"{step}" is for people: its commands have no run: in the runbook', step=step.title
            )
        if refusal:
            raise Refused('"{step}": {reason}', step=step.title, reason=refusal)
        return [one for one in planned if one.rule]

    def _facts(self, fresh: Report, step: Step) -> dict[str, object]:
        cause = cause_of(fresh)
        failed = [one.check for one in cause.supporting if one.status == "failed"]
        return {
            "who": _who(),
            "target": self.target.name,
            "environment": self.target.environment,
            "cause": cause.id,
            "step": step.title,
            "evidence": {"headline": fresh.headline, "at": fresh.started, "failed": failed},
        }

    def _run_commands(
        self, action: str, planned: Sequence[PlannedCommand], operations: Sequence[Operation]
    ) -> bool:
        """Run the commands one by one, each noted before and after; return whether all ran."""
        for one, operation in zip(planned, operations, strict=True):
            text = self.redactor.text(one.command.text)
            self.journal.note("command", action, place=operation.place, command=text)
            try:
                output = self.redactor.text(operation.run().strip())
            except Failed as exc:
                self._end(action, "failed", str(exc), exc.output)
                return False
            except Uncertain as exc:
                self._end(action, "uncertain", tr("{reason}; it may have taken effect", reason=exc))
                return False
            except KeyboardInterrupt:
                self._end(action, "uncertain", tr("interrupted; it may have taken effect"))
                raise
            is_noted = self._note("result", action, output=output)
            self._say(output or tr("done on {place}", place=operation.place))
            if not is_noted:
                return False
        return self._note("done", action)

    def _note(self, event: str, action: str, **facts: object) -> bool:
        """Note what has happened, or say why it cannot be noted; return whether it is noted."""
        try:
            self.journal.note(event, action, **facts)
        except FileError as exc:
            self._say(tr("not in the journal: {reason}", reason=exc))
            return False
        return True

    def _end(self, action: str, event: str, sentence: str, output: str = "") -> None:
        sentence, output = self.redactor.text(sentence), self.redactor.text(output.strip())
        self._note(event, action, result=sentence, output=output)
        if output:
            self._say(output)
        if event == "failed":
            self._say(tr("failed: {reason}", reason=sentence))
        else:
            self._say(tr("uncertain: {reason}", reason=sentence))

    def _verify(self, action: str, checks: Sequence[str], wait: float, *, is_last: bool) -> bool:
        """Look at these checks until they hold or the time is over; return whether they hold."""
        duration = format_duration(wait)
        self._say(
            tr("verifying for at most {duration}; Ctrl-C ends only that", duration=duration)
            if is_last
            else tr(
                "verifying for at most {duration}; after Ctrl-C the next step is not run",
                duration=duration,
            )
        )
        try:
            for recovery in self.looks.until_they_hold(checks, wait):
                state = recovery
            holds, sentence = not state.failing, self.redactor.text(str(state))
        except Refused as exc:
            holds, sentence = False, tr("not verified: {reason}", reason=exc)
        self._note("verified" if holds else "not verified", action, result=sentence)
        self._say(sentence)
        return holds

    def _say(self, text: str) -> None:
        try:
            print(self.redactor.whole(text), flush=True)
        except OSError:
            # A closed pipe or a full disk: the action goes on, and the journal has it.
            discard_output()


def _failed_symptoms(report: Report) -> list[str]:
    """Return the symptoms that are to vanish; the canary's checks run only on request."""
    return [
        base_id(result.outcome.check)
        for result in report.results
        if result.role == "symptom"
        and result.outcome.status == "failed"
        and not is_canary(result.outcome.check)
    ]


def _same_step(step: Step, fresh: Report) -> Step:
    """Return the step of this title in a later report of the same cause; raises Refused."""
    for one in steps_of(fresh):
        if one.title == step.title:
            return one
    raise Refused(
        '"{step}" no longer fits what is seen: {headline}', step=step.title, headline=fresh.headline
    )


def _who() -> str:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    caller = os.environ.get("SUDO_USER")
    host = socket.gethostname()
    if not caller:
        return printable(tr("{user} on {host}", user=user, host=host))
    return printable(tr("{user} (for {caller}) on {host}", user=user, caller=caller, host=host))
