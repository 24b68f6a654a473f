"""Lowered operators as JSON: any TFLite operators, also those that a graph cannot express."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from search_spaces import InputError, LoweredOperator, Tensor

_NUMBERS = {
    item.name: item.default
    for item in dataclasses.fields(LoweredOperator)
    if isinstance(item.default, int)
}


def operators_to_json(operators: Sequence[LoweredOperator]) -> str:
    """A JSON list in one line; numbers equal to their default are left out."""
    return json.dumps([_to_json(operator) for operator in operators], separators=(",", ":"))


def operators_from_json(data: object) -> tuple[LoweredOperator, ...]:
    """The operators that ``operators_to_json`` wrote; InputError names the one at fault."""
    if not isinstance(data, list):
        raise InputError(f"kernels are a list, not {type(data).__name__}")
    return tuple(_from_json(row, index) for index, row in enumerate(data))


def _to_json(operator: LoweredOperator) -> dict[str, Any]:
    numbers = {
        key: value
        for key, default in _NUMBERS.items()
        if (value := getattr(operator, key)) != default
    }
    tensors = {
        key: [[tensor.name, *tensor.shape] for tensor in getattr(operator, key)]
        for key in ("inputs", "outputs")
    }
    return {"kind": operator.kind, "name": operator.name, **tensors, **numbers}


def _from_json(row: object, index: int) -> LoweredOperator:
    known = {"kind", "name", "inputs", "outputs", *_NUMBERS}
    if not isinstance(row, dict) or not set(row) <= known:
        raise InputError(f"kernel {index} is no object of {', '.join(sorted(known))}")
    numbers = {key: value for key, value in row.items() if key in _NUMBERS}
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
    """From ``[["conv_1", 360, 640, 28], ...]``: a name, height, width, channels."""
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
