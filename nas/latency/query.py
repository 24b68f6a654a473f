"""The latency of a model that a person names: a file, a zoo network, or a study's trial."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device, load_device, open_source
from latency_models.tflite.requests import (
    read_tflite,
    request_of_file,
    require_integer_only,
    with_fixed_sizes,
)
from search_spaces import InputSpec

from ..evaluation.evaluator import untrained_request
from ..system.files import reading
from .model_reference import find_network, network_path
from .verification import Agreement, verify


def time_model(what: str, device_name: str, size: str | None, scale: int) -> Latency:
    """Time on the device of that name, at ``size`` (HxW) or at the device's own input size.

    Of a trained trial its own file is timed, where it is here and fits the device; any other
    network is converted with weights that stand in for trained ones.
    """
    with _opened(what, device_name, size, scale) as (request, source, _):
        return source.measure(request)


def time_verified_model(
    what: str, device_name: str, size: str | None, scale: int
) -> tuple[Latency, Agreement]:
    """As ``time_model``, once the device has computed what this machine computes.

    LatencyError if it has not, by more than rounding.
    """
    with _opened(what, device_name, size, scale) as (request, source, worker):
        data = request.make_tflite()
        converted = replace(request, make_tflite=lambda: data)  # once for all
        agreement = verify(converted, source, worker)
        return source.measure(converted), agreement


@contextlib.contextmanager
def _opened(
    what: str, device_name: str, size: str | None, scale: int
) -> Iterator[tuple[LatencyRequest, LatencySource, Worker]]:
    device = load_device(device_name)
    spec = InputSpec.parse(size) if size else None
    with Worker() as worker:
        request = _request(what, device, spec, scale, worker)
        yield request, open_source(device, worker), worker


def _request(
    what: str, device: Device, spec: InputSpec | None, scale: int, worker: Worker
) -> LatencyRequest:
    path = network_path(what)
    if path and (path.suffix == ".tflite" or (path.is_file() and path.suffix != ".json")):
        with reading(path):
            data = path.read_bytes()
            require_integer_only(read_tflite(data))
            return request_of_file(what, with_fixed_sizes(data, worker, spec), spec)
    named, asked = find_network(what, scale), spec or device.input
    graph, trained = named.candidate.deployed, named.trained
    if trained is not None and trained.fits(asked, device.weights):
        return LatencyRequest.of_graph(graph, asked, trained.path.read_bytes, what)
    return untrained_request(worker, graph, asked, device.weights, what)
