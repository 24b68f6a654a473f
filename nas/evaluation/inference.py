"""Running INT8 TFLite models on images of any size, their interpreters in a worker process."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from latency_models import Worker, WorkerError
from latency_models.tflite.requests import (
    Levels,
    TfliteModel,
    read_tflite,
    require_integer_only,
    require_levels,
    require_rgb,
    require_super_resolution,
    resized,
    tiling_of_model,
    with_fixed_sizes,
)
from search_spaces import InputError, InputSpec, Tiling

from ..data.pixels import Pixels
from ..quality.tiles import cropped_tile, strips
from ..system.cores import Cores
from ..system.files import reading

#: For one tile. The largest inputs of today's networks take seconds on one core.
TIMEOUT_SECONDS = 300.0
#: Models that a worker keeps ready.
_KEPT_MODELS = 4
#: Pixels across of the image that tells the scale of a model with open sides, in its multiples.
_TRIED = 8
#: Operators that need sides of whole steps.
_STEPPING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})


def open_model(path: Path, worker: Worker) -> Upscaler:
    """Opens a model to run on all cores; InputError names a file that is no model."""
    with reading(path):
        return open_upscaler(path.read_bytes(), worker, Cores.available().count)


def open_enlarger(path: Path, worker: Worker) -> Upscaler:
    """As ``open_model``, to be judged; refuses x1, whose input would be the HR image itself."""
    upscaler = open_model(path, worker)
    if upscaler.scale == 1:
        raise InputError(
            f"{path}: its output is as large as its input (x1); HR images would be their own "
            "input. Give a model that enlarges"
        )
    return upscaler


def open_upscaler(model: bytes, worker: Worker, threads: int = 1) -> Upscaler:
    """A ``TfliteUpscaler``, or for open sides an ``AnySizeUpscaler``; an open batch is made 1."""
    require_integer_only(read_tflite(model))
    model = with_fixed_sizes(model, worker)
    if any(all(tensor.open_sides[1:3]) for tensor in read_tflite(model).inputs):
        return AnySizeUpscaler(model, worker, threads)
    return TfliteUpscaler(model, worker, threads)


class TfliteUpscaler:
    """An integer-only super-resolution model, run as it is: its input is never resized.

    ``model`` is the file. Raises InputError if the file is no model, computes anything in floating
    point, or is not one image in and the same, larger, out. Closing ``worker`` is its owner's
    business.
    """

    def __init__(self, model: bytes, worker: Worker, threads: int = 1) -> None:
        file = read_tflite(model)
        require_integer_only(file)
        form = require_super_resolution(file)
        self.input, self.scale = form.input, form.scale
        self._file, self._whole = file, _RemoteModel(model, form.levels, worker, threads)
        #: the last tile that small images were cut to, and the model for it, or None if it has none
        self._small: tuple[InputSpec, _RemoteModel | None] | None = None

    def upscale(self, lr: Pixels) -> Pixels:
        """uint8 RGB (H, W, 3) to (scale H, scale W, 3).

        Raises InputError if the image is of another size than the model's input and cannot be cut
        into tiles, and WorkerError if the interpreter crashes or hangs.
        """
        return np.concatenate(list(self.strips(lr)))

    def strips(self, lr: Pixels) -> Iterator[Pixels]:
        """As ``upscale``, a strip of rows at a time, from the top down."""
        if lr.shape[:2] == (self.input.height, self.input.width):
            return iter([self._whole.run(lr)])  # no tiles, whatever the model does
        tiling = self._tiling(lr)
        tile, model = self._model_for(cropped_tile(lr, self.input, tiling))
        return strips(lr, tile, tiling, self.scale, model.run)

    def _model_for(self, tile: InputSpec) -> tuple[InputSpec, _RemoteModel]:
        """The model for ``tile``, as far as it can be had, and the tile that it takes."""
        if tile == self.input:
            return self.input, self._whole
        if self._small is None or self._small[0] != tile:
            self._small = tile, self._whole.resized(tile)
        model = self._small[1]
        return (self.input, self._whole) if model is None else (tile, model)

    def _tiling(self, lr: Pixels) -> Tiling | None:
        try:
            return tiling_of_model(self._file, self.scale)
        except InputError as error:
            size = f"{lr.shape[0]}x{lr.shape[1]}"
            raise InputError(
                f"images of {self.input} only, not {size}: {error}; export it for {size}"
            ) from None


class AnySizeUpscaler:
    """An integer-only super-resolution model with open sides: each image goes through it whole.

    Arguments and errors are those of ``TfliteUpscaler``.
    """

    def __init__(self, model: bytes, worker: Worker, threads: int = 1) -> None:
        file = read_tflite(model)
        require_integer_only(file)
        require_rgb(file)
        self._remote = _RemoteModel(model, require_levels(file), worker, threads)
        self._multiple = _multiple(file)
        side = _TRIED * self._multiple
        height, width, channels = self._remote.run(np.zeros((side, side, 3), np.uint8)).shape
        if (height, channels) != (width, 3) or height % side:
            raise InputError(
                f"a {side}x{side} image becomes {height}x{width} with {channels} channels: "
                "that is no RGB image of a whole scale"
            )
        self.scale = height // side

    def upscale(self, lr: Pixels) -> Pixels:
        """uint8 RGB (H, W, 3) to (scale H, scale W, 3).

        Sides that are no multiple of what the model needs are continued by the last row and column.
        """
        rows, columns = lr.shape[:2]
        padding = [(0, -side % self._multiple) for side in (rows, columns)]
        result = self._remote.run(np.pad(lr, (*padding, (0, 0)), mode="edge"))
        return result[: rows * self.scale, : columns * self.scale]

    def strips(self, lr: Pixels) -> Iterator[Pixels]:
        """As ``upscale``, all rows at once."""
        yield self.upscale(lr)


Upscaler: TypeAlias = TfliteUpscaler | AnySizeUpscaler


def _multiple(file: TfliteModel) -> int:
    """Sides must be a multiple of this, as ``search_spaces.Graph.multiple``."""
    steps = [o.size for o in file.operators if o.kind == "SPACE_TO_DEPTH"]
    return math.prod(steps + [o.stride for o in file.operators if o.kind in _STEPPING])


class _RemoteModel:
    """Levels in, levels out.

    XNNPACK computes what it can: several times faster than TFLite's own kernels, and within a level
    of them.
    """

    def __init__(self, model: bytes, levels: Levels, worker: Worker, threads: int) -> None:
        # Bytes of int8 are levels less 128; in eight bits that is the highest bit the other way.
        self._flip = np.uint8(-levels.black)
        self._model, self._digest = model, hashlib.sha256(model).hexdigest()
        self._levels, self._worker, self._threads = levels, worker, threads

    def resized(self, size: InputSpec) -> _RemoteModel | None:
        """The same for images of ``size``; None if it cannot be had."""
        try:
            model = self._worker.call(TIMEOUT_SECONDS, resized, self._model, size)
        except WorkerError:  # no reason to fail: the whole model will do
            model = None
        if model is None:
            return None
        return _RemoteModel(model, self._levels, self._worker, self._threads)

    def run(self, lr: Pixels) -> Pixels:
        levels = lr ^ self._flip
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
    if interpreter is None and model is None:
        return None
    try:
        interpreter = interpreter or _start(model, threads=key[1])
        pixels = _run(interpreter, levels[np.newaxis])
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the TFLite interpreter refuses the model: {reason}") from None
    _interpreters[key] = interpreter
    while len(_interpreters) > _KEPT_MODELS:
        del _interpreters[next(iter(_interpreters))]
    return pixels


def _start(model: bytes | None, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=model, num_threads=threads)


def _run(interpreter: Any, image: Pixels) -> Pixels:
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(source["shape"]) != image.shape:  # its sides are open
        interpreter.resize_tensor_input(source["index"], image.shape)
    interpreter.allocate_tensors()  # nothing to do for one that is ready
    interpreter.set_tensor(source["index"], image.view(source["dtype"]))
    interpreter.invoke()
    pixels: Pixels = interpreter.get_tensor(result["index"])[0].view(np.uint8)
    return pixels
