"""Computes latencies from rknn-toolkit2's table of layers and a board's prices."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator, NasError

from ...source import (
    INTERVAL,
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    OperatorLatency,
)
from ...tflite.requests import (
    TfliteModel,
    read_tflite,
    require_integer_only,
    require_same_operators,
)
from ..cpu_fallback import COST_FACTOR, CpuFallback
from .calibration import Calibration
from .layers import Compiled, Layer
from .toolkit import Toolkit


@dataclass(frozen=True)
class RknnPrices:
    """Prices of a board for what the compiler counts, and for what it leaves to the CPU."""

    calibration: Calibration
    #: relative error that 90 % of the layers of the calibration do not exceed
    layer_error: float
    fallback: CpuFallback
    #: speed at which the CPU copies inputs and outputs
    transfer_gb_per_s: float


class RknnSource(LatencySource):
    """Compiles each model in a child process.

    An operator that is fused into another costs 0 ms: its cycles belong to the other. A layer that
    the compiler adds is attributed to the operator after it; layers at the end, to the last
    operator.
    """

    def __init__(self, toolkit: Toolkit, prices: RknnPrices) -> None:
        self._toolkit = toolkit
        self._prices = prices

    def measure(self, request: LatencyRequest) -> Latency:
        """Compiles the model; LatencyError if that fails, NasError if rknn-toolkit2 is missing."""
        data = request.make_tflite()
        try:
            model = read_tflite(data)
            require_integer_only(model)
            require_same_operators(request, model)
        except NasError as error:
            raise LatencyError(f"{request.name} on {self._toolkit.platform}: {error}") from error
        return self.priced(request, model, self._toolkit.compile(data))

    def priced(self, request: LatencyRequest, model: TfliteModel, compiled: Compiled) -> Latency:
        """Returns the latency of ``model``, the request's file, from its compiled layers."""
        own = layers_by_operator(model, compiled.layers)
        shares = [
            self._operator_share(operator, layers)
            for operator, layers in zip(request.operators, own, strict=True)
        ]
        npu_ms = sum(share.npu_ms for share in shares)
        cpu_ms = sum(share.cpu_ms for share in shares)
        error = self._prices.layer_error
        rows = tuple(
            OperatorLatency(operator.name, operator.kind, share.engine, share.npu_ms + share.cpu_ms)
            for operator, share in zip(request.operators, shares, strict=True)
        )
        return Latency(
            ms=npu_ms + cpu_ms,
            low_ms=npu_ms * (1 - error) + cpu_ms / COST_FACTOR,
            high_ms=npu_ms * (1 + error) + cpu_ms * COST_FACTOR,
            operators=rows,
            on_cpu=tuple(
                row.name for row, share in zip(rows, shares, strict=True) if share.fell_back
            ),
            source=compiled.compiler,
            conditions=self._conditions(npu_ms, cpu_ms),
        )

    def _operator_share(self, operator: LoweredOperator, layers: Sequence[Layer]) -> _OperatorShare:
        """Sums the layers of one operator; LatencyError if an operator with MACs has no layer."""
        if operator.macs and all(layer.is_transfer for layer in layers):
            raise LatencyError(
                f"rknn-toolkit2's table holds no layer of {operator.kind} {operator.name!r}"
            )
        on_npu = [layer for layer in layers if layer.target == "NPU"]
        on_cpu = [layer for layer in layers if layer.target != "NPU" and not layer.is_transfer]
        cpu_ms = sum(self._transfer_ms(layer) for layer in layers if layer.is_transfer)
        if on_cpu and operator.macs and on_npu:
            # The operator itself runs on the NPU; the layers on the CPU only prepare its input.
            moved_kb = sum(layer.read_kb + layer.written_kb for layer in on_cpu)
            cpu_ms += moved_kb * 1024 / (self._prices.fallback.bandwidth_gb_per_s * 1e6)
        elif on_cpu:
            cpu_ms += self._prices.fallback.ms(operator)
        npu_ms = sum(self._prices.calibration.us(layer) for layer in on_npu) / 1e3
        return _OperatorShare(npu_ms, cpu_ms, bool(on_cpu))

    def _transfer_ms(self, layer: Layer) -> float:
        return layer.read_kb * 1024 / (self._prices.transfer_gb_per_s * 1e6)

    def _conditions(self, npu_ms: float, cpu_ms: float) -> tuple[tuple[str, str], ...]:
        fallback = self._prices.fallback
        return (
            ("platform", self._toolkit.platform),
            ("busy", f"npu {npu_ms:.2f} ms, cpu {cpu_ms:.2f} ms"),
            (INTERVAL, f"NPU within {self._prices.layer_error:.0%}, as nine of ten layers"),
            ("cpu_bandwidth_gb_per_s", f"{fallback.bandwidth_gb_per_s:g}"),
            ("cpu_gmac_per_s", f"{fallback.gmac_per_s:g}"),
        )


@dataclass(frozen=True)
class _OperatorShare:
    """The time of one operator on the NPU and on the CPU."""

    npu_ms: float
    cpu_ms: float
    fell_back: bool

    @property
    def engine(self) -> str:
        return "cpu" if self.fell_back and self.cpu_ms > self.npu_ms else "npu"


def layers_by_operator(model: TfliteModel, layers: Sequence[Layer]) -> list[list[Layer]]:
    """Returns the layers that belong to each operator of ``model``, in the order of operators."""
    owners = list(_owners(model, layers))
    own: list[list[Layer]] = [[] for _ in model.operators]
    following = len(model.operators) - 1
    for layer, owner in reversed(list(zip(layers, owners, strict=True))):
        following = following if owner is None else owner
        own[following].insert(0, layer)
    return own


def _owners(model: TfliteModel, layers: Sequence[Layer]) -> Iterator[int | None]:
    """Yields for each layer the index of the operator that it is named after, or None.

    A layer has the name of a tensor, often with a suffix: ``conv_1_prequant``.
    """
    made = {t.name: index for index, op in enumerate(model.operators) for t in op.outputs}
    names = sorted(made)
    resizes = [i for i, op in enumerate(model.operators) if op.kind.startswith("RESIZE_")]
    for layer in layers:
        name = _longest_prefix(names, layer.name)
        if name is not None:
            yield made[name]
        elif layer.op == "Resize" and resizes:
            # The compiler drops the names of Resize layers, but keeps their order.
            yield resizes.pop(0)
        else:
            yield None


def _longest_prefix(names: Sequence[str], text: str) -> str | None:
    """Returns the longest of the sorted ``names`` that ``text`` begins with, or None."""
    for name in reversed(names[: bisect.bisect_right(names, text)]):
        if text.startswith(name):
            return name
    return None
