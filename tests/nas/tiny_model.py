"""TFLite files of one operator, a x2 of nearest neighbours, made without TensorFlow."""

from __future__ import annotations

from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIDE = 16


def make_tflite(*, inputs: int = 1, float32: bool = False) -> bytes:
    """Reads a 16x16 image; integer-only unless ``float32``, of one input unless told otherwise."""
    graph = schema.SubGraphT()
    graph.tensors = [
        _image("lr", SIDE, float32=float32), _tensor("size", (2,), schema.TensorType.INT32, 1),
        _image("hr", 2 * SIDE, float32=float32), _image("other", SIDE, float32=float32),
    ]  # fmt: skip
    graph.inputs, graph.outputs = [0, 3][:inputs], [2]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ResizeNearestNeighborOptions
    operator.builtinOptions = schema.ResizeNearestNeighborOptionsT()
    graph.operators = [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR
    code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.frombuffer(np.full(2, 2 * SIDE, "<i4").tobytes(), np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _image(name: str, side: int, *, float32: bool) -> Any:
    if float32:
        return _tensor(name, (1, side, side, 3), schema.TensorType.FLOAT32)
    tensor = _tensor(name, (1, side, side, 3), schema.TensorType.INT8)
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [1.0], [-128]
    return tensor


def _tensor(name: str, shape: tuple[int, ...], kind: int, buffer: int = 0) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
    return tensor
