"""Operators that a graph cannot hold, at the input size of all published times."""

from __future__ import annotations

from dataclasses import replace

from search_spaces import InputSpec, LoweredOperator, Tensor

LR = InputSpec(360, 640)


def with_uint8_ends(operators: tuple[LoweredOperator, ...]) -> tuple[LoweredOperator, ...]:
    """Adds a QUANTIZE behind the input and one before the output, as in files of uint8 images."""
    image = next(t for k in operators for t in k.inputs if t.name == "input")
    first = pointwise("QUANTIZE", image)
    replaced = {image: first.outputs[0]}
    inner = [
        replace(operator, inputs=tuple(replaced.get(tensor, tensor) for tensor in operator.inputs))
        for operator in operators
    ]
    last = pointwise("QUANTIZE", inner[-1].outputs[0])
    out = replace(last, name="quantize_out", outputs=(replace(last.outputs[0], name="output"),))
    return (first, *inner, out)


def pointwise(kind: str, source: Tensor) -> LoweredOperator:
    """Returns an operator that reads ``source`` and writes a tensor of the same shape."""
    name = kind.lower()
    return LoweredOperator(kind, name, (source,), (Tensor(name, source.shape),))
