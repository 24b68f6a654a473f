"""Runs a model on one image with LiteRT on this machine."""

from __future__ import annotations

from enum import Enum
from typing import Any

from search_spaces import InputError


class Arithmetic(Enum):
    """Implementations of kernels, which differ in rounding at some places."""

    #: the reference
    TFLITE = "TFLite's own kernels"
    XNNPACK = "XNNPACK"


def run_model(data: bytes, image: bytes, arithmetic: Arithmetic) -> bytes:
    """The bytes of the outputs in order. To be called in a worker, as the interpreter may crash.

    InputError if the model does not run, or its input has another number of bytes than ``image``.
    """
    import numpy as np

    try:
        interpreter = _interpreter(data, arithmetic)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]
        values = np.frombuffer(image, source["dtype"]).reshape(source["shape"])
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"LiteRT cannot run it: {' '.join(str(error).split())}") from None
    results = interpreter.get_output_details()
    return b"".join(interpreter.get_tensor(result["index"]).tobytes() for result in results)


def _interpreter(data: bytes, arithmetic: Arithmetic) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = {
        Arithmetic.TFLITE: OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        Arithmetic.XNNPACK: OpResolverType.AUTO,
    }
    return Interpreter(model_content=data, experimental_op_resolver_type=kernels[arithmetic])
