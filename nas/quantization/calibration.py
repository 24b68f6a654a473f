"""Post-training quantization, with INT8 ranges from the activations on calibration images."""

from __future__ import annotations

import numpy as np

from latency_models import WeightGranularity
from search_spaces import Graph
from search_spaces.transforms.equalization import balance

from ..data.images import ImageSet
from ..data.patches import PatchSampler
from ..data.pixels import Pixels
from ..training.interpretation import Interpreter, Mode
from ..training.job import Weights
from ..training.network import Network
from ..training.recipe import Recipe
from ..training.tensorflow_quietly import tf
from .rounding import round_kernels

#: Number of batches of calibration crops.
_BATCHES = 8


def calibration_crops(images: ImageSet, recipe: Recipe, seed: int) -> Pixels:
    """Returns uint8 LR crops that a training with ``recipe`` does not use; 128 by default."""
    sampler = PatchSampler(images, recipe.batch, recipe.patch)
    first_unused = recipe.steps + recipe.int8_schedule.steps
    batches = [sampler.batch_of(seed, first_unused + index)[0] for index in range(_BATCHES)]
    return np.concatenate(batches)


def largest_values(graph: Graph, weights: Weights, images: Pixels) -> Weights:
    """Returns each tensor's largest absolute value per channel on uint8 images, normalized."""
    interpreter = Interpreter(graph)
    values = {name: tf.constant(value) for name, value in weights.items()}
    tensors = interpreter.run(values, tf.constant(images, tf.float32), Mode(quantize=False))
    units = interpreter.tensors.units
    return {
        name: (tf.reduce_max(tf.abs(tensor), axis=[0, 1, 2]) / units[name]).numpy()
        for name, tensor in tensors.items()
    }


def quantize_afterwards(
    graph: Graph, weights: Weights, granularity: WeightGranularity, crops: Pixels
) -> Weights:
    """Rounds the kernels of a floating-point network, with INT8 ranges from ``crops``."""
    network = Network(graph)
    network.restore(balanced(graph, weights, granularity, crops))
    network.calibrate(tf.constant(crops, tf.float32))
    return round_kernels(graph, network.snapshot(), granularity, crops)


def balanced(
    graph: Graph, weights: Weights, granularity: WeightGranularity, crops: Pixels
) -> Weights:
    """Returns ``weights`` with weak channels amplified (cross-layer equalization).

    With one scale per tensor they are returned unchanged, since it would make kernels less precise.
    """
    if granularity is not WeightGranularity.CHANNEL:
        return weights
    return balance(graph, weights, largest_values(graph, weights, crops))
