"""Fake quantization of INT8: TensorFlow's own operators, with the ranges that a network learns."""

from __future__ import annotations

import numpy as np

from latency_models import WeightGranularity
from search_spaces import Range

from ..training.tensorflow_quietly import tf

#: INT8 weights are whole multiples, up to this, of their scale; -128 is not used.
MAX_LEVEL = 127
#: A range never shrinks below this (of a whole 0..1 image range): a dead tensor stays quantizable.
MIN_RANGE = 1e-3
#: Largest weight, in levels a level, that the scale of a filter is made for at least: its bias is
#: kept in 32 bits, in steps of that scale, and a filter of zeros may have a large one.
_LEAST_WEIGHT = 1e-4
#: Shares of a range among which ``narrowed`` looks for the best.
_SHARES = tuple(percent / 100 for percent in range(100, 35, -5))
#: How many values it looks at.
_VALUES = 2**18


def fake_quantize_weights(
    kernel: tf.Tensor, granularity: WeightGranularity, *, transposed: bool = False
) -> tf.Tensor:
    """``kernel`` on 255 symmetric levels of the largest absolute weight, a channel or all in all.

    A transposed convolution is always per tensor: the converter takes nothing else for it.
    """
    if transposed:
        granularity = WeightGranularity.TENSOR
    limit = largest_weights(kernel, granularity)
    if granularity is WeightGranularity.TENSOR:
        return tf.quantization.fake_quant_with_min_max_vars(
            kernel, -limit, limit, num_bits=8, narrow_range=True
        )
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -limit, limit, num_bits=8, narrow_range=True
    )


def largest_weights(kernel: tf.Tensor, granularity: WeightGranularity) -> tf.Tensor:
    """Absolute values that become ``MAX_LEVEL``: one per output channel, or one for all."""
    axes = [0, 1, 2] if granularity is WeightGranularity.CHANNEL else None
    return tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes), _LEAST_WEIGHT)


def fake_quantize(tensor: tf.Tensor, low: tf.Tensor | float, high: tf.Tensor | float) -> tf.Tensor:
    """``tensor`` on the 256 levels of low..high; gradients reach the bounds."""
    return tf.quantization.fake_quant_with_min_max_vars(tensor, low, high, num_bits=8)


def fake_quantize_fixed(tensor: tf.Tensor, bounds: Range) -> tf.Tensor:
    """``tensor`` on the 256 levels of a range that the format fixes."""
    return tf.quantization.fake_quant_with_min_max_args(
        tensor, min=bounds.low, max=bounds.high, num_bits=8
    )


def narrowed(low: tf.Tensor, high: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Bounds between the range of all ``values`` and that which 256 levels serve best.

    A narrower range has finer levels and cuts off a few large values: the best has the least mean
    square error of both. It is gone halfway there, since images of more contrast will come: so
    the image that loses most loses less as well (studies/quantization).
    """
    flat = tf.reshape(values, [-1])
    # Drawn at random: one in every so many would always be of the same few channels.
    few = tf.gather(flat, np.random.default_rng(0).integers(flat.shape[0], size=_VALUES))

    def error(share: float) -> float:
        rounded = fake_quantize(few, share * low, share * high)
        return float(tf.reduce_mean(tf.square(rounded - few)))

    best = min(_SHARES, key=error)
    return low * (1 + best) / 2, high * (1 + best) / 2
