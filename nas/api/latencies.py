"""How long a model takes on a device: predicted, or measured."""

from __future__ import annotations

from latency_models import Latency

from ..latency import query
from ..latency.query import Model
from .arguments import DeviceSource, device_of


def predict_latency(
    model: Model, device: DeviceSource, *, input: str | None = None, scale: int = 3
) -> Latency:
    """Time of one inference on ``device`` in ms, its interval, and the time of every operator.

    By the device's compiler or its regression; nothing is run on it. ``model`` is a TFLite file,
    the name of a zoo network (``scale`` is for it) or of one of ``nas.models()``, "STUDY#TRIAL", a
    GRAPH.json, or a ``Graph`` or ``Candidate``. ``device`` is a name, a folder or a ``Device``.
    ``input`` is the LR size in pixels, "360x640" (None: the device's own, or the file's).

    Raises InputError for an unknown model or device, or one that can only be measured, LatencyError
    if the source cannot answer.

    Example::

        latency = nas.predict_latency("ABPN", "vs680")
        print(latency.ms, latency.low_ms, latency.high_ms)
    """
    return query.predict(model, device_of(device), input, scale)


def measure_latency(
    model: Model,
    device: DeviceSource,
    *,
    input: str | None = None,
    scale: int = 3,
    verify: bool = False,
) -> Latency:
    """As ``predict_latency``, measured on the device itself: "host", "adb:SERIAL" or a folder's.

    With ``verify`` it is measured only once the device's output for a photograph is this machine's.

    Raises InputError for an unknown model or device, or one that there is nothing to run on of,
    LatencyError if the device gives no time, what a board's tool said being its ``text``, or if it
    computes something else by more than rounding.

    Example::

        nas.measure_latency("studies/first/pareto/rank01-trial0007.tflite", "host").ms
    """
    target = device_of(device)
    if verify:
        return query.measure_verified(model, target, input, scale)[0]
    return query.measure(model, target, input, scale)
