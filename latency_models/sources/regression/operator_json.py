"""Converts lowered operators to and from JSON; they may be any TFLite operators."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from search_spaces import InputError, LoweredOperator, Tensor

_NUMBER_DEFAULTS = {
    item.name: item.default
    for item in dataclasses.fields(LoweredOperator)
    if isinstance(item.default, int)
}


def operators_to_json(operators: Sequence[LoweredOperator]) -> str:
    """Returns a JSON list on one line; numbers equal to their default are omitted."""
    return json.dumps([_to_json(operator) for operator in operators], separators=(",", ":"))


def operators_from_json(data: object) -> tuple[LoweredOperator, ...]:
    """Reads the result of ``operators_to_json``; InputError names an invalid operator."""
    if not isinstance(data, list):
        raise InputError(f"kernels are a list, not {type(data).__name__}")
    return tuple(_from_json(row, index) for index, row in enumerate(data))


def _to_json(operator: LoweredOperator) -> dict[str, Any]:
    numbers = {
        key: value
        for key, default in _NUMBER_DEFAULTS.items()
        if (value := getattr(operator, key)) != default
    }
    tensors = {
        key: [[tensor.name, *tensor.shape] for tensor in getattr(operator, key)]
        for key in ("inputs", "outputs")
    }
    return {"kind": operator.kind, "name": operator.name, **tensors, **numbers}


def _from_json(row: object, index: int) -> LoweredOperator:
    known = {"kind", "name", "inputs", "outputs", *_NUMBER_DEFAULTS}
    if not isinstance(row, dict) or not set(row) <= known:
        raise InputError(f"kernel {index} is no object of {', '.join(sorted(known))}")
    numbers = {key: value for key, value in row.items() if key in _NUMBER_DEFAULTS}
    if not all(type(value) is int and value >= 0 for value in numbers.values()):
        raise InputError(f"kernel {index}: {numbers} are not whole numbers from 0 on")
    kind, name = row.get("kind"), row.get("name")
    if not (isinstance(kind, str) and kind and isinstance(name, str)):
        raise InputError(f"kernel {index}: kind {kind!r} and name {name!r} must be text")
    inputs, outputs = (_tensors(row.get(key), index) for key in ("inputs", "outputs"))
    if not outputs:
        raise InputError(f"kernel {index}: it gives nothing")
    return LoweredOperator(kind, name, inputs, outputs, **numbers)


def _tensors(rows: object, index: int) -> tuple[Tensor, ...]:
    """Reads tensors from ``[["conv_1", 360, 640, 28], ...]``: name, height, width, channels."""
    if not isinstance(rows, list):
        raise InputError(f"kernel {index}: inputs and outputs are lists")
    tensors = []
    for row in rows:
        match row:
            case [str(name), int(height), int(width), int(channels)] if (
                min(height, width, channels) > 0
            ):
                tensors.append(Tensor(name, (height, width, channels)))
            case _:
                raise InputError(
                    f"kernel {index}: {row!r} is no tensor; write [name, height, width, channels]"
                )
    return tuple(tensors)
