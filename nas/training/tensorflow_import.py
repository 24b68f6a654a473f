"""Imports TensorFlow and Keras without their start-up messages, and with oneDNN.

Their C++ code writes messages (CPU features, missing GPU drivers) before it reads any log level.
The runtime is not started here, so that a process that imported this can fork workers.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By default, TensorFlow uses oneDNN only on processors with AVX-512 VNNI. Without it, grouped
# convolutions have no gradient, and on AVX2 a training step of ABPN takes 1.6 times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discards everything written to standard error in the block, by native code too."""
    original, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(null)


with silence():
    import keras
    import tensorflow as tf

# Suppresses warnings about retracing: every candidate is another network, so it is unavoidable.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras", "silence", "tf"]
