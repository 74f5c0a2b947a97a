"""The hosts of a check that are alike: told in one sentence, with their number and names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.outcome import OBSERVED, Outcome, base_id
from core.text import NAMED_MAX, hosts_named


def sentences_of_hosts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return one sentence for all checks that say the same of several hosts, by the check's id.

    The data of such a check's observation has a `host`, and a `verdict` that begins after its name.
    """
    every: dict[str, list[str]] = {}
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    for outcome in outcomes:
        host, verdict = _verdict(outcome)
        if host:
            every.setdefault(base_id(outcome.check), []).append(host)
            group = groups.setdefault((base_id(outcome.check), outcome.status, verdict), {})
            group[outcome.check] = host
    return {
        check: f"{hosts_named(list(group.values()), every[base])} {verdict}"
        for (base, status, verdict), group in groups.items()
        if verdict and len(group) > (NAMED_MAX if status == "passed" else 1)
        for check in group
    }


def merged(outcomes: Iterable[Outcome], host_sentences: dict[str, str]) -> Iterator[Outcome]:
    """Yield the outcomes; of those that `host_sentences` has one for, the first with it."""
    done = set()
    for outcome in outcomes:
        sentence = host_sentences.get(outcome.check)
        if sentence is None:
            yield outcome
        elif sentence not in done:
            done.add(sentence)
            yield replace(outcome, check=base_id(outcome.check), seen=sentence, observations=())


def _verdict(outcome: Outcome) -> tuple[str, str]:
    """Return the host of a check and what it says of it, both empty where it is about no host."""
    data = outcome.observations[-1].data if outcome.observations else None
    if not isinstance(data, dict) or "[" not in outcome.check:
        return "", ""
    verdict = data.get("verdict", "") if outcome.status in OBSERVED else ""
    return str(data.get("host", "")), str(verdict)
