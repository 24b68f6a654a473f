"""Networks as a training leaves them, without the training: random weights, a true card."""

from __future__ import annotations

import io

import numpy as np

from latency_models import WeightGranularity, Worker
from nas.data.images import load_data
from nas.evaluation.inference import TfliteUpscaler
from nas.evaluation.model_card import ModelCard
from nas.exporting.source import Source
from nas.quality.image_quality import ModelQuality, evaluate
from nas.training.initialization import Array
from search_spaces import Candidate, Graph, InputSpec

SPEC = InputSpec(48, 64)


def make_source(graph: Graph, worker: Worker, data: str, name: str = "net") -> Source:
    """Judged on the validation images of ``data``."""
    weights, tflite = worker.call(300, random_network, graph)
    images = load_data(data, graph.scale)
    quality = evaluate(TfliteUpscaler(tflite, worker).upscale, images.validation)
    npz = io.BytesIO()
    np.savez(npz, allow_pickle=False, **weights)
    card = ModelCard(
        name=name, origin="a test", candidate=Candidate(graph), input=SPEC,
        granularity=WeightGranularity.CHANNEL, quality=ModelQuality(quality.rgb, quality.rgb),
        data=data, data_fingerprint=images.fingerprint, training={"seed": 1},
    )  # fmt: skip
    return Source("", card, weights, npz.getvalue(), tflite)


def random_network(
    graph: Graph, granularity: WeightGranularity = WeightGranularity.CHANNEL
) -> tuple[dict[str, Array], bytes]:
    """Weights and INT8 file, in the worker."""
    from nas.quantization.conversion import convert
    from nas.training.network import Network
    from nas.training.tensorflow_quietly import tf
    from tests.search_spaces.conversion import random_weights

    network = Network(graph)
    network.restore(random_weights(network, 1))
    image = np.random.default_rng(1).integers(0, 256, (1, 48, 64, 3))
    network.calibrate(tf.constant(image, tf.float32))
    weights = network.snapshot()
    return weights, convert(graph, weights, SPEC, granularity)
