"""The summary of a target in a report."""

from __future__ import annotations

from fixtures.target.model import Target, Thresholds
from fixtures.target.summary import summary_of


def test_the_summary_has_the_limit_of_the_processing_time() -> None:
    """A report says whether processing is fast again by the target's own limit."""
    target = Target(
        name="live",
        environment="live",
        thresholds=Thresholds.model_validate({"processing_max": "90 s"}),
    )
    assert summary_of(target).limits == {"processing_seconds": 90.0}
