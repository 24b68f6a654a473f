"""Describes the GPUs that TensorFlow sees; a worker process, which imports TensorFlow, is asked."""

from __future__ import annotations

from latency_models import Worker

#: Listing the GPUs for the first time starts their drivers, which takes long.
_TIMEOUT_SECONDS = 300.0


def describe_gpus(worker: Worker) -> str:
    """Returns a sentence about the hardware that trainings in ``worker`` run on."""
    names = worker.call(_TIMEOUT_SECONDS, _gpu_names)
    if not names:
        return "TensorFlow sees no GPU; networks are trained on the processor"
    count = "a GPU" if len(names) == 1 else f"{len(names)} GPUs"
    return f"TensorFlow sees {count}: {', '.join(names)}"


def _gpu_names() -> tuple[str, ...]:
    from .tensorflow_quietly import gpu_names

    return gpu_names()
