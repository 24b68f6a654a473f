"""Verifies that a device computes the model: compares its output for a photograph with the host's.

A delegate that skips operators, or computes something else, may seem fast. Kernels that only round
differently, XNNPACK's and TFLite's reference, agree within 18 levels and 43 dB or more for all
networks of the zoo at x3, with weights like trained ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from latency_models import LatencyError, LatencyRequest, LatencySource, Worker
from latency_models.tflite.interpreter import Arithmetic, run_model
from latency_models.tflite.requests import TfliteModel, TfliteTensor, read_tflite, require_static
from search_spaces import InputError

from ..data.images import EMBEDDED, load_validation
from ..data.pixels import Pixels
from ..quality.similarity import psnr_db

#: Limits of differences by rounding.
MIN_PSNR_DB = 42.0
MAX_LEVELS = 32
#: Timeout of TFLite's reference kernels, which take seconds.
_TIMEOUT_SECONDS = 600.0
#: An output with fewer levels than this cannot tell a right device from a wrong one.
_MIN_LEVELS = 8
#: dtype -> the byte of level 0
_BLACK = {"int8": 128, "uint8": 0}


@dataclass(frozen=True)
class Agreement:
    """Difference of two outputs for one ``image``: largest and mean in levels, and PSNR in dB."""

    image: str
    largest: int
    mean: float
    psnr_db: float

    @classmethod
    def of(cls, image: str, ours: bytes, theirs: bytes) -> Agreement:
        """Compares two outputs of equal length, a byte for each level."""
        a, b = (np.frombuffer(data, np.uint8)[:, np.newaxis] for data in (ours, theirs))
        difference = np.abs(a.astype(np.int16) - b)
        return cls(image, int(difference.max()), float(difference.mean()), psnr_db(a, b, 0))

    @property
    def is_rounding(self) -> bool:
        """Whether the difference is within the limits of rounding."""
        return self.largest <= MAX_LEVELS and self.psnr_db >= MIN_PSNR_DB

    @property
    def text(self) -> str:
        """Text for people."""
        if not self.largest:
            return f"equal in every byte, for {self.image}"
        return (
            f"at most {self.largest} levels, {self.mean:.3f} on average, {self.psnr_db:.1f} dB "
            f"between them, for {self.image}"
        )


def verify(request: LatencyRequest, source: LatencySource, worker: Worker) -> Agreement:
    """Compares the device's output with that of TFLite's reference kernels, run in ``worker``.

    LatencyError if they differ by more than rounding, InputError if the model's output cannot be
    compared, or has too few levels.
    """
    data = request.make_tflite()
    model = read_tflite(data)
    image, given = _photograph(_one_image(model))
    ours = worker.call(_TIMEOUT_SECONDS, run_model, data, given, Arithmetic.TFLITE)
    _require_telling(request, model, ours)
    theirs = source.run(request, given)
    if len(theirs) != len(ours):
        raise LatencyError(
            f"{request.name}: the device's output has {len(theirs)} bytes, the model's "
            f"{len(ours)}; its time is none of this model"
        )
    # XOR 128 turns int8 bytes into levels 0 to 255.
    flip = _BLACK[model.outputs[0].dtype]
    agreement = Agreement.of(image, *(_flipped(output, flip) for output in (ours, theirs)))
    if not agreement.is_rounding:
        raise LatencyError(
            f"{request.name}: the device computes something else than this machine, "
            f"{agreement.text}; rounding stays within {MAX_LEVELS} levels and {MIN_PSNR_DB:g} dB, "
            "so that its time is no measurement of this model"
        )
    return agreement


def _one_image(model: TfliteModel) -> TfliteTensor:
    """The only input; InputError unless input and outputs are of bytes and of fixed shape."""
    require_static(model)
    for tensor in (*model.inputs, *model.outputs):
        if tensor.dtype not in _BLACK:
            raise InputError(
                f"{tensor.title} is {tensor.dtype}; outputs are compared of models with int8 or "
                "uint8 at both ends"
            )
    if len({tensor.dtype for tensor in model.outputs}) != 1 or len(model.inputs) != 1:
        raise InputError("outputs are compared of models of one input, and outputs of one type")
    return model.inputs[0]


def _photograph(tensor: TfliteTensor) -> tuple[str, bytes]:
    """Name of a photograph, and its bytes at the shape and type of ``tensor``."""
    _, height, width, channels = tensor.shape
    pair = load_validation(EMBEDDED, 2).pairs[0]
    picture: Pixels = np.asarray(ImageOps.fit(Image.fromarray(pair.hr), (width, height)))
    levels = picture[..., np.arange(channels) % 3]
    return pair.name, _flipped(levels.tobytes(), _BLACK[tensor.dtype])


def _require_telling(request: LatencyRequest, model: TfliteModel, output: bytes) -> None:
    levels = len(set(output))
    if levels < min(_MIN_LEVELS, math.prod(model.outputs[0].shape)):
        raise InputError(
            f"{request.name}: of a photograph it makes {levels} levels, which tells nothing of "
            "a device; give a trained model"
        )


def _flipped(data: bytes, flip: int) -> bytes:
    return (np.frombuffer(data, np.uint8) ^ np.uint8(flip)).tobytes()
