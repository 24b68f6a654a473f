"""TensorFlow and Keras, imported in one place: without their start-up messages, and with oneDNN.

They write the messages from C++ before any log level is read: CPU features, missing GPU drivers.
The runtime is not started here, so that worker processes can fork from one that has imported this.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow takes oneDNN by itself only on processors with AVX-512 VNNI. Without it, grouped
# convolutions have no gradient, and on AVX2 a training step of ABPN takes 1.6 times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Standard error goes nowhere, whoever writes to it."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


with silence():
    import keras
    import tensorflow as tf

# Every candidate is a network of its own: retracing is what we do.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

__all__ = ["keras", "silence", "tf"]
