"""A watch on the terminal: one screen that is renewed, or one line a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from core.language import tr, trn
from core.outcome import Status, status_word
from core.text import capitalized, clean, cut, listed, titled
from core.units import format_duration
from reports.history.incidents import RunRecord
from reports.history.watched import IDLE_MIN, Watched
from reports.model.figures import quantity
from reports.model.headline import next_check_of
from reports.model.report import Report, state_word
from reports.render.history import MARKS
from reports.render.terminal_verdict import SIGNS, Block, blank, fitting, without_actions
from reports.render.verdict_words import cause_of, checks_alike
from reports.render.words import plain

CHANGES_MAX = 5
"""Changed checks that are shown of one look."""

SENTENCE_MAX = 100
"""Characters of what a changed check says in a line."""

STYLES = {True: "green", False: "red", None: "yellow"}
"""The style of a metric by whether it recovers."""


def result_of(watched: Watched, seconds: float) -> str:
    """Return the sentence that ends a watch of so many seconds."""
    looks = _looks(watched)
    took = _to_the_second(seconds)
    if watched.waits_for:
        return tr(
            "Ended after {duration}, {looks}, while waiting for {goal}.",
            duration=took,
            looks=looks,
            goal=watched.waits_for,
        )
    if watched.incident is None:
        return tr(
            "Healthy, ended after {duration}, {looks}: there was no incident to recover from.",
            duration=took,
            looks=looks,
        )
    state = watched.report.state if watched.report else "unknown"
    left = ""
    if state != "healthy":
        left = tr("; no symptom is left, and the target is {state}", state=state_word(state))
    if watched.idle:
        left += tr(
            "; nothing new has come for {duration}, so that {metrics} could not rise",
            duration=format_duration(IDLE_MIN),
            metrics=listed(watched.idle),
        )
    return tr("Recovered after {duration}, {looks}{left}.", duration=took, looks=looks, left=left)


def line(watched: Watched) -> str:
    """Return the last look in one line: of the first one the headline, then only what changed."""
    report, before = watched.report, watched.before
    if watched.is_lost or report is None:
        text = tr("lost: {problem}", problem=watched.problem)
    elif before is None:
        text = report.headline
    else:
        changes = [f"{_mark(status)[0]} {text}" for status, text in _changes(watched, report)]
        if len(changes) > CHANGES_MAX:
            more = len(changes) - CHANGES_MAX
            changes[CHANGES_MAX:] = [trn("{n} more change", "{n} more changes", more)]
        parts = [*_headings(before, report), *_figures(before, report), *changes]
        text = tr("; ").join(parts) or tr(
            "{state}, nothing changed", state=state_word(report.state)
        )
    if watched.problem and not watched.is_lost:
        text = f"{text}; {watched.problem}"
    return clean(tr("look {number}: {text}", number=watched.looks, text=text))


def screen(watched: Watched, width: int, height: int, now: str) -> list[Text]:
    """Return at most `height` lines; `now` says what the watch does."""
    blocks: list[Block] = []
    if watched.report:
        blocks += without_actions(watched.report, width, watched.runs)
        blocks += _changed(watched.report, watched)
        blocks += _to_watch(watched, width)
        blocks += _outlook(watched)
    if watched.problem:
        problem = watched.problem
        if watched.is_lost:
            problem = tr("the last look is lost: {problem}", problem=problem)
        blocks.append(Block(0, (Text(f"! {capitalized(problem)}", "magenta"),)))
    foot = tr("{looks} · {now} · Ctrl-C ends", looks=_looks(watched), now=now)
    blocks.append(Block(0, (Text(foot, "dim"),)))
    lines = fitting(blocks, height)
    # What cannot be left out may still be too much for a very low screen; the foot stays.
    lines[height - 1 : -1] = []
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def last_success(report: Report, runs: Sequence[RunRecord]) -> str:
    """Return when something went well the last time, or else when all was well."""
    success = report.layout.success
    ages = []
    for result in report.results:
        for observation in result.outcome.observations:
            data = observation.data if isinstance(observation.data, dict) else {}
            ages.append(data.get("last_completed_seconds"))
            if observation.name.endswith(".newest_completed"):
                ages.append(data.get("age_seconds"))
    if report.state == "healthy" and not any(ages):
        return tr("this look")
    known = [age for age in ages if isinstance(age, int | float)]
    if known:
        duration = format_duration(min(known))
        if success is None:
            return tr("it went well {duration} before this look", duration=duration)
        return tr("{event} {duration} before this look", event=success.last, duration=duration)
    healthy = next((run.at for run in reversed(runs) if run.state == "healthy"), None)
    if healthy is None:
        return tr("not known: no success was seen, and no run was healthy")
    ago = (datetime.fromisoformat(report.started) - healthy).total_seconds()
    return tr("the run {duration} ago was healthy", duration=format_duration(max(ago, 0)))


def _looks(watched: Watched) -> str:
    looks = trn("{n} look", "{n} looks", watched.looks)
    return looks + tr(" ({lost} lost)", lost=watched.lost) if watched.lost else looks


def _headings(before: Report, report: Report) -> Iterator[str]:
    """Yield the new state and the new cause."""
    if report.state != before.state:
        yield f"{state_word(before.state)} → {state_word(report.state)}"
    if cause_of(report) != cause_of(before):
        cause = cause_of(report)
        yield tr("cause: {cause}", cause=cause) if cause else tr("cause: none")


def _figures(before: Report, report: Report) -> Iterator[str]:
    """Yield the change of what suffers and of each figure to watch."""
    impact = report.layout.impact
    ids = {impact.count if impact else None, *(metric.figure for metric in report.watch)}
    for figure in report.figures:
        old = before.figure(figure.id)
        if figure.id in ids and old != figure.value:
            values = [quantity(value, figure.unit) for value in (old, figure.value)]
            yield titled(figure.meaning, " → ".join(values))


def _changes(watched: Watched, report: Report) -> list[tuple[Status, str]]:
    """Return the new status of the checks that changed and what they say, failures first."""
    order = ("failed", "passed")
    changes = sorted(
        watched.changes.items(),
        key=lambda change: order.index(change[1]) if change[1] in order else len(order),
    )
    counter = Counter((status, _sentence(check, status, report)) for check, status in changes)
    return [(status, text + checks_alike(number)) for (status, text), number in counter.items()]


def _mark(status: Status) -> tuple[str, str]:
    return SIGNS.get(status, ("?", "yellow"))


def _sentence(check: str, status: Status, report: Report) -> str:
    text = report.expected(check) if status == "passed" else report.evidence(check)
    if status not in ("passed", "failed"):
        text = titled(status_word(status), text)
    return cut(plain(text).removesuffix("."), SENTENCE_MAX)


def _changed(report: Report, watched: Watched) -> Iterator[Block]:
    """Yield the changes since the look before."""
    if watched.before is None:
        return
    headings = list(_headings(watched.before, report))
    changes = _changes(watched, report)
    first = tr("; ").join(headings) or ("" if changes else tr("nothing since the look before"))
    yield blank()
    yield Block(0, (Text.assemble((tr("CHANGED"), "bold"), f"  {first}"),))
    for place, (status, text) in enumerate(changes[:CHANGES_MAX]):
        yield Block(2 + place, (Text.assemble("  ", _mark(status), f" {text}"),))
    if changes[CHANGES_MAX:]:
        more = len(changes) - CHANGES_MAX
        yield Block(7, (Text("    " + trn("and {n} more", "and {n} more", more)),))


def _to_watch(watched: Watched, width: int) -> Iterator[Block]:
    """Yield the metrics to watch, each with its direction."""
    if not watched.metrics:
        return
    yield blank()
    yield Block(1, (Text(tr("METRICS TO WATCH"), "bold"),))
    for place, metric in enumerate(watched.metrics):
        # Of a long name its end is left out: the direction says more.
        name, trend = Text(metric.name), titled("", metric.trend)
        name.truncate(max(width - 4 - cell_len(trend), 10), overflow="ellipsis")
        mark = (MARKS[metric.recovers], STYLES[metric.recovers])
        row = Text.assemble("  ", mark, f" {name.plain}{trend}")
        yield Block(1 + place // 4, (row,))


def _outlook(watched: Watched) -> Iterator[Block]:
    """Yield the last success, the next check worth a look, and what the end waits for."""
    assert watched.report
    yield blank()
    success = last_success(watched.report, watched.runs)
    yield Block(1, (Text.assemble((tr("LAST SUCCESS"), "bold"), f"  {success}"),))
    proposed = next_check_of(watched.report.diagnosis)
    if proposed:
        text = plain(watched.report.expected(proposed.check))
        yield Block(2, (Text.assemble((tr("NEXT CHECK"), "bold"), f"  {text}"),))
    if watched.waits_for:
        yield Block(1, (Text.assemble((tr("WAITING FOR"), "bold"), f"  {watched.waits_for}"),))


def _to_the_second(seconds: float) -> str:
    minutes, remainder = divmod(round(seconds), 60)
    if not 2 <= minutes < 120:
        return format_duration(seconds)
    return f"{minutes} min {remainder} s"
