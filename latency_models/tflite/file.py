"""Reads TFLite files into immutable values; in pure Python, so that damaged files crash nothing."""

from __future__ import annotations

import functools
import importlib
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from search_spaces import InputError
from search_spaces.naming import shortened

_IDENTIFIER = b"TFL3"
#: More dimensions than TFLite supports; a limit for damaged files.
_MAX_RANK = 8
#: Integer constants up to this length are read: they may be parameters, such as those of a slice.
_MAX_CONSTANT_VALUES = 4 * _MAX_RANK
#: Other file types that users mistake for models: first bytes, description and remedy.
_OTHER_FILE_TYPES = (
    (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull` to fetch the model itself"),
    (b"/annex/objects/", "a git-annex pointer; run `git annex get` to fetch the model itself"),
    (b"<", "a web page or XML; download the model itself (on GitHub: 'raw')"),
    (b"PK\x03\x04", "a zip archive (so are .keras files); unpack it, or convert to .tflite"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"\x89HDF", "an HDF5 file, such as Keras weights; convert the model to .tflite"),
)

RowsColumns: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor of the file; ``name`` is unique within it.

    ``dtype`` is numpy's name (int8); ``scales`` and ``zero_points`` have one entry, one for each
    channel, or none if the tensor is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    #: whether its values are in the file
    constant: bool
    #: whether a side is open, that is, unknown until the model runs
    dynamic: bool
    #: ``shape`` with -1 for open sides; empty if it is the same
    signature: tuple[int, ...] = ()
    #: values of a short constant of integers, else empty
    values: tuple[int, ...] = ()

    @property
    def open_sides(self) -> tuple[bool, ...]:
        """For each side, whether it is open until the model runs."""
        return tuple(side < 1 for side in self.signature or self.shape)

    @property
    def shape_text(self) -> str:
        """The shape for messages, with open sides as question marks: (1, ?, ?, 3)."""
        known = zip(self.shape, self.open_sides, strict=True)
        return f"({', '.join('?' if is_open else str(side) for side, is_open in known)})"

    @property
    def title(self) -> str:
        """The name in quotes, shortened, for messages."""
        return repr(shortened(self.name))

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class TfliteOperator:
    """An operator of the file; optional inputs that it lacks are None.

    Pairs are (rows, columns). ``sizes`` are the sides of a pooling window or of a block of
    SPACE_TO_DEPTH and DEPTH_TO_SPACE. Masks are those of STRIDED_SLICE, bit n for dimension n;
    ``reshape_masks`` is the union of those that change the number of dimensions.
    """

    kind: str
    inputs: tuple[TfliteTensor | None, ...]
    outputs: tuple[TfliteTensor, ...]
    strides: RowsColumns = (1, 1)
    dilations: RowsColumns = (1, 1)
    sizes: RowsColumns = (1, 1)
    axis: int = 0
    align_corners: bool = False
    half_pixel_centers: bool = False
    begin_mask: int = 0
    reshape_masks: int = 0

    @property
    def stride(self) -> int:
        """The larger of the vertical and the horizontal stride."""
        return max(self.strides)

    @property
    def dilation(self) -> int:
        """The larger of the vertical and the horizontal dilation."""
        return max(self.dilations)

    @property
    def size(self) -> int:
        """The larger side of the window or block."""
        return max(self.sizes)

    @property
    def label(self) -> str:
        """The kind and the name of the first output, for messages."""
        return f"{self.kind} {self.outputs[0].title}" if self.outputs else self.kind


@dataclass(frozen=True)
class TfliteModel:
    """The graph of a file; ``operators`` are in the order of execution."""

    inputs: tuple[TfliteTensor, ...]
    outputs: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]


def read_tflite(data: bytes) -> TfliteModel:
    """Reads a TFLite file; InputError says what is wrong with ``data``."""
    if not data:
        raise InputError("the TFLite file is empty; export or download it again")
    for beginning, what in _OTHER_FILE_TYPES:
        if data.startswith(beginning):
            raise InputError(f"not a TFLite file but {what}")
    if data[4:8] != _IDENTIFIER:
        raise InputError(
            f"not a TFLite file: bytes 4 to 8 are {data[4:8]!r}, not {_IDENTIFIER!r}; "
            "give a model converted to .tflite"
        )
    try:
        return _Reader(data).model()
    except InputError:
        raise
    except Exception as error:  # wrong offsets may raise any exception
        raise InputError(
            f"the TFLite file is damaged ({error}); export or download it again"
        ) from error


def open_tflite(data: bytes | bytearray) -> Any:
    """Opens the flatbuffer of a valid TFLite file; views of a bytearray are writable."""
    return _schema().Model.GetRootAs(data, 0)


class _Reader:
    """Reads the flatbuffer; ValueError for wrong offsets, and for lists longer than the file."""

    def __init__(self, data: bytes) -> None:
        self._schema = _schema()
        self._model = open_tflite(data)
        # Many offsets of a damaged file may refer to the same long list, so that reading takes very
        # long. In a valid file each entry of a list takes at least one byte: there are not more
        # entries than bytes.
        self._entries_left = len(data)

    def model(self) -> TfliteModel:
        graphs = self._checked_length(self._model.SubgraphsLength())
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
            for index in range(self._checked_length(graph.OperatorsLength()))
        )
        if not operators:
            raise ValueError("it has no operator")
        return TfliteModel(
            inputs=_tensors_at(tensors, self._integers(graph, "Inputs")),
            outputs=_tensors_at(tensors, self._integers(graph, "Outputs")),
            operators=operators,
        )

    def _tensors(self, graph: Any) -> list[TfliteTensor]:
        tensors: list[TfliteTensor] = []
        names: set[str] = set()
        for index in range(self._checked_length(graph.TensorsLength())):
            tensor = self._tensor(graph.Tensors(index), index, names)
            names.add(tensor.name)
            tensors.append(tensor)
        return tensors

    def _tensor(self, table: Any, index: int, taken: set[str]) -> TfliteTensor:
        name = self._text(table.Name())
        quantization = table.Quantization()
        shape, signature = self._integers(table, "Shape"), self._integers(table, "ShapeSignature")
        if len(shape) > _MAX_RANK:
            raise ValueError(f"tensor {name!r} has {len(shape)} dimensions")
        dtype = (
            _enum_names(self._schema.TensorType).get(table.Type(), f"type {table.Type()}").lower()
        )
        return TfliteTensor(
            name=name if name and name not in taken else f"{name}#{index}",
            shape=shape,
            dtype=dtype,
            scales=self._list(quantization, "Scale") if quantization else (),
            zero_points=self._integers(quantization, "ZeroPoint") if quantization else (),
            constant=self._is_constant(table.Buffer()),
            dynamic=any(side < 1 for side in (*shape, *signature)),
            signature=signature if len(signature) == len(shape) else (),
            values=self._short_constant(table.Buffer(), dtype),
        )

    def _is_constant(self, buffer: int) -> bool:
        if not 0 <= buffer < self._model.BuffersLength():
            raise ValueError(f"buffer {buffer} does not exist")
        table = self._model.Buffers(buffer)
        return bool(table.DataLength() or table.Size())

    def _short_constant(self, buffer: int, dtype: str) -> tuple[int, ...]:
        if dtype not in _INTEGER_BYTES:
            return ()
        table = self._model.Buffers(buffer)
        if not 0 < table.DataLength() <= _MAX_CONSTANT_VALUES * _INTEGER_BYTES[dtype]:
            return ()
        self._checked_length(table.DataLength())
        data = bytes(table.DataAsNumpy())
        width = _INTEGER_BYTES[dtype]
        return tuple(
            int.from_bytes(data[at : at + width], "little", signed=True)
            for at in range(0, len(data) - width + 1, width)
        )

    def _operator(self, table: Any, tensors: list[TfliteTensor]) -> TfliteOperator:
        if not 0 <= table.OpcodeIndex() < self._model.OperatorCodesLength():
            raise ValueError(f"operator code {table.OpcodeIndex()} does not exist")
        code = self._model.OperatorCodes(table.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _enum_names(self._schema.BuiltinOperator).get(number, f"BUILTIN_{number}")
        if kind == "CUSTOM":
            kind = f"CUSTOM:{self._text(code.CustomCode())}"
        inputs = self._integers(table, "Inputs")
        return TfliteOperator(
            kind=kind,
            inputs=tuple(None if i == -1 else _tensors_at(tensors, (i,))[0] for i in inputs),
            outputs=_tensors_at(tensors, self._integers(table, "Outputs")),
            **self._options(kind, table),
        )

    def _options(self, kind: str, table: Any) -> dict[str, Any]:
        """Fields of ``TfliteOperator`` from the operator's options; empty for most kinds."""
        if kind not in _OPTIONS:
            return {}
        options_name, fields = _OPTIONS[kind]
        union = table.BuiltinOptions()
        if union is None or table.BuiltinOptionsType() != getattr(
            self._schema.BuiltinOptions, options_name
        ):
            raise ValueError(f"{kind} has no {options_name}")
        options = getattr(self._schema, options_name)()
        options.Init(union.Bytes, union.Pos)
        values: dict[str, Any] = {}
        for field, getters in fields.items():
            read = tuple(getattr(options, getter)() for getter in getters)
            if field in _PAIR_FIELDS and min(read) < 1:
                raise ValueError(f"{kind} has {field} {read}")
            values[field] = read if field in _PAIR_FIELDS else functools.reduce(operator.or_, read)
        return values

    def _text(self, raw: bytes | None) -> str:
        """A string of the file; unprintable characters become question marks."""
        raw = raw or b""
        self._checked_length(len(raw))
        text = raw.decode("utf-8", "replace")
        return "".join(letter if letter.isprintable() else "?" for letter in text)

    def _integers(self, table: Any, field: str) -> tuple[int, ...]:
        return tuple(map(int, self._list(table, field)))

    def _list(self, table: Any, field: str) -> tuple[Any, ...]:
        if not self._checked_length(getattr(table, f"{field}Length")()):
            return ()
        return tuple(getattr(table, f"{field}AsNumpy")().tolist())

    def _checked_length(self, entries: int) -> int:
        """Returns ``entries``; ValueError if the file cannot hold that many more entries."""
        if entries > self._entries_left:
            raise ValueError(f"a list of {entries} entries does not fit")
        self._entries_left -= entries
        return entries


_INTEGER_BYTES = {"int32": 4, "int64": 8}
#: Fields that hold a pair of positive values; other fields are the bitwise or of their values.
_PAIR_FIELDS = frozenset({"strides", "dilations", "sizes"})
_STRIDES = {"strides": ("StrideH", "StrideW")}
_CONVOLUTION = {**_STRIDES, "dilations": ("DilationHFactor", "DilationWFactor")}
_POOL = {**_STRIDES, "sizes": ("FilterHeight", "FilterWidth")}
_BLOCK = {"sizes": ("BlockSize", "BlockSize")}
_RESIZE = {"align_corners": ("AlignCorners",), "half_pixel_centers": ("HalfPixelCenters",)}
_AXIS = {"axis": ("Axis",)}
#: kind -> (its table of options, field of TfliteOperator -> the table's getters)
_OPTIONS: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "CONV_2D": ("Conv2DOptions", _CONVOLUTION),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _CONVOLUTION),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _STRIDES),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", _BLOCK),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", _BLOCK),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _RESIZE),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _RESIZE),
    "CONCATENATION": ("ConcatenationOptions", _AXIS),
    "GATHER": ("GatherOptions", _AXIS),
    "PACK": ("PackOptions", _AXIS),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        {
            "begin_mask": ("BeginMask",),
            "reshape_masks": ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
        },
    ),
}


def _tensors_at(tensors: list[TfliteTensor], indices: tuple[int, ...]) -> tuple[TfliteTensor, ...]:
    for index in indices:
        if not 0 <= index < len(tensors):
            raise ValueError(f"tensor {index} does not exist")
    return tuple(tensors[index] for index in indices)


@functools.cache
def _schema() -> Any:
    # Deferred: it loads the runtime's shared library.
    return importlib.import_module("ai_edge_litert.schema_py_generated")


@functools.cache
def _enum_names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
