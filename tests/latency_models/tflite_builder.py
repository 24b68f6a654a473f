"""TFLite files written operator by operator, without TensorFlow: a millisecond each.

Unless said otherwise a tensor holds grey levels as int8, scale 1 and zero point -128.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Shape = tuple[int, ...]


@dataclass
class TfliteBuilder:
    """Tensors are known by their numbers."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    operators: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)

    def tensor(
        self,
        shape: Shape,
        dtype: str = "INT8",
        *,
        scale: float | None = 1.0,
        zero_point: int = -128,
        open_sides: Shape = (),
        name: str = "",
    ) -> int:
        """An activation; ``scale`` None: it is not quantized."""
        tensor = schema.TensorT()
        tensor.name = name or f"tensor_{len(self.tensors)}"
        tensor.shape, tensor.type = list(shape), getattr(schema.TensorType, dtype)
        if open_sides:
            tensor.shapeSignature = [
                -1 if place in open_sides else side for place, side in enumerate(shape)
            ]
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [scale]
            tensor.quantization.zeroPoint = [zero_point]
        tensor.buffer = 0
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(
        self, values: npt.ArrayLike, dtype: str = "INT32", scale: float | None = None
    ) -> int:
        """In the file itself; quantized around 0 if it has a scale."""
        array = np.asarray(values, np.dtype(dtype.lower()))
        number = self.tensor(array.shape, dtype, scale=scale, zero_point=0)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.buffers.append(buffer)
        self.tensors[number].buffer = len(self.buffers) - 1
        return number

    def add(
        self, kind: str, inputs: tuple[int, ...], shape: Shape, options: str = "", **values: Any
    ) -> int:
        """An operator of one output, of the type of its first input of levels."""
        output = self.tensor(shape)
        self.operator(kind, inputs, (output,), options, **values)
        return output

    def operator(
        self,
        kind: str,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        options: str = "",
        **values: Any,
    ) -> None:
        """Any operator; ``options`` is the schema's table of ``values``."""
        code = schema.OperatorCodeT()
        if kind.startswith("CUSTOM:"):
            code.customCode, kind = kind.removeprefix("CUSTOM:"), "CUSTOM"
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.codes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in values.items():
                assert hasattr(operator.builtinOptions, name), name
                setattr(operator.builtinOptions, name, value)
        self.operators.append(operator)

    def build(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> bytes:
        """The file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs = 3, self.codes, [graph]
        model.buffers = self.buffers
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
