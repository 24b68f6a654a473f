"""Checks a TFLite file: reads it, times it on a device, and applies all rules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from latency_models import LatencyError, Worker
from latency_models.device import Device, open_source
from latency_models.tflite.requests import (
    TfliteModel,
    read_tflite,
    request_of_file,
    require_uncompiled,
    with_fixed_sizes,
)
from search_spaces import InputError, NasError

from ..system.files import reading
from . import device_rules, format_rules, widths
from .finding import Finding, Report, Severity
from .subject import Subject, Target

Rule = Callable[[Subject], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    format_rules.float_operators,
    format_rules.wide_integers,
    format_rules.quantized_tensors,
    format_rules.open_shapes,
    format_rules.levels,
    device_rules.unsupported,
    device_rules.granularity,
    device_rules.clips,
    device_rules.fallbacks,
    device_rules.slow_operators,
    widths.channels_over_a_step,
)
_SEVERITY_ORDER = list(Severity)


def check_file(path: Path, device: Device | None, worker: Worker) -> Report:
    """Applies all rules to a TFLite file, and times it on ``device`` if one is given.

    Raises InputError if it is not a TFLite file. If the model crashes a compiler, ``worker`` is
    restarted and the report states the crash as the reason for the missing time.
    """
    with reading(path):
        original = data = path.read_bytes()
        model = read_tflite(data)
        require_uncompiled(model)
        _require_outputs(model)
        with contextlib.suppress(NasError):  # the sizes then stay open, and a rule reports them
            data = with_fixed_sizes(data, worker)
            model = read_tflite(data)
    name = path.name
    if device is None:
        return _report(name, Subject(model), "")
    target = Target(device.name, device.operators, device.weights)
    source = open_source(device, worker)
    try:
        request = request_of_file(name, data, given=original)
        latency = source.measure(request)
    except (LatencyError, InputError) as error:
        return _report(name, Subject(model, target), str(error))
    width_ms = widths.width_probe(device, source, worker, request.input)
    return _report(name, Subject(model, target, latency, width_ms), "")


def _require_outputs(model: TfliteModel) -> None:
    """Raises InputError unless every operator has an output, whose name identifies it."""
    for operator in model.operators:
        if not operator.outputs:
            raise InputError(f"the TFLite file is damaged ({operator.kind} makes nothing)")


def _report(name: str, subject: Subject, untimed: str) -> Report:
    findings = [finding for rule in RULES for finding in rule(subject)]
    findings.sort(key=lambda finding: (_SEVERITY_ORDER.index(finding.severity), -(finding.ms or 0)))
    device = subject.target.name if subject.target else None
    return Report(name, device, tuple(findings), subject.latency, untimed)
