"""Running a file that takes images of any size: whole, on the processor, in the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from latency_models import Worker
from search_spaces import CandidateError

from ..images.data import Pixels
from ..networks.inference import TIMEOUT_SECONDS

_FLIP = np.uint8(128)


@dataclass(frozen=True)
class AnySizeUpscaler:
    """An INT8 model with open sides, which must be multiples of ``multiple``."""

    tflite: bytes = field(repr=False)
    scale: int
    multiple: int
    worker: Worker

    def upscale(self, lr: Pixels) -> Pixels:
        """uint8 RGB (H, W, 3) to (scale H, scale W, 3); NasError if the model cannot."""
        rows, columns = lr.shape[:2]
        padding = [(0, -side % self.multiple) for side in (rows, columns)]
        whole = np.pad(lr, (*padding, (0, 0)), mode="edge")
        result = self.worker.call(TIMEOUT_SECONDS, run_whole, self.tflite, whole)
        wanted = tuple(side * self.scale for side in whole.shape[:2])
        if result.shape[:2] != wanted:
            raise CandidateError(f"a {whole.shape} image becomes {result.shape}, not {wanted}")
        return result[: rows * self.scale, : columns * self.scale]


def run_whole(tflite: bytes, lr: Pixels) -> Pixels:
    """The levels that an int8 model of any size makes of those of one image. In the worker."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=tflite)
        source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.resize_tensor_input(source["index"], (1, *lr.shape))
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], (lr[np.newaxis] ^ _FLIP).view(np.int8))
        interpreter.invoke()
        pixels: Pixels = interpreter.get_tensor(result["index"])[0].view(np.uint8) ^ _FLIP
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CandidateError(f"LiteRT cannot run it at {lr.shape}: {reason}") from None
    return pixels
