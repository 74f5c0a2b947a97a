"""Frozen dataclasses with shared methods: they do what `dataclass(frozen=True)` makes them do."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from core.frozen import frozen


@frozen
class Depth:
    """A record with a field of each kind."""

    name: str
    ready: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Plain:
    """The same, made by the library alone."""

    name: str
    ready: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)
    secret: str = field(default="", repr=False)


class Shallow(Depth):
    """A class of its own with the same fields."""


@frozen
class Named:
    """A class with methods of its own."""

    name: str

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7


def test_it_is_printed_as_a_dataclass_is() -> None:
    """The name of the class and the fields, without those that are not to be shown."""
    shown = repr(Depth("q", 2, secret="swordfish"))
    assert shown == repr(Plain("q", 2, secret="swordfish")).replace("Plain", "Depth")
    assert shown == "Depth(name='q', ready=2, notes=())"


def test_it_is_compared_by_its_fields() -> None:
    """Equal values are equal and have one hash; another class, or another value, is another one."""
    one = Depth("q", 2)
    assert one == Depth("q", 2, ("seen",))
    assert hash(one) == hash(Depth("q", 2, ("seen",))) == hash(Plain("q", 2))
    assert one != Depth("q", 3)
    assert one != Depth("q", 2, secret="x")
    assert one != Shallow("q", 2)
    assert one != object()


def test_it_cannot_be_changed() -> None:
    """A field is neither set nor deleted; `replace` makes another value."""
    one = Depth("q")
    with pytest.raises(FrozenInstanceError):
        one.ready = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        one.depth = 1  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        del one.name
    assert replace(one, ready=1) == Depth("q", 1)
    assert [part.name for part in fields(one)] == ["name", "ready", "notes", "secret"]


def test_its_own_methods_stay() -> None:
    """A class that prints and compares itself in its own way keeps doing so."""
    assert repr(Named("q")) == "q"
    assert Named("q") == Named("r")
    assert hash(Named("q")) == 7
