"""Checks that attributes of frozen dataclasses have the types of their defaults."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING

from .errors import GraphError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def require_types(instance: DataclassInstance) -> None:
    """Raises GraphError unless each attribute has its default's type; int is accepted for float.

    This also rejects a string in place of an enumeration member: the two compare equal, but
    comparisons by ``is`` would silently fail.
    """
    for name, expected in _expected_types(type(instance)):
        value = getattr(instance, name)
        if type(value) is not expected and not (expected is float and type(value) is int):
            raise GraphError(f"{name} {value!r} is not {expected.__name__}")


@functools.cache
def _expected_types(dataclass_type: type[DataclassInstance]) -> tuple[tuple[str, type], ...]:
    return tuple((item.name, type(item.default)) for item in fields(dataclass_type))
