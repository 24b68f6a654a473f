"""Converts a graph and its weights to an integer-only TFLite file, in the worker process."""

from __future__ import annotations

from latency_models import WeightGranularity
from search_spaces import Graph, InputSpec

from ..training.interpretation import Interpreter, Mode
from ..training.job import Weights
from ..training.tensorflow_quietly import tf


def convert(
    graph: Graph, weights: Weights, spec: InputSpec | None, granularity: WeightGranularity
) -> bytes:
    """Returns a TFLite file of batch size 1 for images of size ``spec``.

    Input and output are int8: grey level g is byte g - 128. ``weights`` are a network's
    ``snapshot``: parameters and learned ranges. Without ``spec`` the file takes images of any size,
    which no NPU supports.
    """
    interpreter, mode = Interpreter(graph), Mode(quantize=True, granularity=granularity)

    # Weights are constants: the converter does not fold the fake quantization of variables.
    @tf.function(autograph=False)
    def model(image: tf.Tensor) -> tf.Tensor:
        values = {name: tf.constant(value) for name, value in weights.items()}
        return interpreter(values, image, mode)

    height, width = (None, None) if spec is None else (spec.height, spec.width)
    image = tf.TensorSpec([1, height, width, 3], tf.float32)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.get_concrete_function(image)]
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())
