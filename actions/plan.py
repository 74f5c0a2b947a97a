"""What of a step may run, where, and why not; starts and opens nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.frozen import frozen
from core.language import mark, tr
from core.text import listed
from fixtures.probes.host.spec import display_name
from reports.model.figures import placeholders_of
from reports.runbook.run_rules import IN_SQL, RunRule, parse_rule

if TYPE_CHECKING:
    from fixtures.target.model import Target
    from reports.model.report import Report
    from reports.runbook.document import Command, Step

BY_HAND = mark("by hand")
"""Why a step or a command that the runbook leaves to people may not run."""


@frozen
class PlannedCommand:
    """A filled command: its place as a host spec, "database" or "queue", or why it may not run.

    `rule` is None for a command that the runbook leaves to people.
    """

    command: Command
    rule: RunRule | None
    place: str = ""
    refusal: str = ""


def plan_step(
    step: Step, target: Target, known_checks: Collection[str], host: str = "", frozen: str = ""
) -> tuple[PlannedCommand, ...]:
    """Return the commands of a step as they may run.

    `host` is the one that a person chose; `frozen` names the host of the stopped processes, the
    only one where a signal makes sense.
    """
    planned = []
    for command in step.commands:
        if not command.run:
            planned.append(PlannedCommand(command, None, refusal=tr(BY_HAND)))
            continue
        rule = parse_rule(command.run, command.language)
        unknown = [check for check in rule.verify if check not in known_checks]
        place, refusal = _place_of(rule, target, frozen if rule.effect == "signal" else host)
        if unknown:
            refusal = tr("the runbook's verify={check} is no check", check=unknown[0])
        planned.append(PlannedCommand(command, rule, place, refusal))
    return tuple(planned)


def frozen_host(report: Report) -> str:
    """Return the name of the host whose stopped processes a report names; empty without any."""
    return placeholders_of(report.outcomes, report.layout).get("frozen_host", "")


def refusal_of(step: Step, planned: Sequence[PlannedCommand]) -> str:
    """Return why a step may not run; empty if it may. Commands for people are left out of it."""
    permitted = [one for one in planned if one.rule]
    if not permitted:
        return step.left_out[0] if step.left_out and not planned else tr(BY_HAND)
    return next((one.refusal for one in permitted if one.refusal), "")


def _place_of(rule: RunRule, target: Target, host: str) -> tuple[str, str]:
    """Return the place where a command runs, and why it may not run there."""
    rights = target.actions
    if rights is None:
        return rule.on, tr("the target has no [targets.{target}.actions]", target=target.name)
    if rule.on in IN_SQL:
        if target.database is None or rights.dsn is None:
            return rule.on, tr("the target's [{table}] has no {key}", table="actions", key="dsn")
        if rule.on == "queue" and (target.queue is None or rights.broker_url is None):
            return rule.on, tr(
                "the target's [{table}] has no {key}", table="actions", key="broker_url"
            )
        return rule.on, ""
    component = target.worker if rule.on == "worker" else target.storage
    hosts = component.hosts if component else ()
    chosen = [spec for spec in hosts if not host or host in (spec, display_name(spec))]
    if not chosen:
        if not host:
            return rule.on, tr("the target's {component} has no host", component=rule.on)
        return rule.on, tr(
            "the target's {component} has no host {host}", component=rule.on, host=host
        )
    if len(chosen) > 1:
        names = listed([display_name(spec) for spec in chosen], "or")
        return rule.on, tr("it can run on {hosts}: choose one with --host", hosts=names)
    allowed = [spec for spec in rights.hosts if _machine(spec) == _machine(chosen[0])]
    if not allowed:
        return chosen[0], tr(
            "the target's [actions] has no host for {host}",
            host=display_name(chosen[0]),
        )
    return allowed[0], ""


def _machine(spec: str) -> tuple[str, str, str]:
    """Return what names the machine or container of a host spec: all but the user."""
    parts = urlsplit(spec)
    return parts.scheme, parts.netloc.rpartition("@")[2], parts.query
