"""Post-training quantization: INT8 ranges from the activations on calibration images."""

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

_BATCHES = 8


def calibration_crops(images: ImageSet, recipe: Recipe, seed: int) -> Pixels:
    """Crops that are no part of the training of ``recipe``, uint8; 128 by default."""
    sampler = PatchSampler(images, recipe.batch, recipe.patch)
    unseen = recipe.steps + recipe.int8_schedule.steps
    batches = [sampler.batch_of(seed, unseen + index)[0] for index in range(_BATCHES)]
    return np.concatenate(batches)


def largest_values(graph: Graph, weights: Weights, images: Pixels) -> Weights:
    """The largest absolute value of each channel of each tensor on uint8 images, normalized."""
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
    """Rounded weights of a floating-point network, with INT8 ranges from ``crops``."""
    network = Network(graph)
    network.restore(balanced(graph, weights, granularity, crops))
    network.calibrate(tf.constant(crops, tf.float32))
    return round_kernels(graph, network.snapshot(), granularity, crops)


def balanced(
    graph: Graph, weights: Weights, granularity: WeightGranularity, crops: Pixels
) -> Weights:
    """``weights`` with faint channels brought up, where that does kernels no harm."""
    if granularity is not WeightGranularity.CHANNEL:
        return weights
    return balance(graph, weights, largest_values(graph, weights, crops))
