"""Frozen dataclasses that share the methods which are the same for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass, in a tenth of the time.

    `dataclass` writes and compiles each method for each class, of which a run has 160. Here they
    share these.
    """
    for name, method in (("__repr__", _repr), ("__eq__", _eq), ("__hash__", _hash)):
        if name not in vars(cls):
            setattr(cls, name, method)
    cls.__setattr__ = _setattr  # type: ignore[method-assign]
    cls.__delattr__ = _delattr  # type: ignore[method-assign]
    made = dataclass(init=False, repr=False, eq=False)(cls)
    made.__init__ = _init_of(made)  # type: ignore[method-assign]
    return made


def _init_of(cls: Any) -> Callable[..., None]:
    """Return the `__init__` of a dataclass: it takes the fields by their places or names."""
    names = [one.name for one in fields(cls) if one.init]
    defaults = {one.name: one.default for one in fields(cls) if one.default is not MISSING}
    makers = {
        one.name: one.default_factory for one in fields(cls) if one.default_factory is not MISSING
    }
    given, needed = set(names), set(names) - {*defaults, *makers}
    post_init = getattr(cls, "__post_init__", None)

    def init(self: Any, *args: Any, **named: Any) -> None:
        values = dict(zip(names, args, strict=False), **named)
        is_each_once = len(values) == len(args) + len(named)
        if not is_each_once or not needed <= values.keys() <= given:
            raise TypeError(f"{cls.__name__} takes {', '.join(names)}; it needs {needed or 'none'}")
        for name, make in makers.items():
            if name not in values:
                values[name] = make()
        self.__dict__.update(defaults)
        self.__dict__.update(values)
        if post_init:
            post_init(self)

    return init


def _setattr(self: Any, name: str, value: object) -> None:
    if name in self.__dict__ or name not in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    self.__dict__[name] = value


def _delattr(_self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


@recursive_repr()
def _repr(self: Any) -> str:
    parts = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _eq(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, one.name) for one in fields(self) if one.compare)
