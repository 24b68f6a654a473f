"""Kernels on their INT8 levels, so chosen that what a convolution gives hardly changes.

Each weight to its nearest level would be the obvious way, but the errors of hundreds of weights add
up, most of all where a convolution reads the bright image itself. Here one weight after another is
rounded, and those still to come take up its error as far as their inputs are alike; what remains on
average goes into the bias (Frantar et al., "GPTQ", ICLR 2023, after "Optimal Brain Compression",
NeurIPS 2022).
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

#: Of the mean square of the inputs, added to each: those that are all alike have no inverse
#: (the value is GPTQ's).
_DAMPING = 0.01
#: Pixels of the crops that are looked at.
_PIXELS = 2**14


def round_kernels(
    graph: Graph, weights: Weights, granularity: WeightGranularity, crops: Pixels
) -> dict[str, Array]:
    """``weights``, learned ranges included, with every kernel on levels of its largest weight.

    ``crops`` are uint8 LR images (N, H, W, 3).
    """
    interpreter = Interpreter(graph)
    values = {name: tf.constant(value) for name, value in weights.items()}
    few = crops[: max(1, _PIXELS // (crops.shape[1] * crops.shape[2]))]
    mode = Mode(quantize=True, granularity=granularity, training=True)
    tensors = interpreter.run(values, tf.constant(few, tf.float32), mode)
    rounded = dict(weights)
    for node in graph.nodes:
        if not isinstance(node.operator, Conv | DepthwiseConv | TransposedConv):
            continue
        seen = tensors[node.inputs[0]] / interpreter.tensors.units[node.inputs[0]]
        own = own_values(weights, node.name)
        if isinstance(node.operator, TransposedConv):
            parts = _rounded_transposed(node.operator, own, seen)
        else:
            parts = _rounded(node.operator, own, seen, granularity)
        for part, value in parts.items():
            rounded[f"{node.name}/{part}"] = value.astype(np.float32)
    return rounded


def _rounded(
    operator: Conv | DepthwiseConv, own: Weights, seen: tf.Tensor, granularity: WeightGranularity
) -> Weights:
    """Rounded kernel and bias of one convolution with input ``seen``, (N, H, W, in), normalized."""
    if isinstance(operator, Conv):
        groups, kernel = operator.groups, np.asarray(merged_kernel(operator, own, np.einsum))
    else:  # a convolution of as many groups as channels
        groups, kernel = seen.shape[-1], own["kernel"].transpose(0, 1, 3, 2)
    filters = kernel.shape[-1]
    largest = np.broadcast_to(largest_weights(kernel, granularity), filters)
    windows = _windows(operator, seen, groups)
    mean = windows.mean(axis=1, keepdims=True) if operator.bias else np.zeros(1)
    centered = windows - mean
    columns = kernel.reshape(-1, groups, filters // groups).swapaxes(0, 1)
    change = _settle(columns, centered, largest.reshape(groups, -1) / MAX_LEVEL) - columns
    changed = change.swapaxes(0, 1).reshape(kernel.shape)
    if isinstance(operator, DepthwiseConv):
        changed = changed.transpose(0, 1, 3, 2)
    result = {"kernel": own["kernel"] + changed}
    if operator.bias:
        result["bias"] = own["bias"] - (mean @ change).reshape(filters)
    return result


def _rounded_transposed(operator: TransposedConv, own: Weights, seen: tf.Tensor) -> Weights:
    """As ``_rounded``. The pixels that one pixel becomes are made by weights of their own each.

    They share the bias, so that means are not left to it.
    """
    stride, kernel = operator.stride, own["kernel"]
    step = largest_weights(kernel, WeightGranularity.TENSOR) / MAX_LEVEL
    rounded, shift = kernel.copy(), np.zeros(operator.filters)
    for offset in np.ndindex(stride, stride):
        taps = tuple(slice(first, None, stride) for first in offset)
        # The nearer to the kernel's end, the farther up and left is the pixel that it meets.
        part = kernel[taps][::-1, ::-1].swapaxes(2, 3)
        if part.size == 0:
            continue
        patches = tf.image.extract_patches(
            seen, [1, *part.shape[:2], 1], [1] * 4, [1] * 4, "SAME"
        ).numpy()
        windows = patches.reshape(1, -1, patches.shape[-1])
        columns = part.reshape(1, -1, operator.filters)
        settled = _settle(columns, windows, np.broadcast_to(step, (1, operator.filters)))
        shift += (windows.mean(axis=1) @ (settled - columns)[0])[0] / stride**2
        rounded[taps] = settled.reshape(part.shape).swapaxes(2, 3)[::-1, ::-1]
    return {"kernel": rounded, "bias": own["bias"] - shift.astype(np.float32)}


def _windows(operator: Conv | DepthwiseConv, seen: tf.Tensor, groups: int) -> Array:
    """(groups, positions, k k in / groups): what each position of the output is made of."""
    side, stride, rate = operator.kernel, operator.stride, operator.dilation
    patches = tf.image.extract_patches(
        seen, [1, side, side, 1], [1, stride, stride, 1], [1, rate, rate, 1],
        operator.padding.value.upper(),
    )  # fmt: skip
    taps = patches.numpy().reshape(-1, side * side, groups, seen.shape[-1] // groups)
    result: Array = taps.transpose(2, 0, 1, 3).reshape(groups, len(taps), -1)
    return result


def _settle(columns: Array, windows: Array, step: Array | Floats) -> Floats:
    """``columns`` (groups, inputs, filters) in multiples of ``step`` (groups, filters).

    ``windows`` (groups, positions, inputs) are what they are multiplied with. Weights of the
    largest level keep it: the level of all others hangs on it.
    """
    inputs = columns.shape[1]
    likeness = (windows.swapaxes(1, 2) @ windows / windows.shape[1]).astype(np.float64)
    floor = _DAMPING * np.trace(likeness, axis1=1, axis2=2) / inputs
    damped = likeness + np.maximum(floor, 1e-12)[:, None, None] * np.eye(inputs)
    passed_on = np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(1, 2)
    nearest = np.round(columns / step[:, None])
    wanted = columns.astype(np.float64)
    settled = np.empty_like(wanted)
    for index in range(inputs):
        level = np.clip(np.round(wanted[:, index] / step), -MAX_LEVEL, MAX_LEVEL)
        fixed = np.abs(nearest[:, index]) == MAX_LEVEL
        settled[:, index] = np.where(fixed, nearest[:, index], level) * step
        error = (wanted[:, index] - settled[:, index]) / passed_on[:, index, index, None]
        wanted[:, index + 1 :] -= passed_on[:, index, index + 1 :, None] * error[:, None]
    return settled
