"""Networks computed in bfloat16."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nas.training.interpretation import Interpreter, Mode
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import Graph, zoo
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

WHOLE, NARROW = (Mode(quantize=False, bfloat16=narrow, training=True) for narrow in (False, True))


def drawn(seed: int) -> Graph:
    return load_space("mobile").draw(RandomTrial(random.Random(seed)), 3).graph


GRAPHS = {network.name: network.build(3).graph for network in zoo.ZOO}
GRAPHS |= {f"drawn-{seed}": drawn(seed) for seed in range(12)}


def gradient(graph: Graph, mode: Mode) -> np.ndarray:
    """The gradient of all values of a network that is a little away from its beginning."""
    chance = np.random.default_rng(1)
    network = Network(graph, seed=3)
    for variable in network.kernels.values():
        variable.assign_add(0.02 * chance.standard_normal(variable.shape))
    lr = tf.constant(chance.integers(0, 256, (2, 12, 12, 3)), tf.float32)
    scale = graph.scale
    hr = tf.constant(chance.integers(0, 256, (2, 12 * scale, 12 * scale, 3)), tf.float32)
    variables = [variable.value for variable in network.values.values()]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network(lr, mode=mode) - hr))
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    return np.concatenate([gradient.numpy().ravel() for gradient in gradients])


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_gradients_in_bfloat16_are_those_of_float32_but_for_rounding(graph: Graph) -> None:
    whole, narrow = gradient(graph, WHOLE), gradient(graph, NARROW)
    cosine = whole @ narrow / np.linalg.norm(whole) / np.linalg.norm(narrow)
    assert cosine > 0.98
    assert np.linalg.norm(narrow) == pytest.approx(np.linalg.norm(whole), rel=0.05)


def types(graph: Graph, mode: Mode) -> dict[str, tf.DType]:
    """Of every tensor."""
    network = Network(graph, seed=3)
    values = {name: tf.convert_to_tensor(value) for name, value in network.values.items()}
    tensors = Interpreter(graph).run(values, tf.zeros((1, 8, 8, 3)), mode)
    return {name: tensor.dtype for name, tensor in tensors.items()}


def test_features_are_bfloat16_and_the_image_is_not() -> None:
    found = types(zoo.abpn(3), NARROW)
    *features, last = (name for name in found if name.startswith("conv"))
    assert {found.pop(name) for name in features} == {tf.bfloat16}
    assert found[last] is tf.float32  # the anchor is added to it
    assert set(found.values()) == {tf.float32}


def test_with_int8_rounding_all_tensors_are_float32() -> None:
    rounding = Mode(quantize=True, bfloat16=True, training=True)
    assert set(types(zoo.abpn(3), rounding).values()) == {tf.float32}
