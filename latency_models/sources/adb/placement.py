"""Determines engine and time of each operator; refuses times that are not the accelerator's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search_spaces import LoweredOperator

from ...source import OperatorLatency
from ..apportioning import SHARING_RULE, shared_out
from .delegation import Delegation
from .errors import DeviceError, OperatorsOnCpu
from .profile import ProfileRow

_CPU = "cpu"
#: Essential operators: if one runs on the CPU, the time is not that of the accelerator.
ESSENTIAL = frozenset({
    "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "ADD", "CONCATENATION",
})  # fmt: skip
_PROFILE_RULE = "the tool's profile; the delegate's time shared out by bytes and MACs"
#: Conversions that may stay on the CPU, at the ends of a model.
_END_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
#: Largest part of the time on the CPU that is accepted, by the profile.
MAX_CPU_SHARE = 0.05


@dataclass(frozen=True)
class Placement:
    """A row for each operator, the names of operators on the CPU, and how times were determined."""

    operators: tuple[OperatorLatency, ...]
    on_cpu: tuple[str, ...]
    rule: str


def placed_whole(operators: Sequence[LoweredOperator], engine: str, ms: float) -> Placement:
    """Places all operators on one engine, and apportions ``ms`` among them."""
    return Placement(shared_out(ms, operators, engine), (), SHARING_RULE)


def placed_unprofiled(
    operators: Sequence[LoweredOperator],
    delegation: Delegation,
    ms: float,
    remedy: str = "set profile_runs, with a tool that can profile",
) -> Placement:
    """Places operators without a profile: only the conversions at the ends may be on the CPU.

    ``ms`` is apportioned among the operators. Raises DeviceError, which mentions ``remedy``, if
    other operators may be on the CPU.
    """
    delegate, left = delegation.delegate, delegation.nodes - delegation.taken
    if left == 0 or delegate.on_processor:
        return placed_whole(operators, delegate.engine, ms)
    ends = [operator for operator in operators if operator.kind in _END_CONVERSIONS]
    if left != len(ends):
        raise DeviceError(
            f"the {delegate.label} delegate left {left} of {len(operators)} operators to the CPU "
            f"without a profile to tell which; {remedy}",
            delegation.text,
        )
    rows = tuple(
        replace(row, engine=_CPU) if operator in ends else row
        for row, operator in zip(shared_out(ms, operators, delegate.engine), operators, strict=True)
    )
    return Placement(rows, tuple(operator.name for operator in ends), SHARING_RULE)


def placed_by_profile(
    operators: Sequence[LoweredOperator],
    delegation: Delegation,
    profile: Sequence[ProfileRow],
    ms: float,
) -> Placement:
    """Places operators by a profile; the delegate's time is apportioned among its operators.

    DeviceError if an essential operator, or more than 5 % of the time, is on the CPU.
    """
    delegate = delegation.delegate
    named = _profiled_shares(operators, profile, delegation.text)
    rest = [operator for index, operator in enumerate(operators) if index not in named]
    rest_share = math.fsum(row.share for row in profile) - math.fsum(named.values())
    if len(rest) != delegation.taken or (rest and rest_share <= 0):
        raise DeviceError(
            f"the {delegate.label} delegate took {delegation.taken} operators, but the profile "
            f"has {rest_share:.1%} of the time for the {len(rest)} that it does not name",
            delegation.text,
        )
    if not delegate.on_processor:
        _require_accelerated(operators, named, delegation)
    shared = iter(shared_out(ms * rest_share, rest, delegate.engine) if rest else ())
    rows = tuple(
        OperatorLatency(operator.name, operator.kind, _CPU, ms * named[index])
        if index in named
        else next(shared)
        for index, operator in enumerate(operators)
    )
    on_cpu = () if delegate.on_processor else tuple(operators[index].name for index in named)
    return Placement(
        _scaled_to_total(rows, ms), on_cpu, _PROFILE_RULE if rest else "the tool's profile"
    )


def _profiled_shares(
    operators: Sequence[LoweredOperator], profile: Sequence[ProfileRow], text: str
) -> Mapping[int, float]:
    """Returns index of each operator with a profile row -> its share of the time, 0 to 1."""
    kinds = [operator.kind.removeprefix("CUSTOM:") for operator in operators]
    shares: dict[int, float] = {}
    for row in profile:
        if row.kind not in kinds:
            continue
        index = row.index
        if index is None:  # old builds: rows of one kind are in the order of the file
            same = (i for i, kind in enumerate(kinds) if kind == row.kind and i not in shares)
            index = next(same, None)
        if index is None or index in shares or kinds[index : index + 1] != [row.kind]:
            raise DeviceError(f"the profile's {row.kind} is none of this model's", text)
        shares[index] = row.share
    return dict(sorted(shares.items()))


def _require_accelerated(
    operators: Sequence[LoweredOperator], on_cpu: Mapping[int, float], delegation: Delegation
) -> None:
    label = delegation.delegate.label
    essential = [operators[index] for index in on_cpu if operators[index].kind in ESSENTIAL]
    if essential:
        named = ", ".join(f"{operator.kind} {operator.name!r}" for operator in essential[:3])
        raise OperatorsOnCpu(
            f"the {label} delegate left {len(essential)} of the operators that count to the CPU: "
            f"{named}",
            delegation.text,
            {operator.kind for operator in essential},
        )
    share = math.fsum(on_cpu.values())
    if share > MAX_CPU_SHARE:
        kinds = ", ".join(sorted({operators[index].kind for index in on_cpu}))
        raise DeviceError(
            f"{kinds} on the CPU take {share:.1%} of the time; the {label} delegate may leave "
            f"{MAX_CPU_SHARE:.0%} there",
            delegation.text,
        )


def _scaled_to_total(rows: tuple[OperatorLatency, ...], ms: float) -> tuple[OperatorLatency, ...]:
    """Scales the rows to add up to ``ms``, since the shares of a profile are rounded."""
    factor = ms / math.fsum(row.ms for row in rows)
    return tuple(replace(row, ms=row.ms * factor) for row in rows)
