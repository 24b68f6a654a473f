"""Applies the output errors of four failed entries of the report to ABPN after quantization.

Their authors published no description; the report names unclipped outputs, wrongly normalized
scales and outputs in floating point. Each is an error in the last step, and this module shows how
much of the image quality is left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from latency_models import WeightGranularity
from nas.data.pixels import Pixels
from nas.training.interpretation import Interpreter, Mode
from nas.training.job import Weights
from nas.training.tensorflow_quietly import tf
from search_spaces import Graph

Levels = npt.NDArray[np.float32]


def unclipped(levels: Levels) -> Pixels:
    """Casts levels to bytes without clipping: values below black become white, and vice versa."""
    return np.round(levels).astype(np.int64).astype(np.uint8)


def wrongly_scaled(levels: Levels) -> Pixels:
    """Quantizes for the range -255..255, and takes the bytes as grey levels 0..255."""
    return np.clip(np.round((levels + 255) / 2), 0, 255).astype(np.uint8)


def in_floating_point(levels: Levels) -> Pixels:
    """Writes floating-point values of 0..1 into bytes."""
    return np.clip(np.round(levels / 255), 0, 1).astype(np.uint8)


ENDINGS: dict[str, Callable[[Levels], Pixels]] = {
    "ABPN, unclipped output": unclipped,
    "ABPN, wrongly scaled output": wrongly_scaled,
    "ABPN, float output": in_floating_point,
}


def upscaler(
    graph: Graph, weights: Weights, ending: Callable[[Levels], Pixels]
) -> Callable[[Pixels], Pixels]:
    """Runs ``graph`` with INT8 rounding up to the inputs of the anchor's sum, then ``ending``."""
    interpreter = Interpreter(graph)
    values = {name: tf.constant(value) for name, value in weights.items()}
    mode = Mode(quantize=True, granularity=WeightGranularity.CHANNEL, training=True)
    before_sum = graph.nodes[-3].inputs

    def run(lr: Pixels) -> Pixels:
        tensors = interpreter.run(values, tf.constant(lr[np.newaxis], tf.float32), mode)
        total = tensors[before_sum[0]] + tensors[before_sum[1]]
        levels = tf.nn.depth_to_space(total, graph.scale)[0].numpy()
        return ending(levels)

    return run
