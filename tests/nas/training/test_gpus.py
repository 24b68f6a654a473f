"""What is said of a machine's GPUs, and how workers share one. None is needed here."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from latency_models import Worker
from nas.training import tensorflow_quietly
from nas.training.gpus import describe_gpus
from nas.training.tensorflow_quietly import tf


class Here(Worker):
    """Makes its calls in this process, where the machine can be another."""

    def call(self, timeout_seconds: float, function: Callable[..., Any], *_: Any, **__: Any) -> Any:
        return function()


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has TensorFlow see GPUs of these names."""

    def see(*names: str) -> None:
        gpus = [SimpleNamespace(name=f"/physical_device:GPU:{i}") for i in range(len(names))]
        details = {gpu.name: {"device_name": n} for gpu, n in zip(gpus, names, strict=True) if n}
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else []
        )
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda gpu: details.get(gpu.name, {})
        )

    return see


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "sees no GPU; networks are trained on the processor"),
        (("NVIDIA T4",), "sees a GPU: NVIDIA T4"),
        (("NVIDIA T4", ""), "sees 2 GPUs: NVIDIA T4, /physical_device:GPU:1"),
    ],
)
def test_gpus_are_named(pretend: Callable[..., None], names: tuple[str, ...], said: str) -> None:
    pretend(*names)
    assert describe_gpus(Here()) == f"TensorFlow {said}"


def test_a_worker_process_is_asked() -> None:
    here = describe_gpus(Here())
    with Worker() as worker:
        assert describe_gpus(worker) == here


def test_memory_is_taken_as_it_is_needed_by_every_gpu_before_the_runtime_starts(
    pretend: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("A", "B")
    done: list[object] = []
    monkeypatch.setattr(
        tf.config.experimental,
        "set_memory_growth",
        lambda gpu, enable: done.append((gpu.name, enable)),
    )
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: done.append("started"))
    tensorflow_quietly.start()
    assert done == [
        ("/physical_device:GPU:0", True),
        ("/physical_device:GPU:1", True),
        "started",
    ]
