"""Latency queries: predict or measure a model that is given by name, file or graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device, open_source
from latency_models.tflite.requests import (
    read_tflite,
    request_of_file,
    require_integer_only,
    with_fixed_sizes,
)
from search_spaces import Candidate, Graph, InputError, InputSpec

from ..evaluation.evaluator import untrained_request
from ..system.files import reading
from .model_reference import find_network, network_path
from .verification import Agreement, verify

#: A TFLite or JSON file, a name of the zoo or of a shipped model, STUDY#TRIAL, or a network.
Model: TypeAlias = str | Path | Graph | Candidate


def predict(model: Model, device: Device, size: str | None, scale: int) -> Latency:
    """Predicts a latency by the device's compiler or model, at ``size`` (HxW) or the device's size.

    ``scale`` applies to zoo networks. For a trial or a shipped model its trained file is used, if
    it is on this disk and of the right size and granularity; other networks are converted with
    stand-in weights. InputError if the device can only be measured.
    """
    if device.measured:
        raise InputError(f"device {device.name} can only be measured: `nas latency measure`")
    with _opened(model, device, size, scale) as (request, source, _):
        return source.measure(request)


def measure(model: Model, device: Device, size: str | None, scale: int) -> Latency:
    """Measures a latency, as ``predict``; InputError if the device is a compiler or a model."""
    _require_measured(device)
    with _opened(model, device, size, scale) as (request, source, _):
        return source.measure(request)


def measure_verified(
    model: Model, device: Device, size: str | None, scale: int
) -> tuple[Latency, Agreement]:
    """Measures a latency after comparing the device's output with that of this machine.

    Raises LatencyError if they differ by more than rounding.
    """
    _require_measured(device)
    with _opened(model, device, size, scale) as (request, source, worker):
        data = request.make_tflite()
        converted = replace(request, make_tflite=lambda: data)  # converts once
        agreement = verify(converted, source, worker)
        return source.measure(converted), agreement


def _require_measured(device: Device) -> None:
    if not device.measured:
        raise InputError(
            f"device {device.name} is a compiler's or a model's, there is nothing to run on: "
            "`nas latency predict`"
        )


@contextlib.contextmanager
def _opened(
    model: Model, device: Device, size: str | None, scale: int
) -> Iterator[tuple[LatencyRequest, LatencySource, Worker]]:
    spec = InputSpec.parse(size) if size else None
    with Worker() as worker:
        request = _request(model, device, spec, scale, worker)
        yield request, open_source(device, worker), worker


def _request(
    model: Model, device: Device, spec: InputSpec | None, scale: int, worker: Worker
) -> LatencyRequest:
    size = spec or device.input
    if isinstance(model, Graph | Candidate):
        graph = model.deployed if isinstance(model, Candidate) else model
        return untrained_request(worker, graph, size, device.weights)
    # A Path is a file, even if it has the name of a zoo network.
    if not isinstance(model, str | Path):
        raise InputError(f"model {model!r}: give a name, a path, a Graph or a Candidate")
    what = model if isinstance(model, str) else str(model.absolute())
    path = network_path(what)
    if path and (path.suffix == ".tflite" or (path.is_file() and path.suffix != ".json")):
        with reading(path):
            data = path.read_bytes()
            require_integer_only(read_tflite(data))
            return request_of_file(what, with_fixed_sizes(data, worker, spec), spec, data)
    named = find_network(what, scale)
    graph, trained = named.candidate.deployed, named.trained
    if trained is not None and trained.matches(size, device.weights):
        return LatencyRequest.of_graph(graph, size, trained.path.read_bytes, what)
    return untrained_request(worker, graph, size, device.weights, what)
