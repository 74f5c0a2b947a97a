"""The journey of one upload: the stages that it went through, and where it stopped."""

from __future__ import annotations

from core.frozen import frozen


@frozen
class Stage:
    """One stage. `reached` is None where nothing could be seen of it.

    `age_seconds` says how long ago it was reached, `source` who says so, `note` what was seen.
    """

    name: str
    reached: bool | None
    age_seconds: float | None = None
    source: str = ""
    note: str = ""


@frozen
class Journey:
    """The stages of the upload with this id, in their order; `status` is the upload's own."""

    id: str
    status: str | None
    stages: tuple[Stage, ...]

    @property
    def stopped_at(self) -> Stage | None:
        """Return the first stage that it has not reached, None where it has reached all."""
        return next((stage for stage in self.stages if stage.reached is False), None)
