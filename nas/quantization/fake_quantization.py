"""Fake INT8 quantization with TensorFlow's operators and the learned ranges of a network."""

from __future__ import annotations

import numpy as np

from latency_models import WeightGranularity
from search_spaces import Range

from ..training.tensorflow_quietly import tf

#: Largest absolute value of an INT8 weight; -128 is not used.
MAX_LEVEL = 127
#: Least width of a range, where the image's range is 0..1: a tensor of zeros stays quantizable.
MIN_RANGE = 1e-3
#: Lower bound of the largest absolute weight from which a filter's scale is computed. The bias is
#: stored as a 32-bit multiple of that scale, and would overflow if a filter of zeros with a large
#: bias had a tiny scale.
_LARGEST_WEIGHT_MIN = 1e-4
#: Shares of a range among which ``narrowed`` chooses the best.
_RANGE_SHARES = tuple(percent / 100 for percent in range(100, 35, -5))
#: Number of values that ``narrowed`` samples.
_SAMPLED_VALUES = 2**18


def fake_quantize_weights(
    kernel: tf.Tensor, granularity: WeightGranularity, *, transposed: bool = False
) -> tf.Tensor:
    """Rounds ``kernel`` to 255 symmetric levels up to its largest absolute weight.

    There is one scale per output channel or one per tensor. A transposed convolution has always one
    per tensor: the converter accepts nothing else.
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
    """Returns the absolute values that become ``MAX_LEVEL``, one per output channel or tensor."""
    axes = [0, 1, 2] if granularity is WeightGranularity.CHANNEL else None
    return tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes), _LARGEST_WEIGHT_MIN)


def fake_quantize(tensor: tf.Tensor, low: tf.Tensor | float, high: tf.Tensor | float) -> tf.Tensor:
    """Rounds ``tensor`` to the 256 levels of low..high; gradients flow to the bounds."""
    return tf.quantization.fake_quant_with_min_max_vars(tensor, low, high, num_bits=8)


def fake_quantize_fixed(tensor: tf.Tensor, bounds: Range) -> tf.Tensor:
    """Rounds ``tensor`` to the 256 levels of a range that the TFLite format prescribes."""
    return tf.quantization.fake_quant_with_min_max_args(
        tensor, min=bounds.low, max=bounds.high, num_bits=8
    )


def narrowed(low: tf.Tensor, high: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns bounds halfway between the whole range and the range of the least rounding error.

    A narrower range has finer levels, but cuts off a few large values; the best one has the least
    mean square error of ``values`` on 256 levels. Halfway is safer for images of higher contrast,
    and also reduces the loss of the image that loses most (studies/quantization).
    """
    flat = tf.reshape(values, [-1])
    # Sampled at random: values at regular intervals would belong to a few channels only.
    sample = tf.gather(flat, np.random.default_rng(0).integers(flat.shape[0], size=_SAMPLED_VALUES))

    def error(share: float) -> float:
        rounded = fake_quantize(sample, share * low, share * high)
        return float(tf.reduce_mean(tf.square(rounded - sample)))

    best = min(_RANGE_SHARES, key=error)
    return low * (1 + best) / 2, high * (1 + best) / 2
