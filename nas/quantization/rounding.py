"""Rounds kernels to INT8 levels so that the results of convolutions hardly column_change.

With rounding to the nearest level, the errors of hundreds of weights would add up, most of all
where a convolution reads the bright image itself. Here weights are rounded one after another, and
each rounding error is compensated by the weights not yet rounded, as far as their inputs are
correlated. The mean of the remaining error is compensated by the bias (Frantar et al., "GPTQ", ICLR
2023, after "Optimal Brain Compression", NeurIPS 2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from latency_models import WeightGranularity
from search_spaces import Conv, DepthwiseConv, Graph, TransposedConv, merged_kernel, own_values

from ..data.pixels import Pixels
from ..training.initialization import Array
from ..training.interpretation import Interpreter, Mode
from ..training.job import Weights
from ..training.tensorflow_quietly import tf
from .fake_quantization import MAX_LEVEL, largest_weights

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Share of the inputs' mean square that is added to the diagonal of their correlation matrix, which
#: would be singular for identical inputs (the value is GPTQ's).
_DAMPING = 0.01
#: Number of pixels of the crops that are used.
_SAMPLED_PIXELS = 2**14


def round_kernels(
    graph: Graph, weights: Weights, granularity: WeightGranularity, crops: Pixels
) -> dict[str, Array]:
    """Returns ``weights`` with every kernel rounded to the levels of its largest weight.

    ``weights`` include the learned ranges, and may include biases, which are adjusted. ``crops``
    are uint8 LR images (N, H, W, 3).
    """
    interpreter = Interpreter(graph)
    values = {name: tf.constant(value) for name, value in weights.items()}
    sample = crops[: max(1, _SAMPLED_PIXELS // (crops.shape[1] * crops.shape[2]))]
    mode = Mode(quantize=True, granularity=granularity, training=True)
    tensors = interpreter.run(values, tf.constant(sample, tf.float32), mode)
    rounded = dict(weights)
    for node in graph.nodes:
        if not isinstance(node.operator, Conv | DepthwiseConv | TransposedConv):
            continue
        source = tensors[node.inputs[0]] / interpreter.tensors.units[node.inputs[0]]
        node_weights = own_values(weights, node.name)
        if isinstance(node.operator, TransposedConv):
            parts = _round_transposed_conv(node.operator, node_weights, source)
        else:
            parts = _round_conv(node.operator, node_weights, source, granularity)
        for part, value in parts.items():
            rounded[f"{node.name}/{part}"] = value.astype(np.float32)
    return rounded


def _round_conv(
    operator: Conv | DepthwiseConv,
    node_weights: Weights,
    source: tf.Tensor,
    granularity: WeightGranularity,
) -> Weights:
    """Returns the rounded kernel and bias of a convolution.

    ``source`` is its normalized input (N, H, W, in).
    """
    if isinstance(operator, Conv):
        groups = operator.groups
        kernel = np.asarray(merged_kernel(operator, node_weights, np.einsum))
    else:  # equivalent to a convolution with one group per channel
        groups, kernel = source.shape[-1], node_weights["kernel"].transpose(0, 1, 3, 2)
    filters = kernel.shape[-1]
    largest = np.broadcast_to(largest_weights(kernel, granularity), filters)
    windows = _input_windows(operator, source, groups)
    mean = windows.mean(axis=1, keepdims=True) if operator.bias else np.zeros(1)
    centered = windows - mean
    columns = kernel.reshape(-1, groups, filters // groups).swapaxes(0, 1)
    column_change = (
        _round_columns(columns, centered, largest.reshape(groups, -1) / MAX_LEVEL) - columns
    )
    kernel_change = column_change.swapaxes(0, 1).reshape(kernel.shape)
    if isinstance(operator, DepthwiseConv):
        kernel_change = kernel_change.transpose(0, 1, 3, 2)
    result = {"kernel": node_weights["kernel"] + kernel_change}
    if operator.bias:
        result["bias"] = node_weights["bias"] - (mean @ column_change).reshape(filters)
    return result


def _round_transposed_conv(
    operator: TransposedConv, node_weights: Weights, source: tf.Tensor
) -> Weights:
    """Returns the rounded kernel and bias of a transposed convolution.

    Each of the ``stride`` x ``stride`` pixels made from one input pixel has its own weights, which
    are rounded like an ordinary kernel. The bias is shared by all of them, so that rounding also
    has to compensate the error caused by the inputs' mean.
    """
    stride, kernel = operator.stride, node_weights["kernel"]
    step = largest_weights(kernel, WeightGranularity.TENSOR) / MAX_LEVEL
    rounded, shift = kernel.copy(), np.zeros(operator.filters)
    for offset in np.ndindex(stride, stride):
        taps = tuple(slice(first, None, stride) for first in offset)
        # Flipped: weights nearer to the kernel's end read pixels farther up and left.
        part = kernel[taps][::-1, ::-1].swapaxes(2, 3)
        if part.size == 0:
            continue
        patches = tf.image.extract_patches(
            source, [1, *part.shape[:2], 1], [1] * 4, [1] * 4, "SAME"
        ).numpy()
        windows = patches.reshape(1, -1, patches.shape[-1])
        columns = part.reshape(1, -1, operator.filters)
        rounded_columns = _round_columns(
            columns, windows, np.broadcast_to(step, (1, operator.filters))
        )
        shift += (windows.mean(axis=1) @ (rounded_columns - columns)[0])[0] / stride**2
        rounded[taps] = rounded_columns.reshape(part.shape).swapaxes(2, 3)[::-1, ::-1]
    return {"kernel": rounded, "bias": node_weights["bias"] - shift.astype(np.float32)}


def _input_windows(operator: Conv | DepthwiseConv, source: tf.Tensor, groups: int) -> Array:
    """Returns the inputs of each output position: (groups, positions, k k in / groups)."""
    side, stride, rate = operator.kernel, operator.stride, operator.dilation
    patches = tf.image.extract_patches(
        source, [1, side, side, 1], [1, stride, stride, 1], [1, rate, rate, 1],
        operator.padding.value.upper(),
    )  # fmt: skip
    taps = patches.numpy().reshape(-1, side * side, groups, source.shape[-1] // groups)
    result: Array = taps.transpose(2, 0, 1, 3).reshape(groups, len(taps), -1)
    return result


def _round_columns(columns: Array, windows: Array, step: Array | Floats) -> Floats:
    """Rounds ``columns`` (groups, inputs, filters) to multiples of ``step`` (groups, filters).

    ``windows`` (groups, positions, inputs) are the inputs that they are multiplied with. Weights
    whose nearest level is the largest keep it, since they determine the scale of all others.
    """
    inputs = columns.shape[1]
    correlation = (windows.swapaxes(1, 2) @ windows / windows.shape[1]).astype(np.float64)
    diagonal = _DAMPING * np.trace(correlation, axis1=1, axis2=2) / inputs
    damped = correlation + np.maximum(diagonal, 1e-12)[:, None, None] * np.eye(inputs)
    propagation = np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(1, 2)
    nearest = np.round(columns / step[:, None])
    targets = columns.astype(np.float64)
    rounded_columns = np.empty_like(targets)
    for index in range(inputs):
        level = np.clip(np.round(targets[:, index] / step), -MAX_LEVEL, MAX_LEVEL)
        is_largest = np.abs(nearest[:, index]) == MAX_LEVEL
        rounded_columns[:, index] = np.where(is_largest, nearest[:, index], level) * step
        error = (targets[:, index] - rounded_columns[:, index]) / propagation[:, index, index, None]
        targets[:, index + 1 :] -= propagation[:, index, index + 1 :, None] * error[:, None]
    return rounded_columns
