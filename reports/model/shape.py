"""The report's shape, taken from its dataclasses: one walk reads JSON, another describes it."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from core.outcome import Outcome
from reports.diagnosis.result import Diagnosis
from reports.model.figures import Figure
from reports.model.report import SCHEMA, Report
from reports.runbook.document import Step

if TYPE_CHECKING:
    from dataclasses import Field

PLAIN: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
WORDS = {"string": "a text", "boolean": "true or false", "integer": "a whole number"}

# report.py imports these for the type checker alone: its annotations do not resolve by themselves.
_NAMES = {"Diagnosis": Diagnosis, "Figure": Figure, "Outcome": Outcome, "Step": Step}


class ShapeError(ValueError):
    """A value does not fit; `str()` names its place and what was expected there."""


def decode(kind: Any, value: Any, place: str) -> Any:
    """Return parsed JSON as a value of the type `kind`; unknown keys are left out.

    Raises ShapeError. `place` names the value in its sentence.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _decode_fields(kind, value, place)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _decode_list(arguments, value, place)
    if origin is dict:
        found = _expect(value, dict, "an object", place)
        return {key: decode(arguments[1], one, f"{place}.{key[:80]}") for key, one in found.items()}
    if origin in (Union, UnionType):
        inner = next(one for one in arguments if one is not NoneType)
        return None if value is None else decode(inner, value, place)
    if origin is Literal:
        if not isinstance(value, str | int) or value not in arguments:
            raise ShapeError(f"{place} must be one of {', '.join(map(str, arguments))}")
        return value
    return _decode_plain(kind, value, place)


def describe() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of report.json."""
    definitions: dict[str, Any] = {}
    _describe(Report, definitions)
    definitions["Report"]["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of veza-checks",
        "$ref": "#/$defs/Report",
        "$defs": dict(sorted(definitions.items())),
    }


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, localns=_NAMES)


def _decode_fields(kind: Any, value: Any, place: str) -> Any:
    found = _expect(value, dict, "an object", place)
    hints = _hints(kind)
    arguments = {}
    for field in fields(kind):
        if field.name in found:
            inner = f"{place}.{field.name}" if place else field.name
            arguments[field.name] = decode(hints[field.name], found[field.name], inner)
        elif not _optional(field):
            raise ShapeError(f"{place or 'the report'} has no {field.name}")
    return kind(**arguments)


def _optional(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _decode_list(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    found = _expect(value, list, "a list", place)
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(found)
    if len(arguments) != len(found):
        raise ShapeError(f"{place} must have {len(arguments)} entries, not {len(found)}")
    pairs = zip(arguments, found, strict=True)
    return tuple(decode(kind, one, f"{place}[{n}]") for n, (kind, one) in enumerate(pairs))


def _decode_plain(kind: Any, value: Any, place: str) -> Any:
    name = PLAIN[kind]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ShapeError(f"{place} must be {WORDS.get(name, 'a finite number')}")
    return value


def _expect(value: Any, kind: Any, word: str, place: str) -> Any:
    if not isinstance(value, kind):
        raise ShapeError(f"{place or 'the report'} must be {word}")
    return value


def _describe(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is Any:
        return {}
    if is_dataclass(kind):
        return _define(kind, definitions)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return {"type": "array", "items": _describe(arguments[0], definitions)}
        entries = [_describe(one, definitions) for one in arguments]
        size = len(entries)
        return {"type": "array", "prefixItems": entries, "minItems": size, "maxItems": size}
    if origin is dict:
        return {"type": "object", "additionalProperties": _describe(arguments[1], definitions)}
    if origin in (Union, UnionType):
        return {"anyOf": [_describe(one, definitions) for one in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    return {"type": "null" if kind is NoneType else PLAIN[kind]}


def _define(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = _hints(kind)
        names = [field.name for field in fields(kind)]
        definitions[name] = {
            "description": " ".join((kind.__doc__ or "").split()),
            "type": "object",
            "required": names,
            "properties": {field: _describe(hints[field], definitions) for field in names},
        }
    return {"$ref": f"#/$defs/{name}"}
