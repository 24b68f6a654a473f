"""Runs INT8 TFLite models on images of any size, with interpreters in a worker process."""

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

#: Time limit for one tile. The largest inputs of current networks take seconds on one core.
TIMEOUT_SECONDS = 300.0
#: Number of interpreters that a worker keeps.
_KEPT_INTERPRETERS = 4
#: Side of the image that reveals the scale of a model with open sides, in ``_side_multiple``.
_PROBE_SIDE = 8
#: Operators whose input sides must be multiples of their stride.
_STRIDED_OPERATORS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})


def open_model(path: Path, worker: Worker) -> Upscaler:
    """Opens a model to run on all cores; raises InputError if the file is not a model."""
    with reading(path):
        return open_upscaler(path.read_bytes(), worker, Cores.available().count)


def open_enlarger(path: Path, worker: Worker) -> Upscaler:
    """As ``open_model``, for evaluation on LR and HR images.

    Raises InputError for models of scale 1, whose input would be the HR image itself.
    """
    upscaler = open_model(path, worker)
    if upscaler.scale == 1:
        raise InputError(
            f"{path}: its output is as large as its input (x1); HR images would be their own "
            "input. Give a model that enlarges"
        )
    return upscaler


def open_upscaler(model: bytes, worker: Worker, threads: int = 1) -> Upscaler:
    """Opens a model as ``TfliteUpscaler``, or as ``AnySizeUpscaler`` if its sides are open.

    An open batch size is set to 1.
    """
    require_integer_only(read_tflite(model))
    model = with_fixed_sizes(model, worker)
    if any(all(tensor.open_sides[1:3]) for tensor in read_tflite(model).inputs):
        return AnySizeUpscaler(model, worker, threads)
    return TfliteUpscaler(model, worker, threads)


class TfliteUpscaler:
    """An integer-only super-resolution model of a fixed input size.

    Images are cut into tiles of that size; images smaller than it use a resized copy of the model
    if possible. ``model`` is the content of the file. Raises InputError if it is not a model,
    computes anything in floating point, or does not turn one image into an enlarged one. The caller
    closes ``worker``.
    """

    def __init__(self, model: bytes, worker: Worker, threads: int = 1) -> None:
        file = read_tflite(model)
        require_integer_only(file)
        form = require_super_resolution(file)
        self.input, self.scale = form.input, form.scale
        self._file, self._full_model = file, _RemoteModel(model, form.levels, worker, threads)
        #: the last tile size smaller than the input, and the model for it, or None if it has none
        self._small_model: tuple[InputSpec, _RemoteModel | None] | None = None

    def upscale(self, lr: Pixels) -> Pixels:
        """Upscales a uint8 RGB image (H, W, 3) to (scale H, scale W, 3).

        Raises InputError if the image does not have the size of the model's input and cannot be cut
        into tiles, and WorkerError if the interpreter crashes or hangs.
        """
        return np.concatenate(list(self.strips(lr)))

    def strips(self, lr: Pixels) -> Iterator[Pixels]:
        """Yields the result of ``upscale`` in strips of rows, from top to bottom."""
        if lr.shape[:2] == (self.input.height, self.input.width):
            return iter([self._full_model.run(lr)])  # works even for models that cannot be tiled
        tiling = self._tiling(lr)
        tile, model = self._model_for(cropped_tile(lr, self.input, tiling))
        return strips(lr, tile, tiling, self.scale, model.run)

    def _model_for(self, tile: InputSpec) -> tuple[InputSpec, _RemoteModel]:
        """Returns a tile size and its model: ``tile``, or the input size if resizing fails."""
        if tile == self.input:
            return self.input, self._full_model
        if self._small_model is None or self._small_model[0] != tile:
            self._small_model = tile, self._full_model.resized(tile)
        model = self._small_model[1]
        return (self.input, self._full_model) if model is None else (tile, model)

    def _tiling(self, lr: Pixels) -> Tiling | None:
        try:
            return tiling_of_model(self._file, self.scale)
        except InputError as error:
            size = f"{lr.shape[0]}x{lr.shape[1]}"
            raise InputError(
                f"images of {self.input} only, not {size}: {error}; export it for {size}"
            ) from None


