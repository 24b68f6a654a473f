"""Anybody's TFLite file as an immutable value; all in Python, so hostile bytes crash nothing."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import InputError

_IDENTIFIER = b"TFL3"
#: TFLite's own limit is lower; products of more sides than these would take long to compute.
_MAX_RANK = 8


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor of the file; ``name`` is unique within it.

    ``dtype`` is numpy's name (int8); ``scales`` and ``zero_points`` have one entry, one a channel,
    or none if the tensor is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    #: its values are in the file
    constant: bool
    #: a side is left open until the model runs
    dynamic: bool

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class TfliteOperator:
    """An operator in the order of execution; an input that is left out is None.

    ``size`` is the side of a pooling window or of a space_to_depth block.
    """

    kind: str
    inputs: tuple[TfliteTensor | None, ...]
    outputs: tuple[TfliteTensor, ...]
    stride: int = 1
    dilation: int = 1
    size: int = 1

    @property
    def label(self) -> str:
        """For messages: the kind, and the name of what it makes."""
        return f"{self.kind} {self.outputs[0].name!r}" if self.outputs else self.kind


@dataclass(frozen=True)
class TfliteModel:
    """One graph of operators, from its input tensors to its output tensors."""

    inputs: tuple[TfliteTensor, ...]
    outputs: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]


def read_tflite(data: bytes) -> TfliteModel:
    """The model in ``data``; InputError, whatever is wrong with it."""
    if not data:
        raise InputError("the TFLite file is empty; export or download it again")
    if data[4:8] != _IDENTIFIER:
        raise InputError(
            f"not a TFLite file: bytes 4 to 8 are {data[4:8]!r}, not {_IDENTIFIER!r}; "
            "give a model converted to .tflite"
        )
    try:
        return _Reader(data).model()
    except InputError:
        raise
    except Exception as error:  # offsets that lead anywhere can end in any exception
        raise InputError(
            f"the TFLite file is damaged ({error}); export or download it again"
        ) from error


class _Reader:
    """Follows the file's offsets, never reading more list entries than an honest file can hold."""

    def __init__(self, data: bytes) -> None:
        self._schema = _schema()
        self._model = self._schema.Model.GetRootAs(data, 0)
        # Offsets may all lead to one long list; an honest file holds each entry, of 1 byte or more.
        self._entries_left = len(data)

    def model(self) -> TfliteModel:
        graphs = self._counted(self._model.SubgraphsLength())
        if graphs == 0:
            raise ValueError("it holds no graph")
        if graphs > 1:
            raise InputError(
                f"the TFLite file holds {graphs} graphs, not one; "
                "export it again without control flow (IF, WHILE) and with one signature"
            )
        graph = self._model.Subgraphs(0)
        tensors = self._tensors(graph)
        operators = tuple(
            self._operator(graph.Operators(index), tensors)
            for index in range(self._counted(graph.OperatorsLength()))
        )
        if not operators:
            raise ValueError("it has no operator")
        return TfliteModel(
            inputs=_picked(tensors, self._integers(graph, "Inputs")),
            outputs=_picked(tensors, self._integers(graph, "Outputs")),
            operators=operators,
        )

    def _tensors(self, graph: Any) -> list[TfliteTensor]:
        tensors: list[TfliteTensor] = []
        names: set[str] = set()
        for index in range(self._counted(graph.TensorsLength())):
            tensor = self._tensor(graph.Tensors(index), index, names)
            names.add(tensor.name)
            tensors.append(tensor)
        return tensors

    def _tensor(self, table: Any, index: int, taken: set[str]) -> TfliteTensor:
        name = self._text(table.Name())
        quantisation = table.Quantization()
        shape = self._integers(table, "Shape")
        if len(shape) > _MAX_RANK:
            raise ValueError(f"tensor {name!r} has {len(shape)} dimensions")
        return TfliteTensor(
            name=name if name and name not in taken else f"{name}#{index}",
            shape=shape,
            dtype=_names(self._schema.TensorType).get(table.Type(), f"type {table.Type()}").lower(),
            scales=self._list(quantisation, "Scale") if quantisation else (),
            zero_points=self._integers(quantisation, "ZeroPoint") if quantisation else (),
            constant=self._is_constant(table.Buffer()),
            dynamic=any(side < 1 for side in (*shape, *self._integers(table, "ShapeSignature"))),
        )

    def _is_constant(self, buffer: int) -> bool:
        if not 0 <= buffer < self._model.BuffersLength():
            raise ValueError(f"buffer {buffer} does not exist")
        table = self._model.Buffers(buffer)
        return bool(table.DataLength() or table.Size())

    def _operator(self, table: Any, tensors: list[TfliteTensor]) -> TfliteOperator:
        if not 0 <= table.OpcodeIndex() < self._model.OperatorCodesLength():
            raise ValueError(f"operator code {table.OpcodeIndex()} does not exist")
        code = self._model.OperatorCodes(table.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _names(self._schema.BuiltinOperator).get(number, f"BUILTIN_{number}")
        if kind == "CUSTOM":
            kind = f"CUSTOM:{self._text(code.CustomCode())}"
        inputs = self._integers(table, "Inputs")
        return TfliteOperator(
            kind=kind,
            inputs=tuple(None if i == -1 else _picked(tensors, (i,))[0] for i in inputs),
            outputs=_picked(tensors, self._integers(table, "Outputs")),
            **self._geometry(kind, table),
        )

    def _geometry(self, kind: str, table: Any) -> dict[str, int]:
        """Stride, dilation and size, the larger of both directions, as far as ``kind`` has them."""
        if kind not in _GEOMETRY:
            return {}
        options_name, fields = _GEOMETRY[kind]
        union = table.BuiltinOptions()
        if union is None or table.BuiltinOptionsType() != getattr(
            self._schema.BuiltinOptions, options_name
        ):
            raise ValueError(f"{kind} has no {options_name}")
        options = getattr(self._schema, options_name)()
        options.Init(union.Bytes, union.Pos)
        values = {
            field: max(getattr(options, getter)() for getter in getters)
            for field, getters in fields.items()
        }
        for field, value in values.items():
            if value < 1:
                raise ValueError(f"{kind} has {field} {value}")
        return values

    def _text(self, raw: bytes | None) -> str:
        """Names go into messages of one line: what cannot be printed becomes a question mark."""
        raw = raw or b""
        self._counted(len(raw))
        text = raw.decode("utf-8", "replace")
        return "".join(letter if letter.isprintable() else "?" for letter in text)

    def _integers(self, table: Any, field: str) -> tuple[int, ...]:
        return tuple(map(int, self._list(table, field)))

    def _list(self, table: Any, field: str) -> tuple[Any, ...]:
        if not self._counted(getattr(table, f"{field}Length")()):
            return ()
        return tuple(getattr(table, f"{field}AsNumpy")().tolist())

    def _counted(self, entries: int) -> int:
        if entries > self._entries_left:
            raise ValueError(f"a list of {entries} entries does not fit")
        self._entries_left -= entries
        return entries


#: kind -> (its table of options, our field -> the table's getters)
_GEOMETRY: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    kind: (options, {field: tuple(getters.split()) for field, getters in fields.items()})
    for kind, options, fields in (
        ("CONV_2D", "Conv2DOptions",
         {"stride": "StrideH StrideW", "dilation": "DilationHFactor DilationWFactor"}),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions",
         {"stride": "StrideH StrideW", "dilation": "DilationHFactor DilationWFactor"}),
        ("TRANSPOSE_CONV", "TransposeConvOptions", {"stride": "StrideH StrideW"}),
        ("MAX_POOL_2D", "Pool2DOptions",
         {"stride": "StrideH StrideW", "size": "FilterHeight FilterWidth"}),
        ("AVERAGE_POOL_2D", "Pool2DOptions",
         {"stride": "StrideH StrideW", "size": "FilterHeight FilterWidth"}),
        ("SPACE_TO_DEPTH", "SpaceToDepthOptions", {"size": "BlockSize"}),
    )
}  # fmt: skip


def _picked(tensors: list[TfliteTensor], indices: tuple[int, ...]) -> tuple[TfliteTensor, ...]:
    for index in indices:
        if not 0 <= index < len(tensors):
            raise ValueError(f"tensor {index} does not exist")
    return tuple(tensors[index] for index in indices)


@functools.cache
def _schema() -> Any:
    # Deferred: it loads the runtime's shared library.
    return importlib.import_module("ai_edge_litert.schema_py_generated")


@functools.cache
def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
