"""What ruined four entries of the report, on ABPN after post-training quantization.

Their authors published no description; the report names unclipped outputs, wrongly normalized
scales and outputs in floating point. Each is a last step gone wrong: what is left of the image is
seen here.
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
    """Cast to a byte as it is: what is darker than black turns white, and the other way round."""
    return np.round(levels).astype(np.int64).astype(np.uint8)


def wrongly_scaled(levels: Levels) -> Pixels:
    """Quantised for -255..255, its bytes taken for grey levels."""
    return np.clip(np.round((levels + 255) / 2), 0, 255).astype(np.uint8)


def in_floating_point(levels: Levels) -> Pixels:
    """0..1 in floating point, written into bytes."""
    return np.clip(np.round(levels / 255), 0, 1).astype(np.uint8)


ENDINGS: dict[str, Callable[[Levels], Pixels]] = {
    "ABPN, unclipped output": unclipped,
    "ABPN, wrongly scaled output": wrongly_scaled,
    "ABPN, float output": in_floating_point,
}


def upscaler(
    graph: Graph, weights: Weights, ending: Callable[[Levels], Pixels]
) -> Callable[[Pixels], Pixels]:
    """``graph`` with INT8 rounding up to the sum of the anchor, and then ``ending``."""
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