class AnySizeUpscaler:
    """An integer-only super-resolution model with open sides, which takes whole images.

    Arguments and errors are those of ``TfliteUpscaler``.
    """

    def __init__(self, model: bytes, worker: Worker, threads: int = 1) -> None:
        file = read_tflite(model)
        require_integer_only(file)
        require_rgb(file)
        self._remote = _RemoteModel(model, require_levels(file), worker, threads)
        self._multiple = _side_multiple(file)
        side = _PROBE_SIDE * self._multiple
        height, width, channels = self._remote.run(np.zeros((side, side, 3), np.uint8)).shape
        if (height, channels) != (width, 3) or height % side:
            raise InputError(
                f"a {side}x{side} image becomes {height}x{width} with {channels} channels: "
                "that is no RGB image of a whole scale"
            )
        self.scale = height // side

    def upscale(self, lr: Pixels) -> Pixels:
        """Upscales a uint8 RGB image (H, W, 3) to (scale H, scale W, 3).

        If a side is not a multiple of what the model needs, its last row or column is repeated.
        """
        rows, columns = lr.shape[:2]
        padding = [(0, -side % self._multiple) for side in (rows, columns)]
        result = self._remote.run(np.pad(lr, (*padding, (0, 0)), mode="edge"))
        return result[: rows * self.scale, : columns * self.scale]

    def strips(self, lr: Pixels) -> Iterator[Pixels]:
        """Yields the result of ``upscale`` as a single strip."""
        yield self.upscale(lr)


Upscaler: TypeAlias = TfliteUpscaler | AnySizeUpscaler


def _side_multiple(file: TfliteModel) -> int:
    """Returns the number that must divide the sides of images, as ``Graph.multiple`` does."""
    steps = [o.size for o in file.operators if o.kind == "SPACE_TO_DEPTH"]
    return math.prod(steps + [o.stride for o in file.operators if o.kind in _STRIDED_OPERATORS])


class _RemoteModel:
    """A model in the worker process, which maps uint8 grey levels to uint8 grey levels.

    XNNPACK runs the operators that it supports: several times faster than TFLite's own kernels, and
    with differences of at most one level.
    """

    def __init__(self, model: bytes, levels: Levels, worker: Worker, threads: int) -> None:
        # The byte of an int8 value, level - 128, is the level with its highest bit flipped.
        self._flip = np.uint8(-levels.black)
        self._model, self._digest = model, hashlib.sha256(model).hexdigest()
        self._levels, self._worker, self._threads = levels, worker, threads

    def resized(self, size: InputSpec) -> _RemoteModel | None:
        """Returns the same model for images of ``size``, or None if it cannot be resized."""
        try:
            model = self._worker.call(TIMEOUT_SECONDS, resized, self._model, size)
        except WorkerError:  # not an error: the caller uses the model of full size
            model = None
        if model is None:
            return None
        return _RemoteModel(model, self._levels, self._worker, self._threads)

    def run(self, lr: Pixels) -> Pixels:
        levels = lr ^ self._flip
        result = self._call(levels, None)
        if result is None:  # the worker does not have the model: it is new, or was restarted
            result = self._call(levels, self._model)
        if result is None:
            raise AssertionError("the worker forgot a model that it was just given")
        return result ^ self._flip

    def _call(self, levels: Pixels, model: bytes | None) -> Pixels | None:
        key = (self._digest, self._threads)
        return self._worker.call(TIMEOUT_SECONDS, run_in_worker, key, levels, model)


#: Interpreters of the worker process by (digest of the file, threads), last used at the end.
_interpreters: dict[tuple[str, int], Any] = {}


def run_in_worker(key: tuple[str, int], levels: Pixels, model: bytes | None) -> Pixels | None:
    """Runs a model on the bytes of one image and returns the bytes of the result.

    Bytes are passed as uint8, also for int8 models. Returns None if the worker does not have the
    model of ``key`` and ``model`` is not given.
    """
    interpreter = _interpreters.pop(key, None)
    if interpreter is None and model is None:
        return None
    try:
        interpreter = interpreter or _create_interpreter(model, threads=key[1])
        pixels = _run_interpreter(interpreter, levels[np.newaxis])
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the TFLite interpreter refuses the model: {reason}") from None
    _interpreters[key] = interpreter
    while len(_interpreters) > _KEPT_INTERPRETERS:
        del _interpreters[next(iter(_interpreters))]
    return pixels


def _create_interpreter(model: bytes | None, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=model, num_threads=threads)


def _run_interpreter(interpreter: Any, image: Pixels) -> Pixels:
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(source["shape"]) != image.shape:  # its sides are open
        interpreter.resize_tensor_input(source["index"], image.shape)
    interpreter.allocate_tensors()  # has no effect if already allocated
    interpreter.set_tensor(source["index"], image.view(source["dtype"]))
    interpreter.invoke()
    pixels: Pixels = interpreter.get_tensor(result["index"])[0].view(np.uint8)
    return pixels
