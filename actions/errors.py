"""The ways in which an action does not succeed; `str()` of each is one sentence."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was changed: a condition for the action does not hold."""


class Failed(Exception):
    """The command ran and failed, or was rolled back; `output` is what it printed."""

    def __init__(self, sentence: str, output: str = "") -> None:
        super().__init__(sentence)
        self.output = output


class Uncertain(Exception):
    """The command was started, and whether it has taken effect is not known."""
