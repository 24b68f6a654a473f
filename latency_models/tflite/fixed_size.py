"""Fixes the open sizes of a TFLite file, for a batch of one image."""

from __future__ import annotations

import importlib
from typing import Any

from search_spaces import InputError, InputSpec

from ..worker import Worker
from .file import TfliteModel, read_tflite

#: Timeout; the model is run once if operators compute sizes.
_TIMEOUT_SECONDS = 300.0
#: Types of computed sizes.
_SIZE_TYPES = ("INT32", "INT64")


def with_fixed_sizes(data: bytes, worker: Worker, spec: InputSpec | None = None) -> bytes:
    """Fixes all sizes for one image; it has the size ``spec`` if rows or columns are open.

    Returns ``data`` itself if nothing is open, or if rows or columns are open and ``spec`` is None.
    InputError if the model cannot run at that size, or if its input is open although the model
    works for only one size.
    """
    model = read_tflite(data)
    size = _size_to_fix(model, spec)
    if size is None:
        _require_no_fixed_reshape(model)
        return data
    try:
        return worker.call(_TIMEOUT_SECONDS, fix_sizes, data, size)
    except InputError:
        _require_no_fixed_reshape(model)
        raise


def _require_no_fixed_reshape(model: TfliteModel) -> None:
    """Raises InputError for a RESHAPE to a constant shape in a model of open size."""
    for operator in model.operators:
        if operator.kind != "RESHAPE" or len(operator.inputs) < 2:
            continue
        source, shape = operator.inputs[:2]
        if source is None or shape is None or not any(source.open_sides[1:]):
            continue
        if shape.values and min(shape.values) > 0:
            raise InputError(
                f"{operator.label} makes ({', '.join(map(str, shape.values))}) of images of any "
                "size, so that only one size fits; export it with an input of that size, or "
                "compute the RESHAPE's shape from the image's"
            )


def _size_to_fix(model: TfliteModel, spec: InputSpec | None) -> InputSpec | None:
    """Returns the size to fix; None if nothing is open, or if ``spec`` is needed but missing."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return None
    (image,) = model.inputs
    if not image.dynamic:
        return None
    if any(image.open_sides[1:3]):
        return spec
    return InputSpec(*image.shape[1:3])


def fix_sizes(data: bytes, size: InputSpec, *, strict: bool = True) -> bytes:
    """Writes the shapes that the interpreter finds at ``size`` into the file. Runs in the worker.

    Results of operators that compute only sizes become constants, as in a static export. If
    ``strict``, sides that are not open must already be those of ``size``. InputError if the
    interpreter refuses the size.
    """
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    (graph,) = model.subgraphs
    try:
        interpreter = _interpreter_at(data, size, strict=strict)
        sizes = _computed_sizes(model, graph, schema)
        if sizes:
            interpreter.invoke()
        values = {index: interpreter.get_tensor(index) for index in sizes}
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"it cannot be made for images of {size}: {reason}") from None
    shapes = {row["index"]: row["shape"] for row in interpreter.get_tensor_details()}
    for index, tensor in enumerate(graph.tensors):
        if not _is_constant(model, tensor):
            tensor.shape, tensor.shapeSignature = [int(side) for side in shapes[index]], None
    for index, value in values.items():
        buffer = schema.BufferT()
        buffer.data = memoryview(value.tobytes())
        model.buffers.append(buffer)
        graph.tensors[index].buffer = len(model.buffers) - 1
    graph.operators = [row for row in graph.operators if not set(row.outputs) <= set(values)]
    return _serialized(model)


def _interpreter_at(data: bytes, size: InputSpec, *, strict: bool) -> Any:
    """An interpreter ready for one image of ``size``; RuntimeError or ValueError if it refuses."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    (image,) = interpreter.get_input_details()
    shape = (1, size.height, size.width, int(image["shape"][3]))
    interpreter.resize_tensor_input(image["index"], shape, strict=strict)
    interpreter.allocate_tensors()
    return interpreter


def _computed_sizes(model: Any, graph: Any, schema: Any) -> set[int]:
    """Indices of integer tensors that depend on the image's size alone, not on its pixels."""
    types = {getattr(schema.TensorType, name) for name in _SIZE_TYPES}
    fixed = {n for n, tensor in enumerate(graph.tensors) if _is_constant(model, tensor)}
    computed: set[int] = set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        sources = {index for index in operator.inputs if index >= 0}
        outputs = set(operator.outputs)
        if (kind == schema.BuiltinOperator.SHAPE or sources <= fixed) and all(
            graph.tensors[index].type in types for index in outputs
        ):
            fixed |= outputs
            computed |= outputs
    return computed


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _serialized(model: Any) -> bytes:
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
