"""A model run on one image by LiteRT on this machine."""

from __future__ import annotations

from enum import Enum
from typing import Any

from search_spaces import InputError


class Arithmetic(Enum):
    """Whose kernels compute: they round alike in most places, and not in all."""

    #: what TFLite itself is specified by
    TFLITE = "TFLite's own kernels"
    XNNPACK = "XNNPACK"


def run_model(data: bytes, image: bytes, arithmetic: Arithmetic) -> bytes:
    """The bytes of the outputs, in order. For a worker: the interpreter may crash on a file.

    InputError if the model does not run, or takes another number of bytes.
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
