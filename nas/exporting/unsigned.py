"""An INT8 file that takes and gives bytes 0..255: the same network, with an operator at both ends.

The converter can make such a file too, but where a network reads the image on another scale it then
rounds it otherwise. Here the bytes in between are the same by construction.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

import flatbuffers  # type: ignore[import-untyped]

#: What TFLite's schema asks of constants; the Python builder knows only their item's alignment.
_ALIGNMENT = 16
#: uint8 and int8 stand for the same real values if their zero points are so far apart.
_SHIFT = 128


def with_unsigned_ends(tflite: bytes) -> bytes:
    """The file of one int8 image in and out, with QUANTIZE from and to uint8 around it."""
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    (graph,) = model.subgraphs
    (source,), (result,) = graph.inputs, graph.outputs
    first, last = _add_unsigned(schema, graph, source), _add_unsigned(schema, graph, result)
    quantize = _add_quantize(schema, model)
    graph.operators = [
        _operator(schema, quantize, first, source),
        *graph.operators,
        _operator(schema, quantize, result, last),
    ]
    graph.inputs, graph.outputs = [first], [last]
    for signature in model.signatureDefs or ():
        for end, tensor in ((signature.inputs, first), (signature.outputs, last)):
            end[0].tensorIndex = tensor
    builder = _AlignedBuilder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _add_unsigned(schema: Any, graph: Any, index: int) -> int:
    """A tensor like that one, of uint8."""
    tensor = copy.copy(graph.tensors[index])
    tensor.name = tensor.name + b"_uint8"
    tensor.type = schema.TensorType.UINT8
    tensor.buffer = 0
    tensor.quantization = copy.copy(tensor.quantization)
    tensor.quantization.zeroPoint = [tensor.quantization.zeroPoint[0] + _SHIFT]
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_quantize(schema: Any, model: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2  # the first that leads from integers to integers
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _operator(schema: Any, code: int, source: int, result: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [source], [result]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Puts vectors of bytes where TFLite may use them as they are."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        alignment = _ALIGNMENT if elemSize == 1 else alignment
        return super().StartVector(elemSize, numElems, alignment)
