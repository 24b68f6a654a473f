"""Networks with random, calibrated weights, as float networks and as TFLite files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latency_models import WeightGranularity
from nas.data.pixels import Pixels
from nas.evaluation.inference import run_in_worker
from nas.quantization.conversion import convert
from nas.training.initialization import Array
from nas.training.interpretation import Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import Branches, Conv, Graph, InputSpec, beside_kernel, own_values

_LAST_GAIN = 0.2


@dataclass(frozen=True)
class Converted:
    """A network and the file made of it, on the images that it was calibrated with."""

    tflite: bytes
    #: uint8 (N, H, W, 3)
    lr: Pixels
    #: what the fake-quantized network makes of them, levels
    simulated: Array

    def run(self) -> Array:
        """What the file makes of them."""
        key = (str(hash(self.tflite)), 1)
        images = [run_in_worker(key, lr ^ np.uint8(128), self.tflite) for lr in self.lr]
        return np.stack([image ^ np.uint8(128) for image in images if image is not None])


def converted(
    graph: Graph,
    spec: InputSpec,
    granularity: WeightGranularity = WeightGranularity.CHANNEL,
    seed: int = 1,
    weights: Weights | None = None,
) -> Converted:
    """``graph`` with random weights, if none are given, calibrated on random images of ``spec``."""
    network = Network(graph)
    network.restore(weights or random_weights(network, seed))
    lr = np.random.default_rng(seed).integers(0, 256, (3, spec.height, spec.width, 3), np.uint8)
    levels = tf.constant(lr, tf.float32)
    network.calibrate(levels)
    tflite = convert(graph, network.snapshot(), spec, granularity)
    mode = Mode(quantize=True, granularity=granularity)
    return Converted(tflite, lr, network(levels, mode=mode).numpy())


def random_weights(network: Network, seed: int) -> dict[str, Array]:
    """Weights that keep a signal alive; the last conv's are small, as those of a residual are."""
    random = np.random.default_rng(seed)
    weights = network.snapshot()
    *_, last = "", *(name for name in weights if name.endswith("/kernel"))
    for name, value in weights.items():
        match name.rpartition("/")[2]:
            case "kernel":
                gain = _LAST_GAIN if name == last else 1.0
                deviation = gain / np.sqrt(np.prod(value.shape[:3]))
                weights[name] = random.normal(0, deviation, value.shape).astype(np.float32)
            case "bias":
                weights[name] = random.normal(0, 0.05, value.shape).astype(np.float32)
            case "alpha":
                weights[name] = random.uniform(0.05, 0.5, value.shape).astype(np.float32)
    for node in network.graph.nodes:
        if isinstance(node.operator, Conv) and node.operator.branches is not Branches.NONE:
            # All branches together are as loud as the kernel alone.
            own = own_values(weights, node.name)
            weights[f"{node.name}/kernel"] -= beside_kernel(node.operator, own, np.einsum)
    return weights
