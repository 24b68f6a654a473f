"""Attributes of frozen dataclasses, held to the types of their defaults."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING

from .errors import GraphError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def require_types(instance: DataclassInstance) -> None:
    """GraphError unless each attribute has the type of its default; a float may be an int.

    A string in place of an enumeration's member equals it, but is not it, and would be ignored.
    """
    for name, expected in _types(type(instance)):
        value = getattr(instance, name)
        if type(value) is not expected and not (expected is float and type(value) is int):
            raise GraphError(f"{name} {value!r} is not {expected.__name__}")


@functools.cache
def _types(of: type[DataclassInstance]) -> tuple[tuple[str, type], ...]:
    return tuple((item.name, type(item.default)) for item in fields(of))
