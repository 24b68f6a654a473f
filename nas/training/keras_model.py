"""Networks as Keras models, for further use in Keras, and Keras weight files."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Graph

from .interpretation import Mode
from .job import Weights
from .network import Network
from .tensorflow_quietly import keras


def keras_model(graph: Graph, mode: Mode = Mode(quantize=False)) -> keras.Model:  # noqa: B008
    """Returns ``graph`` as a Keras model with initial weights.

    It takes float32 images of grey levels (N, H, W, 3) of any size. It computes in floating point;
    with ``Mode(quantize=True)`` it rounds as the INT8 file does.
    """
    image = keras.Input((None, None, 3))
    return keras.Model(image, Network(graph)(image, mode=mode))


def save_keras_weights(graph: Graph, weights: Weights, path: Path) -> None:
    """Writes a ``.weights.h5`` file for ``load_keras_model``, including the learned INT8 ranges."""
    model = keras_model(graph)
    _network_of(model).restore(weights)
    model.save_weights(path)


def load_keras_model(graph: Graph, path: Path) -> keras.Model:
    """Returns ``keras_model(graph)`` with the weights of a file written for the same graph."""
    model = keras_model(graph)
    model.load_weights(path)
    return model


def weights_of(model: keras.Model) -> Weights:
    """Returns the values of a model made by ``keras_model``, by name."""
    return _network_of(model).snapshot()


def _network_of(model: keras.Model) -> Network:
    (network,) = (layer for layer in model.layers if isinstance(layer, Network))
    return network
