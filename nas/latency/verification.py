"""Verifies that a device computes the model: compares its output for a photograph with the host's.

A delegate that skips operators or computes something else may seem fast. Kernels that only round
differently (XNNPACK's and TFLite's reference kernels) agree within 18 levels and at 43 dB or more
for all networks of the zoo at x3 with weights like trained ones.
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

#: Limits of differences that are due to rounding.
MIN_PSNR_DB = 42.0
MAX_LEVELS = 32
#: Timeout of TFLite's reference kernels, which take seconds.
_TIMEOUT_SECONDS = 600.0
#: Least number of different levels of an output that can reveal a wrong device.
_MIN_LEVELS = 8
#: dtype -> byte of level 0; XOR with it turns bytes into levels
_BLACK = {"int8": 128, "uint8": 0}


@dataclass(frozen=True)
class Agreement:
    """Difference of two outputs for one ``image``: largest and mean in levels, and PSNR in dB."""

    image: str
    largest: int
    mean: float
    psnr_db: float

    @classmethod
    def of(cls, image: str, host_output: bytes, device_output: bytes) -> Agreement:
        """Compares two outputs of equal length, one byte a level."""
        a, b = (
            np.frombuffer(data, np.uint8)[:, np.newaxis] for data in (host_output, device_output)
        )
        difference = np.abs(a.astype(np.int16) - b)
        return cls(image, int(difference.max()), float(difference.mean()), psnr_db(a, b, 0))

    @property
    def is_rounding(self) -> bool:
        """Whether the difference is small enough to be due to rounding."""
        return self.largest <= MAX_LEVELS and self.psnr_db >= MIN_PSNR_DB

    @property
    def text(self) -> str:
        """The difference in words, for people."""
        if not self.largest:
            return f"equal in every byte, for {self.image}"
        return (
            f"at most {self.largest} levels, {self.mean:.3f} on average, {self.psnr_db:.1f} dB "
            f"between them, for {self.image}"
        )


def verify(request: LatencyRequest, source: LatencySource, worker: Worker) -> Agreement:
    """Compares the device's output with that of TFLite's reference kernels, run in ``worker``.

    Raises LatencyError if they differ by more than rounding, InputError if the model's output
    cannot be compared or has too few levels.
    """
    data = request.make_tflite()
    model = read_tflite(data)
    image, input_bytes = _photograph(_single_input(model))
    host_output = worker.call(_TIMEOUT_SECONDS, run_model, data, input_bytes, Arithmetic.TFLITE)
    _require_enough_levels(request, model, host_output)
    device_output = source.run(request, input_bytes)
    if len(device_output) != len(host_output):
        raise LatencyError(
            f"{request.name}: the device's output has {len(device_output)} bytes, the model's "
            f"{len(host_output)}; its time is none of this model"
        )
    # XOR 128 turns int8 bytes into levels 0 to 255.
    flip = _BLACK[model.outputs[0].dtype]
    agreement = Agreement.of(
        image, *(_xor_bytes(output, flip) for output in (host_output, device_output))
    )
    if not agreement.is_rounding:
        raise LatencyError(
            f"{request.name}: the device computes something else than this machine, "
            f"{agreement.text}; rounding stays within {MAX_LEVELS} levels and {MIN_PSNR_DB:g} dB, "
            "so that its time is no measurement of this model"
        )
    return agreement


def _single_input(model: TfliteModel) -> TfliteTensor:
    """Returns the only input; InputError unless all inputs and outputs are bytes of fixed shape."""
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
    """Returns the name of a photograph, and its bytes in the shape and type of ``tensor``."""
    _, height, width, channels = tensor.shape
    pair = load_validation(EMBEDDED, 2).pairs[0]
    picture: Pixels = np.asarray(ImageOps.fit(Image.fromarray(pair.hr), (width, height)))
    levels = picture[..., np.arange(channels) % 3]
    return pair.name, _xor_bytes(levels.tobytes(), _BLACK[tensor.dtype])


def _require_enough_levels(request: LatencyRequest, model: TfliteModel, output: bytes) -> None:
    levels = len(set(output))
    if levels < min(_MIN_LEVELS, math.prod(model.outputs[0].shape)):
        raise InputError(
            f"{request.name}: its output for a photograph has too few different levels ({levels}) "
            "to verify a device; give a trained model"
        )


def _xor_bytes(data: bytes, flip: int) -> bytes:
    return (np.frombuffer(data, np.uint8) ^ np.uint8(flip)).tobytes()
