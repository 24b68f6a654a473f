"""TFLite files of one operator, a x2 of nearest neighbors, made without TensorFlow."""

from __future__ import annotations

from tests.latency_models.tflite_builder import TfliteBuilder

SIDE = 16


def make_tflite(*, inputs: int = 1, float32: bool = False) -> bytes:
    """Reads a 16x16 image; integer-only unless ``float32``, of one input unless told otherwise."""
    file = TfliteBuilder()
    dtype, scale = ("FLOAT32", None) if float32 else ("INT8", 1.0)
    images = tuple(
        file.tensor((1, SIDE, SIDE, 3), dtype, scale=scale, name=name) for name in ("lr", "other")
    )
    pixels = file.tensor((1, 2 * SIDE, 2 * SIDE, 3), dtype, scale=scale, name="hr")
    size = file.constant([2 * SIDE, 2 * SIDE])
    options = "ResizeNearestNeighborOptions"
    file.operator("RESIZE_NEAREST_NEIGHBOR", (images[0], size), (pixels,), options)
    return file.build(images[:inputs], (pixels,))
