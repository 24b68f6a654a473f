"""A latency as plain values for JSON, and back."""

from __future__ import annotations

from typing import Any

from .source import Latency, OperatorLatency


def latency_to_json(latency: Latency) -> dict[str, Any]:
    """Plain values that ``latency_from_json`` reads back."""
    return {
        **vars(latency),
        "operators": [vars(row) for row in latency.operators],
        "on_cpu": list(latency.on_cpu),
        "conditions": [list(pair) for pair in latency.conditions],
    }


def latency_from_json(values: dict[str, Any]) -> Latency:
    """The latency that ``latency_to_json`` described; KeyError or TypeError of anything else."""
    return Latency(
        **{
            **values,
            "operators": tuple(OperatorLatency(**row) for row in values["operators"]),
            "on_cpu": tuple(values["on_cpu"]),
            "conditions": tuple((key, value) for key, value in values["conditions"]),
        }
    )
