"""TensorFlow with its runtime started, without the messages of that; it now has threads."""

from __future__ import annotations

from .tensorflow_import import keras, silence, tf


def start() -> None:
    """Starts the runtime, so that several processes can share a GPU.

    By default the first process takes all of a GPU's memory.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.list_logical_devices()


def gpu_names() -> tuple[str, ...]:
    """Returns the product names of the GPUs that TensorFlow can use."""
    return tuple(
        str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
        for gpu in tf.config.list_physical_devices("GPU")
    )


with silence():
    start()

__all__ = ["gpu_names", "keras", "tf"]
