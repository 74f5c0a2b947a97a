"""Targets to which --canary may not send an upload."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.canary import refusal
from fixtures.target.model import Api, Target

API = Api.model_validate(
    {"url": "http://127.0.0.1:1", "token": "x"}, context={"environment": "lab"}
)


def target(**values: Any) -> Target:
    """Return a target with an API that allows writes, except where `values` say otherwise."""
    defaults: dict[str, Any] = {
        "environment": "staging",
        "allow_writes": True,
        "name": "here",
        "api": API,
    }
    return Target(**(defaults | values))


def test_a_target_that_allows_writes_is_not_refused() -> None:
    """With allow_writes and an API a canary may be sent."""
    assert refusal(target(), yes_live=False) is None


@pytest.mark.parametrize(
    ("values", "yes_live", "remedy"),
    [
        ({"allow_writes": False}, True, "allow_writes = true"),
        ({"environment": "live"}, False, "add --yes-live"),
        ({"api": None}, False, "has no [api]"),
    ],
    ids=["no writes", "live", "no API"],
)
def test_a_refusal_is_one_sentence_with_the_remedy(
    values: dict[str, Any], yes_live: bool, remedy: str
) -> None:
    """The sentence names the target and what to change."""
    reason = refusal(target(**values), yes_live=yes_live)
    assert reason
    assert remedy in reason
    assert "here" in reason
    assert "\n" not in reason


def test_a_live_target_needs_a_confirmation() -> None:
    """A live target with allow_writes takes a canary with --yes-live."""
    assert refusal(target(environment="live"), yes_live=True) is None
