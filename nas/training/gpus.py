"""Does TensorFlow see a GPU? A worker process is asked: only there is TensorFlow imported."""

from __future__ import annotations

from latency_models import Worker

#: Its drivers start with the first look.
_TIMEOUT_SECONDS = 300.0


def describe_gpus(worker: Worker) -> str:
    """What trainings in ``worker`` run on, in a few words."""
    names = worker.call(_TIMEOUT_SECONDS, _gpu_names)
    if not names:
        return "TensorFlow sees no GPU; networks are trained on the processor"
    count = "a GPU" if len(names) == 1 else f"{len(names)} GPUs"
    return f"TensorFlow sees {count}: {', '.join(names)}"


def _gpu_names() -> tuple[str, ...]:
    from .tensorflow_quietly import gpu_names

    return gpu_names()
