"""TensorFlow with its runtime started, which has its say as well, and threads."""

from __future__ import annotations

from .tensorflow_import import keras, silence, tf

with silence():
    tf.config.list_logical_devices()

__all__ = ["keras", "tf"]
