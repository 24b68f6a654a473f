"""Predicts and measures how long a model takes on a device."""

from __future__ import annotations

from latency_models import Latency

from ..latency import query
from ..latency.query import Model
from .arguments import DeviceSource, device_of


def predict_latency(
    model: Model, device: DeviceSource, *, input: str | None = None, scale: int = 3
) -> Latency:
    """Predicts the time of one inference in ms, its interval, and the time of every operator.

    The device's compiler or its regression predicts; nothing runs on the device. ``model`` is a
    TFLite file, the name of a zoo network or of one of ``nas.models()``, "STUDY#TRIAL", a
    GRAPH.json, or a ``Graph`` or ``Candidate``; ``scale`` applies to zoo networks only. ``device``
    is a name, a folder or a ``Device``. ``input`` is the LR size in pixels, "360x640"; None takes
    the device's own size, or the file's.

    Raises InputError for an unknown model or device, or for a device that can only be measured;
    LatencyError if the source of latencies cannot answer.

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
    """Measures the latency on the device itself; returns the same as ``predict_latency``.

    ``device`` is "host", "adb:SERIAL", or the folder of a device; the other arguments are those of
    ``predict_latency``. With ``verify`` the device's output for a photograph is first compared
    with this machine's output, and nothing is measured if they differ.

    Raises InputError for an unknown model or device, or a device on which nothing can be run;
    LatencyError if the device reports no time (the error's ``text`` is the output of the board's
    tool), or if outputs differ by more than rounding.

    Example::

        nas.measure_latency("studies/first/pareto/rank01-trial0007.tflite", "host").ms
    """
    target = device_of(device)
    if verify:
        return query.measure_verified(model, target, input, scale)[0]
    return query.measure(model, target, input, scale)
