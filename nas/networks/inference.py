"""Running an INT8 TFLite model on images of any size, its interpreter in a worker process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from latency_models import Worker
from latency_models.tflite import (
    kernels_of_model,
    read_tflite,
    require_integer_only,
    require_super_resolution,
)
from search_spaces import InputError, halo, multiple

from ..images.data import Pixels
from ..images.tiles import strips

#: For one tile. The largest inputs of today's networks take seconds on one core.
TIMEOUT_SECONDS = 300.0
#: Models that a worker keeps ready.
_KEPT_MODELS = 4


class TfliteUpscaler:
    """An integer-only super-resolution model, run as it is: its input is never resized.

    ``model`` is the file. XNNPACK computes what it can: several times faster than TFLite's own
    kernels, and within a level of them. Raises InputError if the file is no model, computes
    anything in floating point, or is not one image in and the same, larger, out. Closing ``worker``
    is its owner's business.
    """

    def __init__(self, model: bytes, worker: Worker, threads: int = 1) -> None:
        file = read_tflite(model)
        require_integer_only(file)
        form = require_super_resolution(file)
        kernels = kernels_of_model(file)
        self.input, self.scale = form.input, form.scale
        self._halo, self._multiple = halo(kernels), multiple(kernels)
        # Bytes of int8 are levels less 128; in eight bits that is the highest bit the other way.
        self._flip = np.uint8(-form.black)
        self._model, self._digest = model, hashlib.sha256(model).hexdigest()
        self._worker, self._threads = worker, threads

    def upscale(self, lr: Pixels) -> Pixels:
        """uint8 RGB (H, W, 3) to (scale H, scale W, 3).

        Raises InputError if the model's input is too small to cut the image into tiles, and
        WorkerError if the interpreter crashes or hangs.
        """
        return np.concatenate(list(self.strips(lr)))

    def strips(self, lr: Pixels) -> Iterator[Pixels]:
        """As ``upscale``, a strip of rows at a time, from the top down."""
        return strips(lr, self.input, self._halo, self.scale, self._multiple, self._run)

    def _run(self, tile: Pixels) -> Pixels:
        levels = tile ^ self._flip
        result = self._call(levels, None)
        if result is None:  # a worker that has not met this model yet, or was restarted
            result = self._call(levels, self._model)
        if result is None:
            raise AssertionError("the worker forgot a model that it was just given")
        return result ^ self._flip

    def _call(self, levels: Pixels, model: bytes | None) -> Pixels | None:
        key = (self._digest, self._threads)
        return self._worker.call(TIMEOUT_SECONDS, run_in_worker, key, levels, model)


#: (digest of the file, threads) -> interpreter, the last used one at the end; lives in the worker
_interpreters: dict[tuple[str, int], Any] = {}


def run_in_worker(key: tuple[str, int], levels: Pixels, model: bytes | None) -> Pixels | None:
    """The bytes that a model makes of the bytes of one image, whatever their sign.

    None if the worker does not hold the model ``key`` and ``model`` is not given.
    """
    interpreter = _interpreters.pop(key, None)
    if interpreter is None:
        if model is None:
            return None
        interpreter = _start(model, threads=key[1])
    _interpreters[key] = interpreter
    while len(_interpreters) > _KEPT_MODELS:
        del _interpreters[next(iter(_interpreters))]
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(source["index"], levels[np.newaxis].view(source["dtype"]))
    interpreter.invoke()
    pixels: Pixels = interpreter.get_tensor(result["index"])[0].view(np.uint8)
    return pixels


def _start(model: bytes, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the TFLite interpreter refuses the model: {reason}") from None
    return interpreter
