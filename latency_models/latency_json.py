"""Converts latencies to and from JSON values."""

from __future__ import annotations

from typing import Any

from .source import Latency, OperatorLatency


def latency_to_json(latency: Latency) -> dict[str, Any]:
    """Returns JSON values that ``latency_from_json`` converts back."""
    return {
        **vars(latency),
        "operators": [vars(row) for row in latency.operators],
        "on_cpu": list(latency.on_cpu),
        "conditions": [list(pair) for pair in latency.conditions],
    }


def latency_from_json(values: dict[str, Any]) -> Latency:
    """Restores the result of ``latency_to_json``; KeyError or TypeError for other values."""
    return Latency(
        **{
            **values,
            "operators": tuple(OperatorLatency(**row) for row in values["operators"]),
            "on_cpu": tuple(values["on_cpu"]),
            "conditions": tuple((key, value) for key, value in values["conditions"]),
        }
    )
