"""Ranges of activations: finer levels for most values, or room for the few largest."""

from __future__ import annotations

import numpy as np
import pytest

from nas.quantization.fake_quantization import fake_quantize, narrowed
from nas.training.tensorflow_quietly import tf


def error(values: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> float:
    return float(tf.reduce_mean(tf.square(fake_quantize(values, low, high) - values)))


def test_values_that_fill_their_range_keep_it() -> None:
    values = tf.constant(np.random.default_rng(0).uniform(0, 2, 100_000), tf.float32)
    low, high = narrowed(tf.constant(0.0), tf.constant(2.0), values)
    assert (float(low), float(high)) == (0, 2)


@pytest.mark.parametrize("sign", [0, 1])
def test_a_few_large_values_are_cut_off_for_the_others(sign: int) -> None:
    normal = np.random.default_rng(0).normal(0, 1, (4, 50, 50, 40))
    values = tf.constant(normal if sign else np.abs(normal), tf.float32)
    whole = tf.minimum(tf.reduce_min(values), 0.0), tf.reduce_max(values)
    low, high = narrowed(*whole, values)
    assert 0.7 * whole[1] <= high < whole[1]
    assert float(low) == pytest.approx(float(whole[0] * high / whole[1]))
    assert error(values, low, high) < 0.95 * error(values, *whole)


@pytest.mark.parametrize("channels", [24, 28, 30, 32])
def test_every_channel_counts(channels: int) -> None:
    """Two channels are the image, as where a residual is folded; all others are faint."""
    random = np.random.default_rng(0)
    values = random.normal(0, 0.02, (128, 32, 32, channels))
    values[..., 3:5] = random.uniform(0, 1, (128, 32, 32, 2))
    low, high = narrowed(tf.constant(-0.1), tf.constant(1.0), tf.constant(values, tf.float32))
    assert [float(low), float(high)] == pytest.approx([-0.1, 1])


def test_a_dead_tensor_has_a_range() -> None:
    low, high = narrowed(tf.constant(0.0), tf.constant(1e-3), tf.zeros(10))
    assert float(low) == 0
    assert float(high) > 0
