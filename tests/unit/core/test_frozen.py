"""Frozen dataclasses with shared methods: they do what `dataclass(frozen=True)` makes them do."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

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


@frozen
class Counted:
    """A class that makes a default, and a field of its own."""

    names: list[str] = field(default_factory=list)
    number: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", len(self.names))


def test_it_is_made_as_a_dataclass_is() -> None:
    """By places or names, with its defaults; a made default belongs to one value alone."""
    assert Depth("q", 2) == Depth(ready=2, name="q") == Depth("q", ready=2)
    assert vars(Depth("q")) == vars(Plain("q"))
    one = Counted()
    one.names.append("q")
    assert one.number == 0
    assert Counted().names == []
    assert Counted(["q"]).number == 1


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ((), {}),
        (("q",), {"name": "q"}),
        (("q", 1, (), "s", 5), {}),
        (("q",), {"depth": 1}),
        (("q",), {"number": 1}),
    ],
)
def test_it_takes_each_field_once(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """A field that is missing, given twice or unknown is an error of types."""
    for made in (Depth, Plain):
        with pytest.raises(TypeError):
            made(*args, **named)


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
