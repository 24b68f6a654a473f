"""A network as a Keras model: for those who go on in Keras, and for its weight files."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Graph

from .interpretation import Mode
from .job import Weights
from .network import Network
from .tensorflow_quietly import keras


def keras_model(graph: Graph, mode: Mode = Mode(quantize=False)) -> keras.Model:  # noqa: B008
    """``graph``, with initial weights, on float32 images of grey levels (N, H, W, 3) of any size.

    In floating point; with ``Mode(quantize=True)`` it rounds as the INT8 file does.
    """
    image = keras.Input((None, None, 3))
    return keras.Model(image, Network(graph)(image, mode=mode))


def save_keras_weights(graph: Graph, weights: Weights, path: Path) -> None:
    """Writes a ``.weights.h5`` that ``load_keras_model`` reads, learned INT8 ranges included."""
    model = keras_model(graph)
    _network_of(model).restore(weights)
    model.save_weights(path)


def load_keras_model(graph: Graph, path: Path) -> keras.Model:
    """As ``keras_model``, with the weights of a file of the same ``graph``."""
    model = keras_model(graph)
    model.load_weights(path)
    return model


def weights_of(model: keras.Model) -> Weights:
    """The values of a ``keras_model`` by name."""
    return _network_of(model).snapshot()


def _network_of(model: keras.Model) -> Network:
    (network,) = (layer for layer in model.layers if isinstance(layer, Network))
    return network
