"""The ways in which an action does not succeed; `str()` of each is one sentence."""

from __future__ import annotations

from core.errors import TranslatedError


class Refused(TranslatedError):
    """Nothing was changed: a condition for the action does not hold."""


class Failed(TranslatedError):
    """The command ran and failed, or was rolled back; `output` is what it printed."""

    def __init__(self, sentence: str, output: str = "", /, **parts: object) -> None:
        super().__init__(sentence, **parts)
        self.output = output


class Uncertain(TranslatedError):
    """The command was started, and whether it has taken effect is not known."""
