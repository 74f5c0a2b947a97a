"""Confirmations of a cause in earlier incidents, as a report carries them."""

from __future__ import annotations

from core.frozen import frozen


@frozen
class SeenBefore:
    """A cause that was confirmed for `times` earlier incidents of the target.

    `last` is when the last of them began, in ISO 8601. `ended_by` is the action after which it was
    verified that this one was over, `seconds` after the action's beginning; empty and None where
    that is not known. `note` is what a person wrote about it.
    """

    cause: str
    times: int
    last: str
    ended_by: str = ""
    seconds: float | None = None
    note: str = ""
