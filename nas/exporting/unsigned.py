"""Adds uint8 input and output (bytes 0..255) to an INT8 file, by a QUANTIZE operator at each end.

The converter can make such a file too, but it then rounds the image differently if the network
quantizes it to another scale. Here all bytes in between are the same by construction.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

import flatbuffers  # type: ignore[import-untyped]

#: Alignment of constants in bytes, by TFLite's schema; flatbuffers' builder aligns to items only.
_ALIGNMENT = 16
#: Difference of the zero points of uint8 and int8 tensors that represent the same real values.
_ZERO_POINT_SHIFT = 128


def with_unsigned_ends(tflite: bytes) -> bytes:
    """Returns ``tflite``, of one int8 input and output, with QUANTIZE from and to uint8 added."""
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    (graph,) = model.subgraphs
    (source,), (result,) = graph.inputs, graph.outputs
    first, last = _add_uint8_tensor(schema, graph, source), _add_uint8_tensor(schema, graph, result)
    quantize = _add_quantize_code(schema, model)
    graph.operators = [
        _quantize_operator(schema, quantize, first, source),
        *graph.operators,
        _quantize_operator(schema, quantize, result, last),
    ]
    graph.inputs, graph.outputs = [first], [last]
    for signature in model.signatureDefs or ():
        for end, tensor in ((signature.inputs, first), (signature.outputs, last)):
            end[0].tensorIndex = tensor
    builder = _AlignedBuilder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _add_uint8_tensor(schema: Any, graph: Any, index: int) -> int:
    """Adds a uint8 copy of the tensor ``index``; returns the index of the copy."""
    tensor = copy.copy(graph.tensors[index])
    tensor.name = tensor.name + b"_uint8"
    tensor.type = schema.TensorType.UINT8
    tensor.buffer = 0
    tensor.quantization = copy.copy(tensor.quantization)
    tensor.quantization.zeroPoint = [tensor.quantization.zeroPoint[0] + _ZERO_POINT_SHIFT]
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_quantize_code(schema: Any, model: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2  # the first version that converts integers to integers
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _quantize_operator(schema: Any, code: int, source: int, result: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [source], [result]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Aligns vectors of bytes so that TFLite can use them in place."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        alignment = _ALIGNMENT if elemSize == 1 else alignment
        return super().StartVector(elemSize, numElems, alignment)
